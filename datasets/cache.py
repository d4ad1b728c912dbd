"""Where generated data sets are kept, and the files they are kept in.

A shard is one safetensors file with some tens of samples: the events of all of them end to end, their frames and their
labels. Shards are written under a temporary name and renamed, so a file that has its final name is whole; a data set
that was interrupted goes on with the shards that are missing, and two processes that generate the same one at the same
moment write the same bytes. Opening checks the header, the sizes and the shapes; `Shard.verify` reads everything and
compares the checksum.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

import spikelab
from spikelab.events import EventArray

FORMAT = 1  # of the shards; raise it with every change of what they hold
_ABANDONED = 6 * 3600.0  # a temporary file untouched for so many seconds belongs to no running process


class CacheFileError(RuntimeError):
    """A file in the cache is damaged or belongs to something else; the message names it and the remedy."""

    def __init__(self, path: Path, problem: str):
        super().__init__(f"{path}: {problem}. Delete this file and run again: it will be generated anew.")
        self.path = path

    def __reduce__(self):
        return RuntimeError, self.args


def cache_folder(name: str, cache: str | Path | None = None) -> Path:
    """Folder of one data set: ``<cache>/datasets/<name>``.

    Args:
        name: of the data set, with the digest of its settings.
        cache: root of the cache; None takes ``$SPIKELAB_CACHE``, and where that is not set ``~/.cache/spikelab``.
    """
    root = Path(cache or os.environ.get("SPIKELAB_CACHE") or Path.home() / ".cache" / "spikelab")
    return root.expanduser() / "datasets" / name


def published_folder(name: str) -> Path:
    """Where files that others publish are looked for, unless a folder is named.

    ``$SPIKELAB_SHARED/data/<name>`` where that is set, else ``../shared/data/<name>`` beside a checkout that has it,
    else ``<cache>/datasets/<name>``.
    """
    shared = os.environ.get("SPIKELAB_SHARED")
    beside = Path(spikelab.__file__).resolve().parents[2] / "shared"
    if shared is None and not beside.is_dir():
        return cache_folder(name)
    return Path(shared or beside) / "data" / name


def settings_digest(settings: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that change with any setting (SHA-256 of its JSON with sorted keys)."""
    settings = {"format": FORMAT, **settings}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


@dataclasses.dataclass(frozen=True)
class RawSample:
    """One sample as it is stored.

    Attributes:
        events: of one window; times in microseconds from the window's start.
        frame: uint8 ``[H, W]``, or ``[H, W, 3]`` in colour.
        label: uint8 ``[H, W]``, 255 = ignore.
        conditions: what is special about the sample, such as ``("dark",)``.
        duration: length of its event window in microseconds, where that differs from sample to sample; else None.
    """

    events: EventArray
    frame: np.ndarray
    label: np.ndarray
    conditions: tuple[str, ...] = ()
    duration: int | None = None


def write_atomically(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Write a safetensors file that appears whole or not at all.

    Raises:
        OSError: if it cannot be written (no space, no permission); nothing is left behind.
    """
    _replace(path, lambda temporary: save_file(tensors, temporary, metadata=metadata))


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write a file of any kind that appears whole or not at all.

    Raises:
        OSError: if it cannot be written (no space, no permission); nothing is left behind.
    """
    _replace(path, lambda temporary: temporary.write_bytes(content))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        try:
            write(temporary)
        except SafetensorError as error:  # safetensors reports a full disk as its own error
            raise OSError(str(error)) from error
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(
            f"{path}: cannot write this cache file ({error}). Free some space or set SPIKELAB_CACHE to another folder; "
            "finished files are kept."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_abandoned(folder: Path) -> None:
    """Delete temporary files that killed processes left in a cache folder, once they are some hours old."""
    for path in folder.glob(".*.tmp"):
        try:
            if time.time() - path.stat().st_mtime > _ABANDONED:
                path.unlink(missing_ok=True)
        except FileNotFoundError:  # another process was first
            continue


def write_shard(path: Path, samples: Sequence[RawSample], key: str) -> None:
    """Write samples of one size as a shard.

    Args:
        path: of the file.
        samples: at least one, all with frames and labels of the same size.
        key: digest of the settings that made them; it is compared when the shard is opened.
    """
    counts = [len(sample.events) for sample in samples]
    tensors: dict[str, np.ndarray] = {
        "x": np.concatenate([sample.events.x for sample in samples]).astype(np.uint16),
        "y": np.concatenate([sample.events.y for sample in samples]).astype(np.uint16),
        "t": np.concatenate([sample.events.t for sample in samples]).astype(np.int32),
        "p": np.concatenate([sample.events.p for sample in samples]).astype(np.uint8),
        "offsets": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        "frame": np.stack([sample.frame for sample in samples]),
        "label": np.stack([sample.label for sample in samples]),
    }
    conditions = [list(sample.conditions) for sample in samples]
    about = {"key": key, "conditions": conditions, "crc32": _checksum(tensors)}
    # One entry: safetensors writes several in random order, and the bytes of a shard should be reproducible.
    write_atomically(path, tensors, {"shard": json.dumps(about, sort_keys=True)})


def _checksum(tensors: Mapping[str, np.ndarray]) -> int:
    value = 0
    for name in sorted(tensors):
        value = zlib.crc32(np.ascontiguousarray(tensors[name]).data, value)
    return value


_TYPES = {"x": "U16", "y": "U16", "t": "I32", "p": "U8", "offsets": "I64", "frame": "U8", "label": "U8"}


class Shard:
    """Random access to the samples of one file, which stays on disk and is read through a memory map.

    Args:
        path: of the file.
        key: digest of the settings that the file must belong to.
        count: number of samples that it must hold.
        size: height and width of frames and labels.

    Raises:
        CacheFileError: if the file is missing, cut short, not a shard, or does not fit `key`, `count` or `size`.
    """

    def __init__(self, path: Path, key: str, count: int, size: tuple[int, int]):
        self.path, self.size = path, size
        self._file: Any = None
        try:
            file = self._open()
            about = json.loads((file.metadata() or {}).get("shard", "{}"))
            if set(file.keys()) != set(_TYPES) or set(about) != {"key", "conditions", "crc32"}:
                raise CacheFileError(path, f"is not a shard of a spikelab data set (it holds {sorted(file.keys())})")
            if about["key"] != key:
                raise CacheFileError(path, f"was made with other settings (key {about['key']}, expected {key})")
            slices = {name: file.get_slice(name) for name in _TYPES}
            self._offsets = file.get_tensor("offsets")
            self._conditions = [tuple(names) for names in about["conditions"]]
            self._crc32 = about["crc32"]
        except FileNotFoundError:
            raise CacheFileError(path, "is missing") from None
        except (SafetensorError, ValueError, OSError) as error:
            raise CacheFileError(path, f"is cut short or damaged ({error})") from error
        events = int(self._offsets[-1]) if len(self._offsets) else 0
        expected = {name: [events] for name in "xytp"}
        expected |= {"offsets": [count + 1], "frame": [count, *size], "label": [count, *size]}
        for name, dtype in _TYPES.items():
            found = (slices[name].get_dtype(), list(slices[name].get_shape()))
            if found != (dtype, expected[name]):
                raise CacheFileError(
                    path, f"field {name!r} is {found[0]} {found[1]}, expected {dtype} {expected[name]}"
                )
        if len(self._conditions) != count or np.any(np.diff(self._offsets) < 0) or self._offsets[0] != 0:
            raise CacheFileError(path, "has inconsistent offsets or conditions")

    def _open(self) -> Any:
        if self._file is None:
            self._file = safe_open(self.path, framework="numpy")
        return self._file

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None}  # an open file does not travel to another process

    def __len__(self) -> int:
        return len(self._conditions)

    def conditions(self, index: int) -> tuple[str, ...]:
        """What is special about a sample."""
        return self._conditions[index]

    def read(self, index: int) -> RawSample:
        """One sample; frame and label are copies, free to be changed."""
        file = self._open()
        start, stop = int(self._offsets[index]), int(self._offsets[index + 1])
        x, y, t, p = (file.get_slice(name)[start:stop] for name in "xytp")
        height, width = self.size
        try:
            events = EventArray(x, y, t.astype(np.int64), p, width, height)
        except ValueError as error:
            raise CacheFileError(self.path, f"holds impossible events in sample {index} ({error})") from error
        frame, label = (file.get_slice(name)[index : index + 1][0] for name in ("frame", "label"))
        return RawSample(events, frame, label, self._conditions[index])

    def verify(self) -> None:
        """Read the whole file and compare it with its checksum.

        Raises:
            CacheFileError: if any byte has changed since it was written.
        """
        file = self._open()
        if _checksum({name: file.get_tensor(name) for name in _TYPES}) != self._crc32:
            raise CacheFileError(self.path, "does not match its checksum")

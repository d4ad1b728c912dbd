"""Parts of an event recording that are kept in the cache, so that a long file is decoded once and not for each sample.

One safetensors file for each recording, with the events of all its parts end to end. It is written under another name
and renamed when it is whole: an interrupted run goes on with the recordings that are missing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from spikelab.datasets.cache import CacheFileError, write_atomically
from spikelab.events import EventArray

_TYPES = {"x": "U16", "y": "U16", "t": "I64", "p": "U8"}


def write_parts(path: Path, parts: Sequence[EventArray], key: str) -> None:
    """Write the parts of a recording.

    Args:
        path: of the file.
        parts: at least one, of one sensor.
        key: digest of what they were made from; it is compared when they are read.

    Raises:
        OSError: if the file cannot be written.
    """
    tensors = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _TYPES}
    tensors["offsets"] = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    about = {"key": key, "width": parts[0].width, "height": parts[0].height}
    write_atomically(path, tensors, {"recording": json.dumps(about, sort_keys=True)})


def read_part(path: Path, key: str, count: int, part: int) -> EventArray:
    """One part of a recording.

    Args:
        path: of the file.
        key: that it must have been written with.
        count: of the parts that it must hold.
        part: number of the one that is read.

    Raises:
        CacheFileError: if the file is missing, damaged, or was made from something else.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {}).get("recording", "{}"))
            if about.get("key") != key or set(file.keys()) != {*_TYPES, "offsets"}:
                raise CacheFileError(path, "holds no parts of this recording")
            offsets = file.get_tensor("offsets")
            slices = {name: file.get_slice(name) for name in _TYPES}
            right = all(slices[name].get_dtype() == dtype for name, dtype in _TYPES.items())
            whole = all(slices[name].get_shape() == [offsets[-1]] for name in _TYPES)
            if not right or not whole or offsets.shape != (count + 1,) or offsets[0] or np.any(np.diff(offsets) < 0):
                raise CacheFileError(path, f"does not hold the {count} parts of the recording")
            begin, end = offsets[part : part + 2].tolist()
            x, y, t, p = (slices[name][begin:end] for name in "xytp")
            return EventArray(x, y, t, p, about["width"], about["height"])
    except FileNotFoundError:
        raise CacheFileError(path, "is missing") from None
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise CacheFileError(path, f"is cut short or damaged ({error})") from error

"""Raw recordings of DDD17, packed anew once so that any moment of them can be read.

The recorder's files hold packets without an index: to find the events of a moment, all before it must be read. So a
recording is brought into the form that ESS uses, in the cache, in one pass over its events and one over its pictures,
in bounded memory. Only pictures that have a label are kept. A recording has its labels beside it:
``rec1487339175.hdf5`` in ``rec1487339175/segmentation_masks/segmentation_%08d.png``, where the number counts the
recording's pictures from 1.
"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from spikelab.datasets.cache import cache_folder, settings_digest
from spikelab.datasets.ddd17.repacked import INDEX, RepackedRecording
from spikelab.datasets.segmentation.numbered_pictures import numbered
from spikelab.events.files import EventFileError, open_events, recognise

VERSION = 1  # raise it with every change of what is written
_WINDOW = 50_000_000  # nanoseconds that the index is for


def raw_recordings(root: Path) -> dict[str, Path]:
    """Raw recordings in a folder and in those below it, by name without the ending."""
    found: dict[str, Path] = {}
    for path in sorted([*root.glob("*.hdf5"), *root.glob("*/*.hdf5")]):
        try:
            if recognise(path) == "ddd17":
                found.setdefault(path.stem, path)
        except EventFileError:
            continue  # something else in HDF5: the recording that is asked for will be missed
    return found


def why_not(root: Path, name: str) -> str | None:
    """Why the file of a raw recording is none; None if there is no such file."""
    for path in sorted([*root.glob(f"{name}.hdf5"), *root.glob(f"*/{name}.hdf5")]):
        try:
            return f"ddd17: {path}: is no raw recording of DDD17, but {recognise(path)}"
        except EventFileError as error:
            return f"ddd17: {error}"
    return None


def labels_of(recording: Path) -> Path:
    """Where the labels of a recording are."""
    return recording.with_suffix("") / "segmentation_masks"


def repacked(recording: Path, cache: str | Path | None = None, progress: bool = True) -> RepackedRecording:
    """A raw recording in the form of ESS, which is made if it is not in the cache.

    Args:
        recording: the file.
        cache: root of the cache; None takes ``$SPIKELAB_CACHE`` or ``~/.cache/spikelab``.
        progress: show how many events are written.

    Raises:
        FileNotFoundError: if it has no labels.
        ValueError: if a label has no picture, or the file is damaged.
        OSError: if the cache cannot be written.
    """
    labels = numbered(labels_of(recording))
    if not labels:
        raise FileNotFoundError(f"ddd17: {labels_of(recording)} holds no labels (segmentation_00000001.png and so on)")
    about = recording.stat()
    key = settings_digest(
        {
            "version": VERSION,
            "recording": [str(recording.resolve()), about.st_size, about.st_mtime_ns],
            "labels": list(labels),
        }
    )
    folder = cache_folder(f"ddd17-{key}", cache) / recording.stem
    if not folder.is_dir():
        _repack(recording, labels, folder, progress)
    return RepackedRecording(folder, labels_of(recording), recording.stem)


def _repack(recording: Path, labels: dict[int, Path], folder: Path, progress: bool) -> None:
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    (temporary / "imgs").mkdir(parents=True)
    try:
        times = _write_pictures(recording, labels, temporary / "imgs")
        _write_events(recording, temporary, progress)
        events = np.memmap(temporary / "events.dat.t", "<i8", "r") if _size(temporary) else np.empty(0, np.int64)
        ends, starts = np.searchsorted(events, times), np.searchsorted(events, times - _WINDOW)
        (temporary / INDEX).parent.mkdir()
        np.save(temporary / INDEX, np.stack([times, ends, starts], axis=1))
        del events
        try:
            os.replace(temporary, folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster, with the same content
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _size(folder: Path) -> int:
    return (folder / "events.dat.t").stat().st_size


def _write_pictures(recording: Path, labels: dict[int, Path], folder: Path) -> np.ndarray:
    """Write the pictures that have a label; give the times of all (middle of the exposure), nanoseconds, ``[N]``."""
    times = []
    with open_events(recording, format="ddd17") as file:
        for number, frame in enumerate(file.frames(), 1):
            times.append(frame.t * 1000)
            if number in labels:
                # values are scaled to 16 bits; DDD17's own tools divide by 256
                Image.fromarray((frame.image >> 8).astype(np.uint8)).save(folder / f"img_{number:08d}.png")
    if beyond := [number for number in labels if number > len(times) or number < 1]:
        raise ValueError(
            f"ddd17: {labels[beyond[0]]}: there is no picture {beyond[0]} in {recording}, which has {len(times)}"
        )
    return np.array(times, np.int64)


def _write_events(recording: Path, folder: Path, progress: bool) -> None:
    with (
        open_events(recording, format="ddd17") as file,
        open(folder / "events.dat.t", "wb") as times,
        open(folder / "events.dat.xyp", "wb") as places,
        tqdm(desc=f"ddd17, {recording.name}", unit=" events", unit_scale=True, disable=not progress) as bar,
    ):
        for events in file.chunks():
            (events.t * 1000).astype("<i8").tofile(times)
            np.stack([events.x, events.y, events.p], axis=1).astype("<i2").tofile(places)
            bar.update(len(events))

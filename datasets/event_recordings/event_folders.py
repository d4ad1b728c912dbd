"""Recordings of one's own, in a folder for each class.

``FOLDER/train/wave/anything.raw``, with folders ``validation`` and ``test`` beside ``train`` or without, or
``FOLDER/wave/anything.raw``. A recording is a file, or a folder for formats that are folders, of any format that
`spikelab.events.files.open_events` knows.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spikelab.datasets.cache import published_folder
from spikelab.datasets.event_recordings.class_folders import find_class_folders
from spikelab.datasets.event_recordings.recording_splits import check_share, taken_out
from spikelab.datasets.event_recordings.samples import EventRecordings, Slicing, Values
from spikelab.datasets.faulty_recordings import tell
from spikelab.datasets.recording_files import is_archive
from spikelab.events import EventArray
from spikelab.events.files import EventFileError, UnknownFormatError, open_events, recognise

_NAME = "event_folders"
_Labelled = Sequence[tuple[Path, int]]


class EventFolders(EventRecordings):
    """Your own recordings, one folder for each class.

    Splits are the folders ``train``, ``validation`` (``valid``, ``val``) and ``test``. Where one of the last two is
    missing, a share of each class is taken out of training, and without any of these folders out of all recordings.
    Recordings are not known to belong together: of several recordings of one person or one drive some may be for
    training and some for testing, unless you give each split a folder.

    Without `size`, the recordings of the split are opened once when the data set is made, to see that all are of one
    sensor; their events are read when a sample is asked for.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        folder: holds the folders of splits or of classes; None takes ``$SPIKELAB_SHARED/data/event_folders``.
        pattern: of the recordings' names, such as ``"*.raw"``, where other files lie beside them.
        size: height and width of the sensor in pixels; None takes what the recordings say, which must all agree.
        format: of the recordings, a key of the table ``event_formats``; None finds out for each.
        validation: share of each class that the validation split takes, where it has no folder; 0 takes none.
        test: share of each class that the test split takes, where it has no folder; 0 takes none.
        time_bins: pictures of a sample.
        window: microseconds that a sample shows, see `EventRecordings`; None shows whole recordings, whatever their
            length.
        slicing: see `EventRecordings`.
        values: see `EventRecordings`.
        reduce: see `EventRecordings`.
        shift: see `EventRecordings`.
        flip: see `EventRecordings`.
        drop: see `EventRecordings`.
        seed: of the splits, and of the random changes.

    Attributes:
        paths: of the recordings of the split, in the order of the samples.
        class_names: names of the folders of classes, in the order of the alphabet.
        origin: a sentence on where the splits come from, and how many recordings each has.

    Raises:
        FileNotFoundError: if there is no folder, or no recording in a folder of a class.
        ValueError: if there is no such split, it is empty, there are fewer than two classes, recordings are not of one
            sensor or do not say its size, or an argument is out of range.
        EventFileError: if a file is no recording, or when it cannot be read.
    """

    unpublished = True
    """Its folder has no mark of its own: it is recognised where no other data set is."""

    def __init__(
        self,
        split: str,
        *,
        folder: str | Path | None = None,
        pattern: str = "*",
        size: tuple[int, int] | None = None,
        format: str | None = None,
        validation: float = 0.15,
        test: float = 0.15,
        time_bins: int = 10,
        window: int | None = None,
        slicing: Slicing = "time",
        values: Values = "counts",
        reduce: int = 1,
        shift: int = 0,
        flip: float = 0.0,
        drop: float = 0.0,
        seed: int = 0,
    ):
        super().__init__(
            _NAME, split, time_bins=time_bins, window=window, slicing=slicing, values=values, reduce=reduce,
            shift=shift, flip=flip, drop=drop, seed=seed,
        )  # fmt: skip
        check_share(_NAME, "validation", validation)
        check_share(_NAME, "test", test)
        if validation + test >= 1.0:
            raise ValueError(f"{_NAME}: validation = {validation} and test = {test} leave nothing for training")
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ValueError(f"{_NAME}: size is {size}, must be height and width in pixels, such as 260,346")
        self.folder = published_folder(_NAME) if folder is None else Path(folder).expanduser()
        self.pattern, self.format = pattern, format
        found = find_class_folders(self.folder, pattern)
        self.class_names = found.class_names
        if len(self.class_names) < 2:
            raise ValueError(
                f"{_NAME}: {self.folder.absolute()} has one class ({self.class_names[0]}); a classifier needs a folder "
                "for each of two or more"
            )
        splits, drawn = _divided(dict(found.splits), {"test": test, "validation": validation}, seed)
        told = "; ".join(
            f"{name} is {_drawn(share, seed)}" if (share := drawn.get(name)) is not None else f"{name} is a folder"
            for name in ("train", "validation", "test")
            if "all" not in found.splits or name != "train"
        )
        counts = ", ".join(f"{len(splits[name])} {name}" for name in ("train", "validation", "test"))
        self.origin = f"{told}: {counts} recordings of {len(self.class_names)} classes" + (
            f"; not read: {', '.join(found.unread)}" if found.unread else ""
        )
        if not splits[split]:
            raise ValueError(
                f"{_NAME}: {self.folder.absolute()} leaves no recording for {split!r} ({self.origin}); make a folder "
                f"{split}, or record more"
            )
        if size is None:
            others = [each[0][0] for name, each in splits.items() if name != split and each]
            size, splits[split] = self._measured(splits[split], others)
        self.height, self.width = size
        self.paths = [path for path, _ in splits[split]]
        self.labels = np.array([label for _, label in splits[split]], np.int64)

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Whether a folder holds a folder for training with recordings in two or more folders of classes."""
        try:
            found = find_class_folders(folder, "*").splits
        except (ValueError, OSError):
            return False
        firsts = {label: path for path, label in reversed(found.get("train", ()))}
        return len(firsts) > 1 and all(map(_is_recording, list(firsts.values())[:2]))

    def recording(self, index: int) -> EventArray:
        """See `EventRecordings.recording`."""
        with open_events(self.paths[index], size=(self.height, self.width), format=self.format) as file:
            return file.read()

    def path(self, index: int) -> Path:
        """The recording of a sample."""
        return self.paths[index]

    def _measured(self, recordings: _Labelled, others: Sequence[Path]) -> tuple[tuple[int, int], _Labelled]:
        """The size that the recordings of the split say, and those that say it; another is an error."""
        faults: list[Exception] = []
        sizes: dict[Path, tuple[int, int]] = {}
        for path in [path for path, _ in recordings] + list(others):
            try:
                about = path.stat()
                sizes[path] = _size_of(path, self.format, about.st_size, about.st_mtime_ns)
            except (ValueError, OSError) as error:
                faults += [error] if path not in others else []  # which its own split tells
        usual = Counter(sizes.values()).most_common(1)[0][0] if sizes else None
        for path, size in sizes.items():
            if usual is not None and size != usual:
                like = next(other for other, each in sizes.items() if each == usual)
                faults.append(
                    ValueError(
                        f"{_NAME}: {path}: height and width of its sensor are {size[0]},{size[1]}, and those of {like} "
                        f"{usual[0]},{usual[1]}; take it out, or give a size that holds all with size=HEIGHT,WIDTH"
                    )
                )
        tell(faults)
        if usual is None:
            raise ValueError(f"{_NAME}: {self.folder.absolute()}: no recording of {self.split!r} can be opened")
        return usual, [each for each in recordings if sizes.get(each[0]) == usual]


def _divided(
    splits: dict[str, _Labelled], shares: dict[str, float], seed: int
) -> tuple[dict[str, _Labelled], dict[str, float]]:
    """All three splits, and the shares of those that were taken out of training."""
    drawn: dict[str, float] = {}
    training = splits.pop("all", None) or splits["train"]
    for number, (name, share) in enumerate(shares.items()):
        if name not in splits:
            labels = np.array([label for _, label in training], np.int64)
            # of what the test split leaves, so that both shares are of all
            out = taken_out(labels, share / (1 - sum(drawn.values())), "random", [seed, number])
            splits[name] = [training[place] for place in np.flatnonzero(out).tolist()]
            training = [training[place] for place in np.flatnonzero(~out).tolist()]
            drawn[name] = share
    return splits | {"train": training}, drawn


def _drawn(share: float, seed: int) -> str:
    return f"a share of {share:g} of each class, drawn by seed {seed}"


def _is_recording(path: Path) -> bool:
    try:
        recognise(path)
    except (ValueError, OSError):
        return False
    return True


# the splits are made one after the other, and look at each other's recordings
@functools.lru_cache(maxsize=1 << 16)
def _size_of(path: Path, format: str | None, length: int, changed: int) -> tuple[int, int]:
    """Height and width of the sensor of a recording; length and time of change tell whether it is the same file.

    Raises:
        EventFileError: if it is no recording, or does not say.
    """
    try:
        with open_events(path, format=format) as file:
            size = file.size
    except EventFileError as error:
        if is_archive(path):
            raise EventFileError(path, "is packed; unpack it, and take the archive away") from None
        if isinstance(error, UnknownFormatError):
            deeper = ", and recordings lie in the folder of their class itself" if path.is_dir() else ""
            raise EventFileError(
                path,
                f"lies in the folder of a class and is no event file of a known format{deeper}; take it away, or say "
                "how recordings are named, such as pattern=*.raw",
            ) from None
        raise
    if size is None:
        raise EventFileError(path, "does not say how large the sensor is; give it with size=HEIGHT,WIDTH")
    return size

"""Recordings in one file each, in one folder for each class: how most sets of event recordings are published."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from spikelab.datasets.cache import published_folder
from spikelab.datasets.event_recordings.recording_splits import check_share, taken_out
from spikelab.datasets.event_recordings.samples import EventRecordings, Slicing, Values
from spikelab.datasets.recording_files import RecordingFile, find_recordings, recording_files
from spikelab.events import EventArray


class FilesByClass(EventRecordings):
    """Recordings in folders of classes, unpacked or in zip archives.

    A subclass sets the class variables below. A validation split is taken out of the training recordings, as nobody
    publishes one: of each class a share, chosen by `seed`. Classes, and how many recordings they have, are found in the
    folder, so that whole sets and parts of them are read alike.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        folder: holds the files as they are published, unpacked or in their zip archives; None takes
            ``$SPIKELAB_SHARED/data/<name of the data set>``.
        validation: share of each class's training recordings that the validation split takes; 0 leaves all in training.
        time_bins: pictures of a sample.
        window: microseconds that a sample shows, see `EventRecordings`; ``"usual"`` takes what suits the data set.
        slicing: see `EventRecordings`.
        values: see `EventRecordings`.
        reduce: see `EventRecordings`.
        shift: see `EventRecordings`.
        flip: see `EventRecordings`.
        drop: see `EventRecordings`.
        seed: of the choice for validation, and of the random changes.

    Attributes:
        files: of the split, in the order of the samples.
        origin: a sentence on where the splits come from, and how many recordings each has.

    Raises:
        FileNotFoundError: if there is no folder, or no recording in it.
        ValueError: if there is no such split, it is empty, a recording lies in no folder of a class, is there twice, or
            an argument is out of range.
        EventFileError: when a recording cannot be read.
    """

    home: ClassVar[str]
    """Name of the data set, and of the folder under ``$SPIKELAB_SHARED/data``."""
    pattern: ClassVar[str]
    """Of the files' names."""
    source: ClassVar[str]
    """Where to get the data set, and which files of it; part of a message."""
    usual_window: ClassVar[int | None] = None
    """Microseconds of ``window="usual"``."""
    format: ClassVar[str | None] = None
    """Of the files, a key of the table ``event_formats``; None finds out for each."""

    def __init__(
        self,
        split: str,
        *,
        folder: str | Path | None = None,
        validation: float = 0.1,
        time_bins: int = 10,
        window: int | Literal["usual"] | None = "usual",
        slicing: Slicing = "time",
        values: Values = "counts",
        reduce: int = 1,
        shift: int = 0,
        flip: float = 0.0,
        drop: float = 0.0,
        seed: int = 0,
    ):
        if isinstance(window, str) and window != "usual":
            raise ValueError(f"{self.home}: window is {window!r}, must be microseconds, None, or 'usual'")
        super().__init__(
            self.home, split, time_bins=time_bins, window=self.usual_window if window == "usual" else window,
            slicing=slicing, values=values, reduce=reduce, shift=shift, flip=flip, drop=drop, seed=seed,
        )  # fmt: skip
        check_share(self.home, "validation", validation)
        self.folder = published_folder(self.home) if folder is None else Path(folder).expanduser()
        splits = self._splits(self._found())
        files, labels = splits["train"]
        out = taken_out(labels, validation, "random", [seed, 1])
        splits["train"] = chosen(files, labels, ~out)
        splits["validation"] = chosen(files, labels, out)
        self.files, self.labels = splits[split]
        counts = ", ".join(f"{len(splits[each][0])} {each}" for each in ("train", "validation", "test"))
        self.origin = (
            f"{self.where_test_is_from}; validation is a share of {validation:g} of each class's training recordings, "
            f"drawn by seed {seed}: {counts} recordings of {len(self.class_names)} classes"
        )
        if not self.files:
            raise ValueError(f"{self.home}: {self.folder.absolute()} leaves no recording for {split!r} ({self.origin})")

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        """Whether a folder holds such recordings, unpacked or in an archive."""
        try:
            return any(cls._is_one(file) for file in find_recordings(cls.home, folder, cls.pattern))
        except ValueError:  # an archive that cannot be read may be of anything
            return False

    @classmethod
    def is_recording(cls, file: RecordingFile) -> bool:
        """Whether a file whose name fits is a recording; others of such a name may lie beside."""
        return True

    @classmethod
    def _is_one(cls, file: RecordingFile) -> bool:
        return (
            cls.is_recording(file)
            and bool(file.folders)
            and (not cls.class_names or file.folders[-1] in cls.class_names)
        )

    def recording(self, index: int) -> EventArray:
        """See `EventRecordings.recording`."""
        events, _ = self.files[index].read(size=(self.height, self.width), format=self.format)
        return events

    @property
    @abstractmethod
    def where_test_is_from(self) -> str:
        """Half a sentence."""

    @classmethod
    @abstractmethod
    def part_of(cls, file: RecordingFile) -> str | None:
        """The published part that a file belongs to: ``"train"``, ``"test"``, ``"all"``; None if nothing says."""

    @abstractmethod
    def _splits(self, found: Mapping[str, Labelled]) -> dict[str, Labelled]:
        """Training and test recordings, out of the published parts."""

    def _found(self) -> dict[str, Labelled]:
        """Files and labels of each published part, by class and name."""
        files = [
            file
            for file in recording_files(self.home, self.folder, self.pattern, self.source)
            if self.is_recording(file)
        ]
        if not self.class_names:
            self.class_names = tuple(sorted({file.folders[-1] for file in files if file.folders}))
        numbers = {name: label for label, name in enumerate(self.class_names)}
        parts: dict[str, dict[tuple[int, str], RecordingFile]] = {}
        for file in files:
            part, label = self.part_of(file), numbers.get(file.folders[-1] if file.folders else "")
            if part is None or label is None:
                raise ValueError(f"{self.home}: {file} lies in no folder of {self._expected(part)}. {self.source}")
            known = parts.setdefault(part, {}).setdefault((label, file.name), file)
            # unpacked files come first, and the archive that they are from may lie beside them
            if known is not file and (file.archive is None or known.archive is not None):
                raise ValueError(f"{self.home}: {known} and {file} are the same recording; leave one of them there")
        return {
            part: ([found[key] for key in sorted(found)], np.array([label for label, _ in sorted(found)], np.int64))
            for part, found in parts.items()
        }

    def _expected(self, part: str | None) -> str:
        return "training or test recordings" if part is None else f"a class ({', '.join(self.class_names)})"


Labelled = tuple[Sequence[RecordingFile], npt.NDArray[np.int64]]
"""Recordings in the order of their classes and names, and their labels `[N]`."""


def chosen(files: Sequence[RecordingFile], labels: npt.NDArray[np.int64], which: npt.NDArray[np.bool_]) -> Labelled:
    """Those recordings of which a mask `[N]` is true."""
    return [files[place] for place in np.flatnonzero(which).tolist()], labels[which]

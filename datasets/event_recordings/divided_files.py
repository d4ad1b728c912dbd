"""Recordings in folders of classes, with an official split and without."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, get_args

from spikelab.datasets.event_recordings.files_by_class import FilesByClass, Labelled, chosen
from spikelab.datasets.event_recordings.recording_splits import Drawn, check_share, taken_out
from spikelab.datasets.event_recordings.samples import Slicing, Values
from spikelab.datasets.recording_files import RecordingFile, missing


class DividedFilesByClass(FilesByClass):
    """Sets that are published as training and test recordings; takes the options of `FilesByClass`."""

    part_folders: ClassVar[Mapping[str, str]]
    """Name of a folder, in lower case -> ``"train"`` or ``"test"``."""

    @property
    def where_test_is_from(self) -> str:
        """Half a sentence."""
        return "training and test recordings as published"

    @classmethod
    def part_of(cls, file: RecordingFile) -> str | None:
        """See `FilesByClass.part_of`."""
        named = [cls.part_folders[each.lower()] for each in file.folders[:-1] if each.lower() in cls.part_folders]
        return named[-1] if named else None

    @classmethod
    def _is_one(cls, file: RecordingFile) -> bool:
        return super()._is_one(file) and cls.part_of(file) is not None

    def _splits(self, found: Mapping[str, Labelled]) -> dict[str, Labelled]:
        if absent := [part for part in ("train", "test") if part not in found]:
            what = f"holds no recordings for {' and '.join(absent)}"
            raise FileNotFoundError(missing(self.home, self.folder, what, self.source))
        return dict(found)


class UndividedFilesByClass(FilesByClass):
    """Sets without an official split; takes the options of `FilesByClass` and two more.

    Args:
        test: share of each class's recordings that the test split takes; None takes what the literature does.
        drawn: ``"last"`` takes the last ones of each class in the order of their names, ``"random"`` any, by `seed`;
            None takes what the literature does.
    """

    usual_test: ClassVar[float]
    usual_drawn: ClassVar[Drawn]
    usual_is_from: ClassVar[str]
    """Who divides the set so."""

    def __init__(
        self,
        split: str,
        *,
        folder: str | Path | None = None,
        test: float | None = None,
        drawn: Drawn | None = None,
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
        self.test = self.usual_test if test is None else test
        self.drawn: Drawn = self.usual_drawn if drawn is None else drawn
        check_share(self.home, "test", self.test)
        if self.drawn not in get_args(Drawn):
            raise ValueError(f"{self.home}: drawn is {drawn!r}, must be one of {', '.join(get_args(Drawn))}")
        super().__init__(
            split, folder=folder, validation=validation, time_bins=time_bins, window=window, slicing=slicing,
            values=values, reduce=reduce, shift=shift, flip=flip, drop=drop, seed=seed,
        )  # fmt: skip

    @property
    def where_test_is_from(self) -> str:
        """Half a sentence."""
        how = "the last in the order of their names" if self.drawn == "last" else f"drawn by seed {self.seed}"
        usual = (self.test, self.drawn) == (self.usual_test, self.usual_drawn)
        who = f", {self.usual_is_from}" if usual else ""
        return f"no official split; test is a share of {self.test:g} of each class's recordings, {how}{who}"

    @classmethod
    def part_of(cls, file: RecordingFile) -> str | None:
        """See `FilesByClass.part_of`."""
        return "all"

    def _splits(self, found: Mapping[str, Labelled]) -> dict[str, Labelled]:
        files, labels = found["all"]
        out = taken_out(labels, self.test, self.drawn, [self.seed, 0])
        return {"train": chosen(files, labels, ~out), "test": chosen(files, labels, out)}

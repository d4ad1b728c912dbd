"""What the two Heidelberg spiking data sets have in common: their files, and what is refused of them.

See `spikelab.datasets.spike_trains.heidelberg` for the sets and where they are from.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Literal

import h5py
import numpy as np
import numpy.typing as npt

from spikelab.datasets.cache import published_folder
from spikelab.datasets.event_recordings.samples import Slicing, Values
from spikelab.datasets.recording_files import missing
from spikelab.datasets.spike_trains.samples import SpikeTrains
from spikelab.events import EventArray
from spikelab.events.files import EventFileError

CHANNELS = 700
_LONGEST = 60.0
"""Seconds; words are of about one, and a larger time is of another unit."""
_LOOKED_AT = 8
"""Recordings whose times are looked at when a file is opened."""


class HeidelbergSpikes(SpikeTrains):
    """What SHD and SSC have in common.

    Labels and the times of a few recordings are read when a file is opened, all else when it is asked for.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        folder: holds the unpacked HDF5 files; None takes ``$SPIKELAB_SHARED/data/<name of the data set>``.
        time_bins: steps of a sample.
        window: microseconds that a sample shows, from the beginning of the sound, see `SpikeTrains`; ``"usual"`` is 1.4
            seconds for SHD and one second for SSC, which all words but a few fit into.
        slicing: see `SpikeTrains`.
        values: see `SpikeTrains`.
        reduce: see `SpikeTrains`.
        shift: see `SpikeTrains`.
        drop: see `SpikeTrains`.
        seed: of the random changes.

    Attributes:
        path: of the HDF5 file of the split.
        origin: a sentence on where the splits come from.

    Raises:
        FileNotFoundError: if the folder or a file in it is missing.
        ValueError: if there is no such split, it is empty, or an argument is out of range.
        EventFileError: if a file is damaged or holds something else.
    """

    home: ClassVar[str]
    """Name of the data set, of the folder under ``$SPIKELAB_SHARED/data``, and the beginning of its files' names."""
    usual_window: ClassVar[int]
    """Microseconds of ``window="usual"``."""
    origin: str

    def __init__(
        self,
        split: str,
        *,
        folder: str | Path | None = None,
        time_bins: int = 100,
        window: int | Literal["usual"] | None = "usual",
        slicing: Slicing = "time",
        values: Values = "counts",
        reduce: int = 1,
        shift: int = 0,
        drop: float = 0.0,
        seed: int = 0,
    ):
        if isinstance(window, str) and window != "usual":
            raise ValueError(f"{self.home}: window is {window!r}, must be microseconds, None, or 'usual'")
        super().__init__(
            self.home, split, channels=CHANNELS, time_bins=time_bins,
            window=self.usual_window if window == "usual" else window, slicing=slicing, values=values, reduce=reduce,
            shift=shift, drop=drop, seed=seed,
        )  # fmt: skip
        self.folder = published_folder(self.home) if folder is None else Path(folder).expanduser()
        self.path = self._find(self._part(split))
        self._file: tuple[int, h5py.File] | None = None
        labels = np.asarray(self._list("labels")).astype(np.int64)
        for name in ("spikes/times", "spikes/units"):
            if len(self._list(name)) != len(labels):
                raise EventFileError(
                    self.path, f"{name} has {len(self._list(name))} entries, and labels {len(labels)}; fetch it again"
                )
        self.class_names = tuple(bytes(name).decode() for name in self._list("extra/keys"))
        wrong = np.flatnonzero(labels >= len(self.class_names))
        if wrong.size:
            raise EventFileError(
                self.path, f"label {wrong[0]} is {labels[wrong[0]]}, and extra/keys names {len(self.class_names)}"
            )
        self._refuse_other_words()
        for place in range(min(_LOOKED_AT, len(labels))):
            self._seconds(place)
        self._places = np.flatnonzero(self._taken(split, len(labels)))
        self.labels = labels[self._places]
        if not len(self.labels):
            raise ValueError(f"{self.home}: {self.path} leaves no recording for {split!r} ({self.origin})")

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        """Whether a folder holds files of this data set, by their names."""
        return any(any(folder.glob(f"{cls.home}_*.h5{packed}")) for packed in ("", ".zip", ".gz"))

    def recording(self, index: int) -> EventArray:
        """See `EventRecordings.recording`."""
        place = int(self._places[index])
        seconds, units = self._seconds(place), self._row("units", place)
        if len(units) != len(seconds) or not (np.isfinite(seconds) & (seconds >= 0)).all():
            raise EventFileError(
                self.path, f"recording {place} has {len(seconds)} times of {len(units)} spikes, or times that are none"
            )
        t = np.rint(seconds * 1e6).astype(np.int64)
        try:
            return EventArray.from_unsorted(units, np.zeros_like(t), t, np.ones_like(t), CHANNELS, 1)
        except (TypeError, ValueError) as error:
            raise EventFileError(self.path, f"recording {place}: {error}") from None

    def _row(self, name: str, place: int) -> npt.NDArray[Any]:
        try:
            return np.asarray(self._list(f"spikes/{name}")[place])
        except (OSError, RuntimeError) as error:
            raise EventFileError(self.path, f"recording {place} cannot be read ({error}); fetch it again") from error

    def _seconds(self, place: int) -> npt.NDArray[np.float64]:
        """Times of a recording's spikes; stored as small floats, they have steps of half a millisecond and more."""
        seconds = self._row("times", place).astype(np.float64)
        if seconds.size and _LONGEST < (last := float(seconds.max())) < np.inf:
            unit = "milliseconds" if last < 1000 * _LONGEST else "microseconds"
            raise EventFileError(
                self.path,
                f"recording {place} has times up to {last:.4g}; seconds are expected, of words of about one. Are these "
                f"{unit}? Fetch the file again, or write spikes/times anew in seconds",
            )
        return seconds

    def _refuse_other_words(self) -> None:
        """The files of a set name the same classes; one of another set under this name does not."""
        for other in sorted(self.folder.glob(f"{self.home}_*.h5")):
            try:
                with h5py.File(other, "r") as file:
                    words = tuple(bytes(name).decode() for name in file["extra/keys"])
            except (OSError, KeyError, TypeError, ValueError):
                continue  # it is told when its own split is opened
            if words != self.class_names:
                differing = sorted(set(words) ^ set(self.class_names)) or list(words)
                raise EventFileError(
                    self.path,
                    f"names other words than {other.name} ({', '.join(differing[:4])} ...); one of them is no file of "
                    f"{self.home.upper()}: unpack or fetch it again",
                )

    @abstractmethod
    def _part(self, split: str) -> str:
        """The end of the file's name for a split."""

    @abstractmethod
    def _taken(self, split: str, count: int) -> npt.NDArray[np.bool_]:
        """Which of a file's recordings belong to the split, `[count]`."""

    def _find(self, part: str) -> Path:
        path = self.folder / f"{self.home}_{part}.h5"
        if path.is_file():
            return path
        packed = [
            each.name for each in (path.with_name(f"{path.name}{end}") for end in (".zip", ".gz")) if each.exists()
        ]
        what = f"has no {path.name}" + (f"; unpack {packed[0]}" if packed else "")
        source = f"It is {path.name}.zip of zenkelab.org/datasets, unpacked"
        raise FileNotFoundError(
            missing(self.home, self.folder, what if self.folder.is_dir() else "is no folder", source)
        )

    def _list(self, name: str) -> Any:
        # an open file is no use to a forked process
        if self._file is None or self._file[0] != os.getpid():
            try:
                self._file = (os.getpid(), h5py.File(self.path, "r"))
            except OSError as error:
                raise EventFileError(
                    self.path, f"is no HDF5 file, or is cut short ({error}); unpack or fetch it again"
                ) from error
        found = self._file[1].get(name)
        if not isinstance(found, h5py.Dataset):
            raise EventFileError(
                self.path, f"holds no list {name!r}; it is no file of the Heidelberg spiking data sets"
            )
        return found

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None}

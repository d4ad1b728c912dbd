"""The Heidelberg spiking data sets: spoken words as spikes of a model of the inner ear.

Cramer, Stradmann, Schemmel, Zenke 2020, "The Heidelberg spiking data sets for the systematic evaluation of spiking
neural networks", IEEE Transactions on Neural Networks and Learning Systems. 700 channels, words of about a second.

SHD has the digits 0 to 9 in German and English: 8,156 words of ten people to learn from, and 2,264 to be judged by, of
these people and of two more. SSC has 35 words of Speech Commands: 75,466 to learn from, 9,981 for validation and 20,382
to be judged by.

Published at zenkelab.org/datasets as ``shd_train.h5.zip`` and so on; unpacked, each is an HDF5 file with the lists
``spikes/times`` (seconds), ``spikes/units``, ``labels``, and ``extra/keys``, the names of the classes.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
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


class HeidelbergSpikes(SpikeTrains):
    """What SHD and SSC have in common; nothing but the labels is read before it is asked for.

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
        try:
            times, units = (np.asarray(self._list(f"spikes/{name}")[place]) for name in ("times", "units"))
        except (OSError, RuntimeError) as error:
            raise EventFileError(self.path, f"recording {place} cannot be read ({error}); fetch it again") from error
        # as small floats, times have steps of half a millisecond and more
        seconds = times.astype(np.float64)
        if len(units) != len(seconds) or not (np.isfinite(seconds) & (seconds >= 0)).all():
            raise EventFileError(
                self.path, f"recording {place} has {len(seconds)} times of {len(units)} spikes, or times that are none"
            )
        t = np.rint(seconds * 1e6).astype(np.int64)
        try:
            return EventArray.from_unsorted(units, np.zeros_like(t), t, np.ones_like(t), CHANNELS, 1)
        except (TypeError, ValueError) as error:
            raise EventFileError(self.path, f"recording {place}: {error}") from None

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


class SHD(HeidelbergSpikes):
    """Spoken digits of two languages, 20 classes; takes the options of `HeidelbergSpikes` and one more.

    There is no official validation split; it is the words of some of the people of the training file.

    Args:
        validation_speakers: people of the training file whose words are for validation; an empty list leaves all in
            training, as in papers without a validation split. None takes the last fifth of them (10 and 11).
    """

    home = "shd"
    usual_window = 1_400_000

    def __init__(
        self,
        split: str,
        *,
        folder: str | Path | None = None,
        validation_speakers: Sequence[int] | None = None,
        time_bins: int = 100,
        window: int | Literal["usual"] | None = "usual",
        slicing: Slicing = "time",
        values: Values = "counts",
        reduce: int = 1,
        shift: int = 0,
        drop: float = 0.0,
        seed: int = 0,
    ):
        self._validation_speakers = validation_speakers
        super().__init__(
            split, folder=folder, time_bins=time_bins, window=window, slicing=slicing, values=values, reduce=reduce,
            shift=shift, drop=drop, seed=seed,
        )  # fmt: skip

    def _part(self, split: str) -> str:
        return "test" if split == "test" else "train"

    def _taken(self, split: str, count: int) -> npt.NDArray[np.bool_]:
        speakers = np.asarray(self._list("extra/speaker")).astype(np.int64)
        if len(speakers) != count:
            raise EventFileError(self.path, f"extra/speaker has {len(speakers)} entries, and labels {count}")
        self.origin = "test words as published"
        self.speakers = speakers
        """Number of the person of each sample, int64 `[N]`."""
        if split == "test":
            return np.ones(count, np.bool_)
        known = np.unique(speakers).tolist()
        given = self._validation_speakers
        chosen = known[len(known) - len(known) // 5 :] if given is None else sorted(set(given))
        if absent := set(chosen) - set(known):
            raise ValueError(
                f"shd: validation_speakers names {', '.join(map(str, sorted(absent)))}, and {self.path} has the "
                f"speakers {', '.join(map(str, known))}"
            )
        self.origin += (
            f"; validation is the speakers {', '.join(map(str, chosen)) or 'none'} of the training file, which has no "
            "official one"
        )
        taken = np.isin(speakers, chosen) == (split == "validation")
        self.speakers = speakers[taken]
        return taken


class SSC(HeidelbergSpikes):
    """35 spoken words, in the official splits; takes the options of `HeidelbergSpikes`."""

    home = "ssc"
    usual_window = 1_000_000
    origin = "training, validation and test words as published"

    def _part(self, split: str) -> str:
        return "valid" if split == "validation" else split

    def _taken(self, split: str, count: int) -> npt.NDArray[np.bool_]:
        return np.ones(count, np.bool_)

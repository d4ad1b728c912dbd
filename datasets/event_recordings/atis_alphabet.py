"""Letters and digits before a real event camera: 36 characters printed on a turning barrel.

The "letters and digits" recording of Orchard et al. 2015 (HFirst, IEEE TPAMI), an ATIS camera, in the stabilised crops
of 32 x 32 pixels that HOTS was tried on (Lagorce et al. 2017, IEEE TPAMI): one MATLAB file with a cell for each pass of
a character. The first pass of each character is for training and the second for testing, as in HOTS; third passes, of
which there are a few, are for validation.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from spikelab.datasets.cache import published_folder
from spikelab.datasets.event_recordings.samples import EventRecordings, Slicing, Values
from spikelab.events import EventArray
from spikelab.events.files import open_events

_PASSES = {"train": 0, "test": 1, "validation": 2}


class AtisAlphabet(EventRecordings):
    """36 classes, 0 to 9 and A to Z; one recording of 98 to 140 ms of each to learn from, another to be judged by.

    Args:
        split: ``"train"`` (first pass of each character), ``"test"`` (second) or ``"validation"`` (third, where there
            is one: some classes only).
        folder: holds one ``.mat`` file with a recording in each cell and ``labels.json``, the list of their characters;
            None takes ``$SPIKELAB_SHARED/data/atis_alphabet``.
        repeats: samples of each training recording in an epoch, each changed anew.
        time_bins: pictures of a sample.
        window: microseconds that a sample shows, see `EventRecordings`.
        slicing: see `EventRecordings`.
        values: see `EventRecordings`.
        reduce: see `EventRecordings`.
        shift: see `EventRecordings`.
        flip: see `EventRecordings`; letters have a left and a right, so it is 0.
        drop: see `EventRecordings`.
        seed: of the random changes.

    Raises:
        FileNotFoundError: if the folder or a file in it is missing.
        ValueError: if there are not as many labels as recordings, a label is no text, or an argument is out of range.
        EventFileError: if the recordings cannot be read.
    """

    def __init__(
        self,
        split: str,
        *,
        folder: str | Path | None = None,
        repeats: int = 16,
        time_bins: int = 16,
        window: int | None = 80_000,
        slicing: Slicing = "time",
        values: Values = "log",
        reduce: int = 1,
        shift: int = 2,
        flip: float = 0.0,
        drop: float = 0.3,
        seed: int = 0,
    ):
        super().__init__(
            "atis_alphabet", split, time_bins=time_bins, window=window, slicing=slicing, values=values, reduce=reduce,
            shift=shift, flip=flip, drop=drop, seed=seed,
        )  # fmt: skip
        if repeats < 1:
            raise ValueError(f"atis_alphabet: repeats is {repeats}, must be at least 1")
        self.folder = published_folder("atis_alphabet") if folder is None else Path(folder).expanduser()
        self.path, characters = self._files()
        with open_events(self.path, stream="0") as file:
            if len(file.streams) != len(characters):
                raise ValueError(
                    f"atis_alphabet: {self.folder}/labels.json has {len(characters)} labels, and {len(file.streams)} "
                    f"recordings are in {self.path.name}; each needs one"
                )
        self.class_names = tuple(sorted(set(characters)))
        self.height = self.width = 32
        passes: dict[str, list[int]] = {name: [] for name in self.class_names}
        for place, name in enumerate(characters):
            passes[name].append(place)
        which = _PASSES[split]
        places = [places[which] for places in passes.values() if len(places) > which]
        if not places:
            raise ValueError(f"atis_alphabet: {self.folder}: no character has {which + 1} recordings for {split!r}")
        self._places = places * (repeats if split == "train" else 1)
        self.labels = np.array([self.class_names.index(characters[place]) for place in self._places], np.int64)
        self._read: dict[int, EventArray] = {}

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Whether a folder holds such recordings and their labels."""
        return (folder / "labels.json").is_file() and any(folder.glob("*.mat"))

    def recording(self, index: int) -> EventArray:
        """See `EventRecordings.recording`."""
        place = self._places[index]
        if place not in self._read:
            with open_events(self.path, stream=str(place), size=(self.height, self.width)) as file:
                self._read[place] = file.read()
        return self._read[place]

    def _files(self) -> tuple[Path, list[str]]:
        paths = sorted(self.folder.glob("*.mat")) if self.folder.is_dir() else []
        labels = self.folder / "labels.json"
        if len(paths) != 1 or not labels.is_file():
            found = (
                ", ".join(path.name for path in sorted(self.folder.iterdir())) if self.folder.is_dir() else "no folder"
            )
            raise FileNotFoundError(
                f"atis_alphabet: {self.folder.absolute()} must hold one .mat file and labels.json, found: {found}; the "
                "recording is Data/alphabet_ExtractedStabilized.mat of github.com/SpikeAI/HOTS; name its folder with "
                "the option folder, or set SPIKELAB_SHARED to the folder that holds data/atis_alphabet"
            )
        try:
            characters = json.loads(labels.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"atis_alphabet: {labels} is no JSON ({error})") from error
        if not isinstance(characters, list) or not all(isinstance(name, str) and name for name in characters):
            raise ValueError(f"atis_alphabet: {labels} must be a list of characters, one for each recording")
        return paths[0], characters

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

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from spikelab.datasets.event_recordings.samples import Slicing, Values
from spikelab.datasets.spike_trains.heidelberg_files import HeidelbergSpikes
from spikelab.events.files import EventFileError


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

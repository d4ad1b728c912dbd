"""Spoken digits, turned into spikes by a model of the cochlea.

The Free Spoken Digit Dataset (Jackson and others, github.com/Jakobovski/free-spoken-digit-dataset): English digits, 8
kHz, called ``<digit>_<speaker>_<number>.wav``. Its authors test with the lowest numbers of each speaker and digit; who
wants to know how a network fares with people it has never heard keeps speakers apart.
"""

from __future__ import annotations

import io
import re
import wave
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from spikelab.datasets.cache import published_folder
from spikelab.datasets.event_recordings.samples import Slicing, Values
from spikelab.datasets.spike_trains.samples import SpikeTrains
from spikelab.datasets.spike_trains.sound_variations import SoundVariations
from spikelab.events import EventArray
from spikelab.events.cochlea import Cochlea

SplitBy = Literal["speaker", "recording"]


class _Word(NamedTuple):
    """One recording: where it is, and what its name says."""

    digit: int
    speaker: str
    number: int
    file: Path
    member: str | None  # of a zip archive


class SpokenDigits(SpikeTrains):
    """The words zero to nine.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        folder: holds the wav files, or zip archives of them; None takes ``$SPIKELAB_SHARED/data/fsdd_speech``.
        split_by: ``"speaker"``: the test split is by people of whom nothing is heard in training. ``"recording"``: the
            test split has the lowest `test_recordings` numbers of each speaker and digit, as its authors do.
        test_speakers: names of those of the test split; None takes the last of the alphabet.
        test_recordings: numbers of each speaker and digit that are for testing, for `split_by` ``"recording"``.
        validation_recordings: numbers of each speaker and digit that are for validation: the lowest of what is not for
            testing.
        channels: of the cochlea.
        emphasis: of the cochlea, in Hz, see `Cochlea`.
        time_bins: steps of a sample.
        window: microseconds that a sample shows, see `SpikeTrains`.
        slicing: see `SpikeTrains`.
        values: see `SpikeTrains`.
        reduce: see `SpikeTrains`.
        shift: see `SpikeTrains`; about what separates long and short throats.
        drop: see `SpikeTrains`.
        variations: how many other ways of saying it each word for training has besides its own, see `SoundVariations`;
            an epoch shows one of them all. They are made when first asked for, and kept.
        pitch: of `SoundVariations`; as are the following.
        throat: of `SoundVariations`.
        tempo: of `SoundVariations`.
        equaliser: of `SoundVariations`.
        noise: of `SoundVariations`.
        trim: of `SoundVariations`.
        seed: of the random changes.

    Attributes:
        speakers: of each sample.
        origin: a sentence on where the splits come from.

    Raises:
        FileNotFoundError: if the folder is missing or holds no such files.
        ValueError: if a file is no wav file, a speaker is unknown, a split is empty, or an argument is out of range.
    """

    class_names = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")

    def __init__(
        self,
        split: str,
        *,
        folder: str | Path | None = None,
        split_by: SplitBy = "speaker",
        test_speakers: Sequence[str] | None = None,
        test_recordings: int = 2,
        validation_recordings: int = 1,
        channels: int = 64,
        emphasis: float | None = None,
        time_bins: int = 50,
        window: int | None = 1_000_000,
        slicing: Slicing = "time",
        values: Values = "log",
        reduce: int = 1,
        shift: int = 4,
        drop: float = 0.3,
        variations: int = 0,
        pitch: float = 0.25,
        throat: float = 0.18,
        tempo: float = 0.3,
        equaliser: float = 5.0,
        noise: float | None = 15.0,
        trim: float = 0.06,
        seed: int = 0,
    ):
        super().__init__(
            "spoken_digits", split, channels=channels, time_bins=time_bins, window=window, slicing=slicing,
            values=values, reduce=reduce, shift=shift, drop=drop, seed=seed,
        )  # fmt: skip
        if split_by not in get_args(SplitBy):
            raise ValueError(f"spoken_digits: split_by is {split_by!r}, must be one of {', '.join(get_args(SplitBy))}")
        for name, value in (("test_recordings", test_recordings), ("validation_recordings", validation_recordings)):
            if value < 1:
                raise ValueError(f"spoken_digits: {name} is {value}, must be at least 1")
        if variations < 0:
            raise ValueError(f"spoken_digits: variations is {variations}, must not be negative")
        self.variations = variations
        self.changes = SoundVariations(pitch, throat, tempo, equaliser, noise, trim)
        self.folder = published_folder("fsdd_speech") if folder is None else Path(folder).expanduser()
        self.cochlea = Cochlea(channels, emphasis=emphasis)
        words = _words(self.folder)
        everyone = sorted({word.speaker for word in words})
        chosen = everyone[-1:] if test_speakers is None else list(test_speakers)
        if unknown := [name for name in chosen if name not in everyone]:
            raise ValueError(
                f"spoken_digits: test_speakers: no {unknown[0]!r} in {self.folder}, but {', '.join(everyone)}"
            )
        if split_by == "speaker":
            tested = {word for word in words if word.speaker in chosen}
            self.origin = f"the test split is by {', '.join(chosen)}, of whom nothing is in the others"
        else:
            tested = _lowest(words, test_recordings)
            self.origin = f"the test split has the lowest {test_recordings} numbers of each speaker and digit"
        others = [word for word in words if word not in tested]
        judged = _lowest(others, validation_recordings)
        parts = {"test": tested, "validation": judged, "train": set(others) - judged}
        self._words = sorted(parts[split], key=lambda word: word[:3])
        if not self._words:
            raise ValueError(
                f"spoken_digits: {self.folder} leaves no recording for the split {split!r}; give smaller "
                "test_recordings or validation_recordings, or fewer test_speakers"
            )
        self.labels = np.array([word.digit for word in self._words], np.int64)
        self.speakers = [word.speaker for word in self._words]
        self._heard: dict[tuple[int, int], EventArray] = {}

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Whether a folder holds such recordings, as files or in an archive."""
        try:
            return bool(_words(folder))
        except FileNotFoundError:
            return False
        except ValueError:  # such files, and something is wrong with them
            return True

    def recording(self, index: int) -> EventArray:
        """See `EventRecordings.recording`: the spikes of the cochlea, from the beginning of the sound."""
        return self._variation(index, 0)

    def _shown(self, index: int, rng: np.random.Generator | None) -> EventArray:
        if rng is None or not self.variations:
            return self.recording(index)
        return self._variation(index, int(rng.integers(self.variations + 1)))

    def _variation(self, index: int, number: int) -> EventArray:
        """The spikes of a word, said as it was (0) or in another way."""
        if (index, number) not in self._heard:
            (sound, rate), faster = _sound(self._words[index]), 1.0
            if number:
                sound, faster = self.changes(sound, rate, np.random.default_rng([self.seed, index, number]))
            self._heard[index, number] = self.cochlea.spikes(sound, rate, faster)
        return self._heard[index, number]


def _words(folder: Path) -> list[_Word]:
    """All recordings of a folder and of the archives in it; other files are passed over."""
    found: list[_Word] = []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if path.suffix.lower() == ".wav":
            found += _named(path.name, path, None)
        elif path.suffix.lower() == ".zip":
            try:
                with zipfile.ZipFile(path) as archive:
                    names = archive.namelist()
            except zipfile.BadZipFile as error:
                raise ValueError(f"spoken_digits: {path} is no whole zip archive ({error}); fetch it again") from None
            for name in sorted(names):
                found += _named(name.rpartition("/")[2], path, name)
    if not found:
        raise FileNotFoundError(
            f"spoken_digits: {folder.absolute()} holds no <digit>_<speaker>_<number>.wav; get them from "
            "github.com/Jakobovski/free-spoken-digit-dataset (recordings/), as files or as a zip archive, and name "
            "their folder with the option folder, or set SPIKELAB_SHARED to the folder that holds data/fsdd_speech"
        )
    places: dict[tuple[int, str, int], _Word] = {}
    for word in found:
        other = places.setdefault(word[:3], word)
        if other is not word:
            raise ValueError(
                f"spoken_digits: {word.digit}_{word.speaker}_{word.number}.wav is in {other.file} and in {word.file}; "
                "leave one there"
            )
    return found


def _named(name: str, file: Path, member: str | None) -> list[_Word]:
    match = re.fullmatch(r"(\d)_(.+)_(\d+)\.wav", name, re.IGNORECASE)
    return [] if match is None else [_Word(int(match[1]), match[2], int(match[3]), file, member)]


def _lowest(words: Sequence[_Word], count: int) -> set[_Word]:
    """The recordings with the lowest numbers of each speaker and digit."""
    groups: dict[tuple[int, str], list[_Word]] = {}
    for word in words:
        groups.setdefault((word.digit, word.speaker), []).append(word)
    return {word for group in groups.values() for word in sorted(group, key=lambda word: word.number)[:count]}


def _sound(word: _Word) -> tuple[np.ndarray, int]:
    """Samples of one channel, and how many there are a second."""
    where = word.file if word.member is None else f"{word.file}/{word.member}"
    try:
        if word.member is None:
            content = word.file.read_bytes()
        else:
            with zipfile.ZipFile(word.file) as archive:
                content = archive.read(word.member)
        with wave.open(io.BytesIO(content)) as file:
            width, count, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            promised = file.getnframes()
            frames = file.readframes(promised)
    except (wave.Error, EOFError, zipfile.BadZipFile, RuntimeError) as error:
        raise ValueError(f"spoken_digits: {where} is no whole wav file ({error or 'it is cut short'})") from None
    if len(frames) < promised * width * count:
        raise ValueError(
            f"spoken_digits: {where} is cut short: it announces {promised:,} samples and has "
            f"{len(frames) // (width * count):,}; fetch it again"
        )
    if width not in (1, 2, 4):
        raise ValueError(f"spoken_digits: {where} has samples of {width} bytes; 1, 2 and 4 can be read")
    # samples of one byte have no sign
    samples = np.frombuffer(frames, {1: "u1", 2: "<i2", 4: "<i4"}[width])
    wave_of = samples.astype(np.float64) - (128 if width == 1 else 0)
    return wave_of.reshape(-1, count).mean(1), rate

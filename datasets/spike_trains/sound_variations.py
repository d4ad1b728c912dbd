"""Random changes of a spoken word that leave it the same word: other throats, other rooms, other microphones.

Speakers differ in the pitch of their voice, in the length of the throat, which moves the formants (all resonances
alike), and in how fast they talk (Jaitly and Hinton 2013, "Vocal tract length perturbation improves speech
recognition", ICML workshop on deep learning for audio; Ko et al. 2015, "Audio augmentation for speech recognition",
Interspeech). Recordings differ in microphone, noise, and in where a word was cut out.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

Sound = npt.NDArray[np.float64]

FRAME = 0.032
"""Seconds of the pieces of sound whose spectrum is changed: a few periods of a voice."""
LONGEST_RIPPLE = 3.75e-3
"""Seconds. A spectrum's ripples of a shorter period than 1 / this in Hz are harmonics; slower ones are the throat's."""


@dataclasses.dataclass(frozen=True)
class SoundVariations:
    """How far words are changed; 0 leaves a property as it is.

    Attributes:
        pitch: the voice is up to this share higher, or lower, drawn evenly on a logarithmic scale: 0.25 is from
            1 / 1.25 to 1.25.
        throat: formants lie up to this share higher or lower, likewise, whatever the pitch.
        tempo: speech is up to this share faster or slower, likewise.
        equaliser: standard deviation in decibels of the gains at six pitches from 80 Hz to half of the sampling rate,
            evenly spaced on a logarithmic scale; between them they are interpolated.
        noise: decibels by which the loudest noise lies below the word; the faintest is 50 below. Its colour is from
            white to red. None adds none.
        trim: up to this many seconds are cut off at the beginning, and at the end, of every second word; never more
            than a third.

    Raises:
        ValueError: if a value is out of range.
    """

    pitch: float = 0.25
    throat: float = 0.18
    tempo: float = 0.3
    equaliser: float = 5.0
    noise: float | None = 15.0
    trim: float = 0.06

    def __post_init__(self) -> None:
        for name in ("pitch", "throat", "tempo"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"sound variations: {name} = {getattr(self, name)} must be a share from 0 to 1")
        for name, unit in (("equaliser", "dB"), ("trim", "s")):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"sound variations: {name} = {getattr(self, name)} {unit} must be 0 or more")
        if self.noise is not None and not self.noise <= 50:
            raise ValueError(f"sound variations: noise = {self.noise} dB must be 50 or less below the word, or None")

    def __call__(self, sound: npt.ArrayLike, rate: float, rng: np.random.Generator) -> tuple[Sound, float]:
        """Another way to say a word.

        Args:
            sound: `[N]`.
            rate: samples a second.
            rng: source of randomness; the same number of draws of each kind is taken whatever the outcome.

        Returns:
            The sound `[M]`, and how many times faster it has to be played by the ear: pitch was changed by playing it
            faster, and this undoes the change of tempo and makes one of its own. See `Cochlea.spikes`.
        """
        changed = np.asarray(sound, np.float64)
        pitch, throat, tempo = ((1 + most) ** rng.uniform(-1, 1) for most in (self.pitch, self.throat, self.tempo))
        cuts = rng.uniform(0, self.trim * rate, 2) * (rng.random(2) < 0.5)
        gains = rng.normal(0, self.equaliser, 6)
        below, colour = rng.uniform(min(self.noise or 0.0, 50.0), 50), rng.uniform(0, 1)
        if len(changed) < 2:
            return changed, 1.0
        changed = moved_formants(played_faster(changed, pitch), rate, throat / pitch)
        first, last = (min(int(cut), len(changed) // 3) for cut in cuts)
        changed = equalised(changed[first : len(changed) - last], rate, gains)
        if self.noise is not None:
            changed = changed + _noise(changed, rate, colour, rng) * 10 ** (-below / 20)
        return changed, tempo / pitch


def played_faster(sound: Sound, factor: float) -> Sound:
    """A sound `[N]` resampled to `[N / factor]`: pitch and formants rise; beyond half of the rate is nothing."""
    count = max(round(len(sound) / factor), 2)
    if count == len(sound):
        return sound
    return np.asarray(np.fft.irfft(np.fft.rfft(sound)[: count // 2 + 1], count) * (count / len(sound)))


def moved_formants(sound: Sound, rate: float, factor: float) -> Sound:
    """A sound `[N]` whose spectral envelope is stretched along frequency, and whose pitch stays.

    The envelope is what the lowest part of the cepstrum tells (Oppenheim and Schafer 1968, "Homomorphic analysis of
    speech"), piece by piece; pieces overlap by three quarters and are put together again.
    """
    if factor == 1.0:
        return sound
    size = 4 * max(round(FRAME * rate / 4), 2)
    hop, window = size // 4, np.hanning(size + 1)[:-1]
    padded = np.pad(sound, (size, size + -len(sound) % hop))
    starts = np.arange(0, len(padded) - size + 1, hop)
    spectra = np.fft.rfft(padded[starts[:, None] + np.arange(size)] * window, axis=1)
    loudness = np.abs(spectra)
    # a floor, as the logarithm of silence has no bottom
    cepstra = np.fft.irfft(np.log(loudness + 1e-3 * loudness.mean() + 1e-12), size, axis=1)
    kept = min(max(round(LONGEST_RIPPLE * rate), 1), size // 2)
    cepstra[:, kept : size - kept + 1] = 0
    envelopes = np.fft.rfft(cepstra, axis=1).real
    places = np.arange(envelopes.shape[1])
    moved = np.stack([np.interp(places / factor, places, envelope) for envelope in envelopes])
    # no more than 43 dB
    pieces = np.fft.irfft(spectra * np.exp(np.clip(moved - envelopes, -5, 5)), size, axis=1) * window
    out, weight = np.zeros(len(padded)), np.zeros(len(padded))
    for start, piece in zip(starts, pieces, strict=True):
        out[start : start + size] += piece
        weight[start : start + size] += window**2
    return out[size : size + len(sound)] / weight[size : size + len(sound)]


def equalised(sound: Sound, rate: float, decibels: npt.NDArray[np.float64]) -> Sound:
    """A sound `[N]` with other gains `[K]` at K pitches from 80 Hz to half of the rate, as another microphone gives."""
    pitches = np.fft.rfftfreq(len(sound), 1 / rate)
    known = np.geomspace(80, rate / 2, len(decibels))
    gains = np.interp(np.log(np.maximum(pitches, 80)), np.log(known), decibels)
    return np.asarray(np.fft.irfft(np.fft.rfft(sound) * 10 ** (gains / 20), len(sound)))


def _noise(sound: Sound, rate: float, colour: float, rng: np.random.Generator) -> Sound:
    """Noise as loud as a sound; its amplitude falls with the frequency to the power of `colour`."""
    pitches = np.maximum(np.fft.rfftfreq(len(sound), 1 / rate), 50)
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=len(sound))) / pitches**colour, len(sound))
    return np.asarray(noise * np.sqrt(np.mean(sound**2) / np.mean(noise**2)))

"""A cochlea: sound becomes spikes, as in the ear.

Gammatone filters (Patterson et al. 1992, "Complex sounds and auditory images"), whose centres are evenly spaced on the
scale of equivalent rectangular bandwidths (Glasberg and Moore 1990, Hearing Research 47), split the sound into
channels. In each, an inner hair cell passes the half of the wave that bends it to one side, smoothed and compressed
(loudness grows with about the 0.3rd power of intensity), and drives a leaky integrate-and-fire neuron with a
refractory time.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import numpy.typing as npt
from numba import njit

from spikelab.events.array import EventArray


@dataclasses.dataclass(frozen=True)
class Cochlea:
    """What the ear is made of.

    Attributes:
        channels: number of filters and neurons.
        lowest: centre of the first filter in Hz.
        highest: centre of the last filter in Hz.
        compression: exponent of loudness.
        smoothing: time constant of the hair cell in seconds; it cannot follow faster waves.
        tau_mem: membrane time constant of the neurons in seconds.
        gain: how strongly a sound of the mean level drives a neuron whose filter takes all of it, over the threshold 1.
        refractory: seconds after a spike without another.
        emphasis: above this many Hz, the ear passes sound the better the higher it is, by 6 dB an octave. Voices have
            most of their power in low pitches; without it, an s or f beside a vowel drives no neuron. Recognisers of
            speech have 1 - 0.97 / z at 8000 samples a second (Rabiner and Juang 1993, "Fundamentals of speech
            recognition", section 3.3), which is 40 Hz. None passes all pitches alike.

    Raises:
        ValueError: if a value lies outside of its range.
    """

    channels: int = 64
    lowest: float = 80.0
    highest: float = 3600.0
    compression: float = 0.3
    smoothing: float = 1e-3
    tau_mem: float = 5e-3
    gain: float = 3.0
    refractory: float = 1e-3
    emphasis: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.channels <= 65536:
            raise ValueError(f"cochlea: channels = {self.channels} must be from 1 to 65536")
        if not 0 < self.lowest < self.highest < math.inf:
            raise ValueError(
                f"cochlea: lowest = {self.lowest} Hz must be positive and below highest = {self.highest} Hz"
            )
        for name in ("compression", "smoothing", "tau_mem", "gain"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"cochlea: {name} = {getattr(self, name)} must be positive")
        if not 0 <= self.refractory < math.inf:
            raise ValueError(f"cochlea: refractory = {self.refractory} s must be 0 or more")
        if self.emphasis is not None and not 0 < self.emphasis < math.inf:
            raise ValueError(f"cochlea: emphasis = {self.emphasis} Hz must be positive, or None")

    @property
    def centres(self) -> npt.NDArray[np.float64]:
        """Centres of the filters in Hz, `[channels]`, ascending."""
        low, high = (21.4 * math.log10(1 + 0.00437 * f) for f in (self.lowest, self.highest))
        return (10 ** (np.linspace(low, high, self.channels) / 21.4) - 1) / 0.00437

    def drive(self, sound: npt.ArrayLike, rate: float) -> npt.NDArray[np.float64]:
        """What the hair cells pass on.

        Args:
            sound: `[N]`, any real numbers; loudness is judged against its own mean level.
            rate: samples a second; more than twice `highest`.

        Returns:
            `[channels, N]`, not negative.

        Raises:
            ValueError: if the sound is not one-dimensional, holds values that are not finite, or the rate is too low.
        """
        wave = np.asarray(sound, np.float64)
        if wave.ndim != 1 or not np.isfinite(wave).all():
            raise ValueError(f"cochlea: sound of shape {wave.shape} must be [N], finite numbers of one channel")
        if not rate > 2 * self.highest:
            raise ValueError(
                f"cochlea: a sound of {rate} samples a second holds nothing at highest = {self.highest} Hz; give a "
                f"highest below {rate / 2:g} Hz"
            )
        if self.emphasis is not None:
            wave = wave - math.exp(-2 * math.pi * self.emphasis / rate) * np.concatenate([[0.0], wave])[: wave.size]
        level = float(np.sqrt(np.mean(wave**2))) if wave.size else 0.0
        if level == 0.0:
            return np.zeros((self.channels, wave.size))
        filters = _gammatone(tuple(self.centres.tolist()), float(rate))
        length = 1 << max(wave.size + filters.shape[1] - 1, 1).bit_length()
        spectrum = np.fft.rfft(wave / level, length) * np.fft.rfft(filters, length)
        waves = np.fft.irfft(spectrum, length)[:, : wave.size]
        passed = np.maximum(waves, 0.0)
        _smooth(passed, math.exp(-1.0 / (rate * self.smoothing)))
        return passed**self.compression

    def spikes(self, sound: npt.ArrayLike, rate: float, tempo: float = 1.0) -> EventArray:
        """Spikes of all channels.

        Args:
            sound: `[N]`, see `drive`.
            rate: samples a second.
            tempo: how many times faster the neurons are driven than it sounds; as the filters have come before, no
                pitch changes.

        Returns:
            Events of a sensor of one row: x is the channel (0 has the lowest pitch), p is 1, t microseconds.

        Raises:
            ValueError: see `drive`; or if the tempo is not positive.
        """
        if not 0 < tempo < math.inf:
            raise ValueError(f"cochlea: tempo = {tempo} must be positive")
        drive = self.drive(sound, rate)
        rate = rate * tempo
        pause = math.ceil(self.refractory * rate)
        channel, sample = _fire(drive * self.gain, math.exp(-1.0 / (rate * self.tau_mem)), pause)
        order = np.argsort(sample, kind="stable")
        t = np.rint(sample[order] * (1e6 / rate)).astype(np.int64)
        x = channel[order]
        return EventArray(x, np.zeros(len(x), np.uint16), t, np.ones(len(x), np.uint8), self.channels, 1)


@functools.lru_cache(maxsize=8)
def _gammatone(centres: tuple[float, ...], rate: float) -> npt.NDArray[np.float64]:
    """Impulse responses of fourth order, `[channels, taps]`, each with a gain of 1 at its centre."""
    centre = np.array(centres)[:, None]
    bandwidth = 1.019 * 24.7 * (0.00437 * centre + 1)
    # the slowest has died away to a thousandth
    time = np.arange(math.ceil(rate * 2.0 / float(bandwidth.min()))) / rate
    response = time**3 * np.exp(-2 * np.pi * bandwidth * time) * np.cos(2 * np.pi * centre * time)
    gain = np.abs((response * np.exp(-2j * np.pi * centre * time)).sum(1, keepdims=True))
    return np.asarray(response / gain)


@njit(cache=True, nogil=True)
def _smooth(waves, keep):
    for channel in range(waves.shape[0]):
        value = 0.0
        for n in range(waves.shape[1]):
            value = keep * value + (1.0 - keep) * waves[channel, n]
            waves[channel, n] = value


@njit(cache=True, nogil=True)
def _fire(drive, keep, pause):
    """Leaky integrate-and-fire neurons of threshold 1, one for each row; channels and samples of their spikes."""
    channels, samples = [0], [0]  # a first entry tells the type; it is left out at the end
    for channel in range(drive.shape[0]):
        membrane, waiting = 0.0, 0
        for n in range(drive.shape[1]):
            if waiting > 0:
                waiting -= 1
                continue
            membrane = keep * membrane + (1.0 - keep) * drive[channel, n]
            if membrane >= 1.0:
                membrane, waiting = 0.0, pause
                channels.append(channel)
                samples.append(n)
    return np.array(channels)[1:], np.array(samples)[1:]

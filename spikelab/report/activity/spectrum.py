"""Which frequencies the rate of a population has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikelab.report.activity.binning import number_of_bins, population_rate
from spikelab.report.activity.libraries import load_library
from spikelab.report.activity.spike_trains import SpikeTrains

#: Variance of a mean over Hann windows that overlap by half, against as many separate ones: 1 + 2 / 36 (Welch 1967).
_SHARED = 1.056
#: Of a peak where there is none.
_PROBABILITY = 0.01
#: Of a rhythm's harmonics: up to which one the largest density may lie at, by how many times each stands above the
#: density halfway to its neighbours, and how many frequencies apart they must be, so that Hann windows keep them apart.
_HIGHEST_HARMONIC, _PROMINENCE, _APART = 10, 4.0, 4


@dataclass(frozen=True, eq=False)
class RateSpectrum:
    """Power spectrum of the mean rate of a neuron.

    Attributes:
        frequencies: Hz, without 0, float64 [F].
        density: Hz^2 / Hz, one-sided, float64 [F].
        poisson: density of independent Poisson neurons with the same mean rate, 2 rate / size.
        resolution: Hz, between two frequencies.
        segments: how many, half overlapping, were averaged; 1 makes for a rough curve.
        chance: the density over Poisson's that the largest of all frequencies exceeds in one of a hundred recordings of
            independent Poisson neurons.
    """

    frequencies: np.ndarray
    density: np.ndarray
    poisson: float
    resolution: float
    segments: int
    chance: float

    @property
    def peak(self) -> tuple[float, float]:
        """The strongest rhythm: (its base frequency, Hz; the density there over Poisson's); NaN if none beats chance.

        The largest density may lie at a harmonic, as short volleys have strong ones. So the lowest fraction of its
        frequency is taken of which all multiples, up to that frequency, are peaks beyond chance of their own.
        """
        place = int(np.argmax(self.density))
        if not (self.poisson > 0 and self.density[place] > self.chance * self.poisson):
            return float("nan"), float("nan")
        for harmonic in range(_HIGHEST_HARMONIC, 1, -1):
            # frequencies start at one resolution, so place + 1 counts them
            base = (place + 1) / harmonic
            if base >= _APART and all(self._is_peak(base * multiple, base) for multiple in range(1, harmonic + 1)):
                place = self._highest_near(base)
                break
        return float(self.frequencies[place]), float(self.density[place] / self.poisson)

    def _highest_near(self, frequency: float) -> int:
        """Place of the largest density within one resolution of a frequency, in resolutions."""
        near = round(frequency) - 1
        first = max(0, near - 1)
        return first + int(np.argmax(self.density[first : near + 2]))

    def _is_peak(self, frequency: float, base: float) -> bool:
        """Whether the density near a multiple of a base, in resolutions, stands above chance and what lies between."""
        height = self.density[self._highest_near(frequency)]
        below = self.density[max(0, round(frequency - base / 2) - 1)]
        above = self.density[min(self.density.size, round(frequency + base / 2)) - 1]
        return bool(height > self.chance * self.poisson and height > _PROMINENCE * max(below, above))


def rate_spectrum(trains: SpikeTrains, bin: float = 0.001, resolution: float = 2.0) -> RateSpectrum:
    """Power spectrum of the population rate by Welch's method, with Hann windows that overlap by half.

    Args:
        trains: the recording.
        bin: seconds; frequencies reach to 1 / (2 bin).
        resolution: Hz wanted; a recording shorter than its inverse has a coarser one.

    Raises:
        ImportError: if scipy is not installed.
        ValueError: for a recording of fewer than 8 bins.

    Source: Welch 1967, IEEE Transactions on Audio and Electroacoustics 15; computed by ``scipy.signal.welch``.
    """
    bins = number_of_bins(trains, bin, fewest=8)
    if not 0 < resolution <= 1 / (8 * bin):
        raise ValueError(
            f"resolution = {resolution:g} Hz must lie above 0 and up to 1 / (8 bins) = {1 / (8 * bin):g} Hz"
        )
    length = min(bins, round(1 / (resolution * bin)))
    rate = population_rate(trains, bin) if trains.size else np.zeros(bins)
    welch = load_library("scipy.signal").welch
    frequencies, density = welch(rate, fs=1 / bin, nperseg=length, window="hann", detrend="constant")
    poisson = 2 * float(rate.mean()) / max(1, trains.size)
    segments = 1 + (bins - length) // (length - length // 2)
    # a mean of independent exponentials; neighbouring Hann windows share a little, which widens it as fewer would
    freedom = 2 * max(1.0, segments / _SHARED)
    chance = load_library("scipy.special").chdtri(freedom, _PROBABILITY / frequencies.size) / freedom
    return RateSpectrum(frequencies[1:], density[1:], poisson, 1 / (length * bin), segments, float(chance))

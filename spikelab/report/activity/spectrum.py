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
        """(frequency of the largest density, Hz; that density over Poisson's); NaN where it is no more than chance."""
        place = int(np.argmax(self.density))
        ratio = float(self.density[place] / self.poisson) if self.poisson > 0 else 0.0
        return (float(self.frequencies[place]), ratio) if ratio > self.chance else (float("nan"), float("nan"))


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

"""How the chance of a spike depends on the time since another one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikelab.report.activity.binning import bin_numbers, number_of_bins, population_counts
from spikelab.report.activity.libraries import load_library
from spikelab.report.activity.spike_trains import SpikeTrains


@dataclass(frozen=True, eq=False)
class Correlogram:
    """Mean rate of a neuron at a lag after (before, where negative) a spike.

    Attributes:
        lags: seconds, float64 [2 K + 1], symmetric about 0.
        rates: Hz, float64 [2 K + 1]; what lies beyond the ends of the recording is corrected for. NaN without spikes.
        expected: Hz, that of independent neurons with steady rates.
        bin: seconds.
    """

    lags: np.ndarray
    rates: np.ndarray
    expected: float
    bin: float


def auto_correlogram(trains: SpikeTrains, bin: float = 0.001, longest: float = 0.1) -> Correlogram:
    """The rate of a neuron around its own spikes, over all neurons together; a spike with itself does not count.

    Args:
        trains: the recording.
        bin: seconds.
        longest: lag, seconds, less than the recording.

    Source: Perkel, Gerstein and Moore 1967, Biophysical Journal 7.
    """
    bins, reach = _reach(trains, bin, longest)
    counts = _counts(trains, bin, bins)
    pairs = _symmetric(_own_pairs(trains, bin, bins, reach))
    return _correlogram(pairs, counts.sum(), (counts**2).sum(), bins, bin)


def cross_correlogram(
    trains: SpikeTrains, others: SpikeTrains | None = None, bin: float = 0.001, longest: float = 0.1
) -> Correlogram:
    """The rate of a neuron of one group at a lag after a spike of a neuron of another, mean over all pairs.

    All pairs at once, from the counts of both populations: the correlation of sums is the sum of correlations.

    Args:
        trains: whose spikes are at lag 0.
        others: whose rate is shown; None takes the pairs of two different neurons of ``trains``.
        bin: seconds.
        longest: lag, seconds, less than the recording.

    Raises:
        ValueError: if both were not recorded over the same time.

    Source: Perkel, Gerstein and Moore 1967, Biophysical Journal 7.
    """
    bins, reach = _reach(trains, bin, longest)
    first = population_counts(trains, bin).astype(np.float64)
    second = first
    if others is not None:
        if (others.start, others.stop) != (trains.start, trains.stop):
            raise ValueError(
                f"cross_correlogram: one group was watched from {trains.start:g} to {trains.stop:g} s, the other from "
                f"{others.start:g} to {others.stop:g} s; take the common span: trains.between(start, stop)"
            )
        second = population_counts(others, bin).astype(np.float64)
    whole = load_library("scipy.signal").correlate(second, first, mode="full")
    # by Fourier transform, and so but for a rounding the whole numbers that they are
    pairs = np.rint(whole[bins - 1 - reach : bins + reach])
    if others is not None:
        return _correlogram(pairs, first.sum() * others.size, first.sum() * second.sum(), bins, bin)
    counts = _counts(trains, bin, bins)
    own = _symmetric(_own_pairs(trains, bin, bins, reach))
    own[reach] += counts.sum()
    chance = counts.sum() ** 2 - (counts**2).sum()
    return _correlogram(pairs - own, counts.sum() * (trains.size - 1), chance, bins, bin)


def _reach(trains: SpikeTrains, bin: float, longest: float) -> tuple[int, int]:
    """(bins of the recording, bins of the longest lag)."""
    bins = number_of_bins(trains, bin, fewest=2)
    reach = round(longest / bin)
    if not 1 <= reach < bins:
        raise ValueError(
            f"longest = {longest:g} s must be a lag from one bin, {bin:g} s, to less than the recording, "
            f"{trains.duration:g} s"
        )
    return bins, reach


def _counts(trains: SpikeTrains, bin: float, bins: int) -> np.ndarray:
    """Spikes of each neuron within whole bins, float64 [size]."""
    return np.bincount(trains.neurons[bin_numbers(trains, bin) < bins], minlength=trains.size).astype(np.float64)


def _own_pairs(trains: SpikeTrains, bin: float, bins: int, reach: int) -> np.ndarray:
    """Pairs of two spikes of the same neuron by the lag of the later one, int64 [reach + 1]."""
    found = np.zeros(reach + 1, np.int64)
    numbers, neurons = bin_numbers(trains, bin)[trains.neuron_order], trains.by_neuron[1]
    neurons, numbers = neurons[numbers < bins], numbers[numbers < bins]
    first = np.arange(numbers.size)
    # each spike with the next, with the one after that, ...: until all are out of reach
    for further in range(1, numbers.size):
        first = first[first + further < numbers.size]
        lags = numbers[first + further] - numbers[first]
        near = (neurons[first + further] == neurons[first]) & (lags <= reach)
        if not near.any():
            break
        first, lags = first[near], lags[near]
        found += np.bincount(lags, minlength=reach + 1)
    return found


def _symmetric(later: np.ndarray) -> np.ndarray:
    """Pairs seen from either spike, float64 [2 reach + 1]; two in one bin see each other at lag 0."""
    return np.concatenate([later[:0:-1], [2 * later[0]], later[1:]]).astype(np.float64)


def _correlogram(pairs: np.ndarray, references: float, chance: float, bins: int, bin: float) -> Correlogram:
    """From pairs of spikes to a rate.

    Args:
        pairs: by lag, [2 reach + 1].
        references: spikes at lag 0, times the neurons that each is compared with.
        chance: all pairs, at whatever lag.
        bins: of the recording.
        bin: seconds.
    """
    reach = pairs.size // 2
    lags = np.arange(-reach, reach + 1)
    # from a spike near an end of the recording, some lags cannot be seen
    seen = 1 - np.abs(lags) / bins
    if references <= 0:
        return Correlogram(lags * bin, np.full(pairs.size, np.nan), float("nan"), bin)
    expected = float(chance / (references * bins * bin))
    return Correlogram(lags * bin, pairs / (references * bin * seen), expected, bin)

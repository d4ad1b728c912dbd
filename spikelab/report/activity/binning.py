"""Spikes counted in bins of time.

A bin holds the spikes after its beginning and up to its end, as a spike of a step lies at the step's end; so the bins
of a simulation are those of ``RateMonitor``, and none of its spikes is lost. Only a spike at the very start of a
recording, which other programs may have, counts into the first bin. What is left after the last whole bin is left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikelab.report.activity.libraries import load_library
from spikelab.report.activity.spike_trains import SpikeTrains

#: A time that is a whole number of bins but for rounding lies on that edge; as a share of a bin.
_ROUNDING = 1e-6


def number_of_bins(trains: SpikeTrains, bin: float, fewest: int = 1) -> int:
    """Whole bins in the recording.

    Args:
        trains: the recording.
        bin: width in seconds.
        fewest: how many are needed.

    Raises:
        ValueError: for a width that is not above 0, or fewer bins than needed.
    """
    if not (np.isfinite(bin) and bin > 0):
        raise ValueError(f"bin = {bin:g} s must be a duration > 0, such as 0.005")
    bins = int(trains.duration / bin + _ROUNDING)
    if bins < fewest:
        raise ValueError(
            f"bin = {bin:g} s: the recording of {trains.duration:g} s holds {bins} of them and {fewest} are needed; "
            "record longer or take shorter bins"
        )
    return bins


def bin_numbers(trains: SpikeTrains, bin: float) -> np.ndarray:
    """The bin of each spike, int64 [spikes]; those after the last whole bin have its number plus one, or more."""
    numbers = np.ceil((trains.times - trains.start) / bin - _ROUNDING).astype(np.int64) - 1
    return np.maximum(numbers, 0)


def bin_edges(trains: SpikeTrains, bin: float) -> np.ndarray:
    """Beginnings of all bins and the end of the last, seconds, float64 [bins + 1]."""
    return trains.start + bin * np.arange(number_of_bins(trains, bin) + 1)


def population_counts(trains: SpikeTrains, bin: float) -> np.ndarray:
    """Spikes of all neurons together in each bin, int64 [bins]."""
    bins = number_of_bins(trains, bin)
    return np.bincount(bin_numbers(trains, bin), minlength=bins)[:bins]


def population_rate(trains: SpikeTrains, bin: float) -> np.ndarray:
    """Mean firing rate of a neuron in each bin, Hz, float64 [bins]; NaN for no neurons."""
    counts = population_counts(trains, bin)
    return counts / (trains.size * bin) if trains.size else np.full(counts.size, np.nan)


def neuron_counts(trains: SpikeTrains, bin: float) -> Any:
    """Spikes of each neuron in each bin, as ``scipy.sparse.csr_array`` float64 [size, bins]."""
    sparse = load_library("scipy.sparse")
    bins = number_of_bins(trains, bin)
    numbers = bin_numbers(trains, bin)
    kept = numbers < bins
    entries = (np.ones(int(kept.sum())), (trains.neurons[kept], numbers[kept]))
    return sparse.csr_array(entries, shape=(trains.size, bins))

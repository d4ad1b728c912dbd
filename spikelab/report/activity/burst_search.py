"""Bursts: spikes of one neuron in quick succession."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikelab.report.activity.spike_trains import SpikeTrains


@dataclass(frozen=True, eq=False)
class Bursts:
    """Bursts of single neurons, by neuron and then by time.

    Attributes:
        neurons: whose each is, [bursts].
        starts: first spike of each, seconds, float64 [bursts].
        stops: last spike of each, seconds, float64 [bursts].
        counts: spikes of each, int64 [bursts].
        share: of all spikes that belong to a burst, 0 to 1; NaN without spikes.
    """

    neurons: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    counts: np.ndarray
    share: float


def bursts(trains: SpikeTrains, longest_interval: float = 0.01, fewest_spikes: int = 3) -> Bursts:
    """Finds bursts by one rule: at least so many spikes in a row, none further from the last than a given interval.

    Source: the largest-interval rule that Cotterill et al. 2016 (Journal of Neurophysiology 116) compare with others,
    without its further limits on the gap between bursts.

    Args:
        trains: the recording.
        longest_interval: between two spikes of a burst, seconds.
        fewest_spikes: of a burst, at least 2.

    Raises:
        ValueError: for an interval that is not above 0, or fewer than 2 spikes.
    """
    if not longest_interval > 0:
        raise ValueError(f"longest_interval = {longest_interval:g} s must be > 0")
    if fewest_spikes < 2:
        raise ValueError(f"fewest_spikes = {fewest_spikes} must be at least 2")
    times, neurons = trains.by_neuron
    # intervals of whole steps differ from the limit by roundings
    close = (neurons[1:] == neurons[:-1]) & (np.diff(times) <= longest_interval * (1 + 1e-9))
    edges = np.diff(np.concatenate([[0], close, [0]]).astype(np.int8))
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    counts = last - first + 1
    kept = counts >= fewest_spikes
    first, last, counts = first[kept], last[kept], counts[kept]
    share = float(counts.sum() / len(trains)) if len(trains) else float("nan")
    return Bursts(neurons[first], times[first], times[last], counts, share)

"""How much and when neurons fire: mean rates and first spikes."""

from __future__ import annotations

import numpy as np

from spikelab.report.activity.spike_trains import SpikeTrains


def mean_rates(trains: SpikeTrains) -> np.ndarray:
    """Spikes of each neuron over the duration, Hz, float64 [size]."""
    return trains.counts / trains.duration


def silent_share(trains: SpikeTrains) -> float:
    """Share of the neurons without a spike, 0 to 1; NaN for no neurons."""
    return float(np.mean(trains.counts == 0)) if trains.size else float("nan")


def first_spike_latencies(trains: SpikeTrains, onset: float | None = None) -> np.ndarray:
    """Time from an onset to the first spike after it, seconds, float64 [size]; NaN for neurons without one.

    Args:
        trains: the recording.
        onset: of a stimulus, in seconds; the start of the recording by default.

    Raises:
        ValueError: for an onset outside of the recording.
    """
    onset = trains.start if onset is None else float(onset)
    if not trains.start <= onset <= trains.stop:
        raise ValueError(f"onset = {onset:g} s lies outside of the recording, {trains.start:g} to {trains.stop:g} s")
    later = int(np.searchsorted(trains.times, onset, side="left"))
    latencies = np.full(trains.size, np.nan)
    neurons, first = np.unique(trains.neurons[later:], return_index=True)
    latencies[neurons] = trains.times[later + first] - onset
    return latencies

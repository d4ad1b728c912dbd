"""The times between a neuron's spikes, and how irregular they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikelab.report.activity.libraries import load_library
from spikelab.report.activity.spike_trains import SpikeTrains

#: Neurons with fewer intervals have no coefficient of variation.
FEWEST_INTERVALS = 3


@dataclass(frozen=True, eq=False)
class Intervals:
    """Inter-spike intervals.

    Attributes:
        values: seconds, by neuron and then by time, float64 [intervals].
        neurons: whose each is, [intervals].
        size: number of neurons.
    """

    values: np.ndarray
    neurons: np.ndarray
    size: int


@dataclass(frozen=True, eq=False)
class Irregularity:
    """How irregular each neuron fires; all three measures are 0 for a clock and 1 on average for a Poisson process.

    Attributes:
        cv: coefficient of variation: standard deviation of the intervals over their mean (divided by n, not n - 1),
            float64 [size]. Grows when the rate drifts.
        cv2: mean over neighbouring intervals of 2 |I' - I| / (I' + I), float64 [size] (Holt et al. 1996, Journal of
            Neurophysiology 75). Blind to slow drifts.
        lv: local variation, mean over neighbouring intervals of 3 (I - I')^2 / (I + I')^2, float64 [size] (Shinomoto et
            al. 2003, Neural Computation 15).
        fewest_intervals: NaN stands for neurons with fewer.
        judged: number of neurons with at least so many.
    """

    cv: np.ndarray
    cv2: np.ndarray
    lv: np.ndarray
    fewest_intervals: int
    judged: int


def intervals(trains: SpikeTrains) -> Intervals:
    """The times between successive spikes of the same neuron."""
    times, neurons = trains.by_neuron
    same = neurons[1:] == neurons[:-1]
    return Intervals(np.diff(times)[same], neurons[1:][same], trains.size)


def irregularity(trains: SpikeTrains, fewest_intervals: int = FEWEST_INTERVALS) -> Irregularity:
    """CV, CV2 and LV of each neuron; the latter two by elephant.

    Args:
        trains: the recording.
        fewest_intervals: neurons with fewer are not judged; at least 2, as CV2 and LV compare neighbours.

    Raises:
        ImportError: if elephant is not installed.
        ValueError: for fewer than 2.
    """
    if fewest_intervals < 2:
        raise ValueError(
            f"fewest_intervals = {fewest_intervals} must be at least 2: neighbouring intervals are compared"
        )
    elephant = load_library("elephant.statistics")
    found = intervals(trains)
    counts = np.bincount(found.neurons, minlength=found.size)
    judged = counts >= fewest_intervals
    cv, cv2, lv = (np.full(found.size, np.nan) for _ in range(3))
    # spikes at one and the same time give intervals of 0, of which no ratio exists: NaN
    with np.errstate(invalid="ignore", divide="ignore"):
        # elephant's cv is scipy's variation of one train; here it is that of all neurons at once
        mean = np.bincount(found.neurons, found.values, found.size) / counts
        squares = np.bincount(found.neurons, np.square(found.values - mean[found.neurons]), found.size)
        cv[judged] = (np.sqrt(squares / counts) / mean)[judged]
        ends = np.cumsum(counts)
        for neuron in np.flatnonzero(judged):
            own = found.values[ends[neuron] - counts[neuron] : ends[neuron]]
            cv2[neuron], lv[neuron] = elephant.cv2(own), elephant.lv(own)
    return Irregularity(cv, cv2, lv, fewest_intervals, int(judged.sum()))

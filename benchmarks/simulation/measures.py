"""What is compared between simulators, computed from the spikes alone by the same code for all. Needs NumPy only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

#: Width in ms of the bins of the synchrony measure.
BIN = 3.0
#: Neurons with fewer intervals have no coefficient of variation.
FEWEST_INTERVALS = 3


def rate(neurons: np.ndarray, first: int, last: int, seconds: float) -> float:
    """Mean rate in Hz of the neurons first .. last - 1."""
    return float(np.count_nonzero((neurons >= first) & (neurons < last)) / (last - first) / seconds)


def irregularity(times: np.ndarray, neurons: np.ndarray) -> float:
    """Coefficient of variation of the intervals between a neuron's spikes, averaged over neurons.

    Neurons with fewer than ``FEWEST_INTERVALS`` intervals are left out; NaN if all are.
    """
    order = np.lexsort((times, neurons))
    intervals = np.diff(times[order])
    owner = neurons[order][1:]
    same = owner == neurons[order][:-1]
    intervals, owner = intervals[same], owner[same]
    if not owner.size:
        return float("nan")
    count = np.bincount(owner)
    total = np.bincount(owner, intervals)
    squares = np.bincount(owner, np.square(intervals))
    enough = count >= FEWEST_INTERVALS
    if not enough.any():
        return float("nan")
    mean = total[enough] / count[enough]
    variance = np.maximum(squares[enough] / count[enough] - mean**2, 0.0)
    return float(np.mean(np.sqrt(variance) / mean))


def synchrony(times: np.ndarray, start: float, stop: float, width: float = BIN) -> float:
    """Variance of the whole network's spike count in bins of ``width`` ms, over its mean.

    1 for independent Poisson neurons, and larger the more neurons fire together. NaN without spikes.
    """
    bins = int((stop - start) // width)
    # spikes lie on multiples of the step, edges of bins between them
    counts, _ = np.histogram(times, bins, (start - 1e-6, start - 1e-6 + bins * width))
    return float(counts.var() / counts.mean()) if counts.any() else float("nan")


def measure(
    times: np.ndarray, neurons: np.ndarray, populations: Mapping[str, tuple[int, int]], start: float, stop: float
) -> dict[str, float]:
    """All measures of the spikes after ``start``.

    Args:
        times: of spikes, ms.
        neurons: who spiked.
        populations: name -> first neuron and one past the last.
        start: end of the warm-up, ms.
        stop: end of the simulation, ms.

    Returns:
        "rate <population>" in Hz, "cv" of the intervals, "synchrony".
    """
    kept = times > start
    times, neurons = times[kept], neurons[kept]
    found = {
        f"rate {name}": rate(neurons, first, last, (stop - start) / 1e3) for name, (first, last) in populations.items()
    }
    return found | {"cv": irregularity(times, neurons), "synchrony": synchrony(times, start, stop)}


def pending_potentiation(
    senders: np.ndarray,
    targets: np.ndarray,
    spike_times: np.ndarray,
    spike_neurons: np.ndarray,
    time_constant: float,
    delays: tuple[float, float],
    stop: float,
    number: int,
) -> np.ndarray:
    """How much each weight still has to rise, where weights are brought up to date at the sender's spike only.

    NEST does so: spikes of the target since the sender's last one have not raised the weight yet.

    Args:
        senders: of the synapses.
        targets: of the synapses.
        spike_times: ms, in any order.
        spike_neurons: who spiked.
        time_constant: of the sender's trace, ms.
        delays: after which the sender's and the target's spikes reach the synapse, ms.
        stop: end of the simulation, ms.
        number: of neurons.

    Returns:
        Sum over those spikes of the sender's trace at their arrival, for each synapse.
    """
    order = np.lexsort((spike_times, spike_neurons))
    times, owner = spike_times[order], spike_neurons[order]
    starts = np.searchsorted(owner, np.arange(number + 1))
    trains = [times[starts[n] : starts[n + 1]] for n in range(number)]
    waiting = np.zeros(len(senders))
    for sender in np.unique(senders):
        train = trains[sender] + delays[0]
        train = train[train < stop + 1e-6]
        if not train.size:
            continue
        last = train[-1]
        trace = float(np.exp((train - last) / time_constant).sum())
        for place in np.flatnonzero(senders == sender):
            arrived = trains[targets[place]] + delays[1]
            arrived = arrived[(arrived > last + 1e-6) & (arrived < stop + 1e-6)]
            waiting[place] = trace * float(np.exp((last - arrived) / time_constant).sum())
    return waiting

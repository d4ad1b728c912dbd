"""Structural plasticity: weak synapses are given up, and as many new ones grow on the same neurons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikelab.sim.plasticity.constants import Constants
from spikelab.sim.units import si

#: Times that a sender is drawn for a synapse before it is left where it is.
_DRAWS = 64


@dataclass(frozen=True, eq=False)
class Rewiring:
    """Replaces weak synapses at regular times; every neuron keeps the number of its synapses.

    A new synapse of the same target comes from a sender drawn uniformly among those that do not reach it yet (nor the
    target itself), has the delay of the old one, and remembers nothing. Where no sender is left, the old one stays.

    Source: deletion of weak synapses and uniform formation as in Bogdan, Rowley, Rhodes and Furber 2018, Frontiers in
    Neuroscience 12, there with probabilities that depend on distance.

    Attributes:
        interval: time between two rewirings, in seconds: a whole number of steps.
        below: synapses whose weight is smaller in size than this are replaced, in the receptor's unit.
        weight: of a new synapse.
    """

    interval: Any
    below: Any
    weight: Any

    def checked(self, what: str, unit: str, numbers: Constants, dt: float) -> tuple[int, float, float]:
        """(steps of the interval, below, weight).

        Raises:
            ValueError: for an interval that is no whole number of steps, or a new weight that is out of bounds or so
                weak that it would be replaced at once.
        """
        interval = float(si(self.interval, "s", f"{what}: interval"))
        below = float(si(self.below, unit, f"{what}: below"))
        weight = float(si(self.weight, unit, f"{what}: weight"))
        steps = round(interval / dt)
        if steps < 1 or abs(steps * dt - interval) > 1e-6 * interval:
            raise ValueError(f"{what}: interval = {interval:g} s must be a whole number of steps of {dt:g} s")
        if below < 0:
            raise ValueError(f"{what}: below = {below:g} must not be negative: it is the size of a weight")
        if not numbers.w_min <= weight <= numbers.w_max:
            raise ValueError(f"{what}: weight = {weight:g} lies outside {numbers.w_min:g} to {numbers.w_max:g}")
        if abs(weight) < below:
            raise ValueError(f"{what}: a new weight of {weight:g} is below {below:g}; it would be replaced at once")
        return steps, below, weight


def new_senders(
    senders: np.ndarray,
    targets: np.ndarray,
    weak: np.ndarray,
    sizes: tuple[int, int],
    offset: int | None,
    key: int,
) -> np.ndarray:
    """The senders after rewiring, int64 [synapses]: another one where a synapse is weak, where one can be found.

    Args:
        senders: of each synapse, [synapses].
        targets: of each synapse, [synapses].
        weak: whether it is to be replaced, [synapses].
        sizes: number of senders, and of neurons that targets count in.
        offset: the neuron that sender 0 is, among those that targets count in; None for two populations.
        key: of the random numbers.
    """
    generator = np.random.Generator(np.random.Philox(key=key))
    pairs = senders.astype(np.int64) * sizes[1] + targets
    taken, found = np.unique(pairs), senders.astype(np.int64)
    open_ = np.flatnonzero(weak)
    for _ in range(_DRAWS):
        if not open_.size or not sizes[0]:
            break
        drawn = generator.integers(0, sizes[0], open_.size)
        wanted = drawn * sizes[1] + targets[open_]
        # of two synapses that want the same pair, the first gets it
        fresh = np.zeros(open_.size, bool)
        fresh[np.unique(wanted, return_index=True)[1]] = True
        fresh &= ~np.isin(wanted, taken)
        if offset is not None:
            fresh &= drawn + offset != targets[open_]
        found[open_[fresh]] = drawn[fresh]
        taken = np.union1d(taken, wanted[fresh])
        open_ = open_[~fresh]
    return found

"""What drives neurons from outside without synapses: Poisson trains of their own, currents in steps, noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikelab.sim.units import si


@dataclass(frozen=True, eq=False)
class PoissonInput:
    """Independent Poisson spike trains, one into each neuron, for the sum of many unrelated senders.

    Cheaper than a Poisson source with synapses: nothing is stored, and the spikes of a step are drawn as one number.

    Attributes:
        rate: spikes a second into each neuron: one number, or one for each neuron.
        weight: of each spike, in the receptor's unit: one number, or one for each neuron.
    """

    rate: Any
    weight: Any


@dataclass(frozen=True, eq=False)
class NoiseCurrent:
    """Gaussian noise, drawn anew for each neuron in each step and held over it.

    For white noise of a given intensity the standard deviation has to grow as 1/sqrt(dt); nothing is scaled here.

    Attributes:
        standard_deviation: in the unit of the neuron's input: one number, or one for each neuron.
        mean: likewise.
    """

    standard_deviation: Any
    mean: Any = 0.0


@dataclass(frozen=True, eq=False)
class StepCurrent:
    """A current that is constant between given times, zero before the first.

    Attributes:
        times: when each value begins, ascending, in seconds; rounded to whole steps.
        values: one value a time, [times], or one a time and neuron, [times, neurons], in the unit of the input.
    """

    times: Any
    values: Any

    def checked(self, what: str, unit: str, size: int) -> tuple[np.ndarray, np.ndarray]:
        """(times in seconds [K], values [K, 1 or size]).

        Raises:
            ValueError: if times do not ascend or the shapes do not fit.
        """
        times = np.atleast_1d(np.asarray(si(self.times, "s", f"{what}: times"), float))
        values = np.atleast_1d(np.asarray(si(self.values, unit, f"{what}: values"), float))
        if times.ndim != 1 or values.shape[0] != times.size:
            raise ValueError(f"{what}: {times.size} times but {values.shape[0]} values; give one value for each time")
        if times.size and (times[0] < 0 or (np.diff(times) <= 0).any()):
            raise ValueError(f"{what}: times must ascend from 0 or later; got {times[:5].tolist()}")
        if values.ndim == 1:
            values = values[:, None]
        if values.ndim != 2 or values.shape[1] not in (1, size):
            raise ValueError(f"{what}: values of shape {values.shape}; takes [times] or [times, {size} neurons]")
        return times, values


#: What ``Network.input`` takes.
Input = PoissonInput | NoiseCurrent | StepCurrent


@dataclass(frozen=True, eq=False)
class InputRecord:
    """An input in a network.

    Attributes:
        number: its place in the network, which decides its random numbers.
        target: a group.
        receptor: which of the target's receptors it acts on; "current" is the input itself.
        input: what it is.
    """

    number: int
    target: Any
    receptor: str
    input: Input

    def __str__(self) -> str:
        return f"input {self.number} ({type(self.input).__name__} into {self.target})"

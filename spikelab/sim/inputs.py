"""What drives neurons from outside without synapses: Poisson trains of their own, currents in steps, noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikelab.sim.distributions import values
from spikelab.sim.random_numbers.poisson import LARGEST_MEAN, SMALLEST_MEAN
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

    def checked(self, what: str, unit: str, size: int, key: int, dt: float) -> tuple[np.ndarray, np.ndarray]:
        """(mean spikes in a step, weight), each [1] or [size].

        Raises:
            ValueError: for a rate that is negative, or so high that a step has more than a thousand spikes.
        """
        rate = np.atleast_1d(values(self.rate, "Hz", size, key, f"{what}: rate"))
        mean = rate * dt
        for wrong in mean[(mean != 0) & ((mean < SMALLEST_MEAN) | (mean > LARGEST_MEAN))][:1]:
            raise ValueError(
                f"{what}: rate = {wrong / dt:g} Hz in steps of {dt:g} s: must be 0, or from {SMALLEST_MEAN / dt:g} to "
                f"{LARGEST_MEAN / dt:g} Hz; instead of more take a NoiseCurrent of the same mean and variance"
            )
        return mean, np.atleast_1d(values(self.weight, unit, size, key + 1, f"{what}: weight"))


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

    def checked(self, what: str, unit: str, size: int, key: int, dt: float) -> tuple[np.ndarray, np.ndarray]:
        """(mean, standard deviation), each [1] or [size].

        Raises:
            ValueError: for a negative standard deviation.
        """
        mean = np.atleast_1d(values(self.mean, unit, size, key, f"{what}: mean"))
        deviation = np.atleast_1d(values(self.standard_deviation, unit, size, key + 1, f"{what}: standard_deviation"))
        if deviation.size and deviation.min() < 0:
            raise ValueError(f"{what}: standard_deviation = {deviation.min():g} must not be negative")
        return mean, deviation


@dataclass(frozen=True, eq=False)
class StepCurrent:
    """A current that is constant between given times, zero before the first.

    Attributes:
        times: when each value begins, ascending, in seconds; rounded to whole steps.
        values: one value a time, [times], or one a time and neuron, [times, neurons], in the unit of the input.
    """

    times: Any
    values: Any

    def checked(self, what: str, unit: str, size: int, key: int, dt: float) -> tuple[np.ndarray, np.ndarray]:
        """(steps with which the values begin int64 [K], values [K, 1 or size]).

        Raises:
            ValueError: if times do not ascend or the shapes do not fit.
        """
        times = np.atleast_1d(np.asarray(si(self.times, "s", f"{what}: times"), float))
        levels = np.atleast_1d(np.asarray(si(self.values, unit, f"{what}: values"), float))
        if times.ndim != 1 or levels.shape[0] != times.size:
            raise ValueError(f"{what}: {times.size} times but {levels.shape[0]} values; give one value for each time")
        if times.size and (times[0] < 0 or (np.diff(times) <= 0).any()):
            raise ValueError(f"{what}: times must ascend from 0 or later; got {times[:5].tolist()}")
        if levels.ndim == 1:
            levels = levels[:, None]
        if levels.ndim != 2 or levels.shape[1] not in (1, size):
            raise ValueError(f"{what}: values of shape {levels.shape}; takes [times] or [times, {size} neurons]")
        return np.round(times / dt).astype(np.int64), levels


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
        key: of its random numbers.
        numbers: the input's two arrays, checked: see the ``checked`` of each.
    """

    number: int
    target: Any
    receptor: str
    input: Input
    key: int
    numbers: tuple[np.ndarray, np.ndarray]

"""Signals that reach all synapses of a projection alike: reward, neuromodulators, a third factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikelab.sim.population import Group, Population, as_group
from spikelab.sim.units import si


@dataclass(frozen=True, eq=False)
class StepSignal:
    """A signal that is constant between given times; before the first it has the first value.

    Attributes:
        times: when each value begins, ascending, in seconds; rounded to whole steps.
        values: one value a time.
    """

    times: Any
    values: Any

    def checked(self, what: str, dt: float) -> tuple[np.ndarray, np.ndarray]:
        """(steps with which the values begin int64 [K], values float64 [K]).

        Raises:
            ValueError: if times do not ascend or numbers differ.
        """
        times = np.atleast_1d(np.asarray(si(self.times, "s", f"{what}: times"), float))
        levels = np.atleast_1d(np.asarray(si(self.values, "1", f"{what}: values"), float))
        if times.ndim != 1 or times.shape != levels.shape or not times.size:
            raise ValueError(
                f"{what}: takes as many times as values, at least one; got {times.shape} and {levels.shape}"
            )
        steps = np.round(times / dt).astype(np.int64)
        if (np.diff(steps) <= 0).any():
            raise ValueError(f"{what}: times must ascend by at least a step of {dt:g} s")
        return steps, levels


@dataclass(frozen=True, eq=False)
class SpikeSignal:
    """A signal that spikes of some neurons raise, and that decays: a dopamine concentration.

    Attributes:
        group: the neurons.
        tau: time constant of the decay, in seconds.
        jump: rise by each spike.
        rest: the value that it decays to and starts from.
        delay: from a spike to the rise, in seconds: a whole number of steps.
    """

    group: Population | Group
    tau: Any
    jump: float = 1.0
    rest: float = 0.0
    delay: Any = 1e-3

    def checked(self, what: str, dt: float) -> tuple[Group, int, np.ndarray]:
        """(neurons, delay in steps, [rest, decay in a step, jump]).

        Raises:
            ValueError: for a time constant that is not positive, or a delay that is not a whole number of steps.
        """
        tau, delay = float(si(self.tau, "s", f"{what}: tau")), float(si(self.delay, "s", f"{what}: delay"))
        rest, jump = (float(si(value, "1", f"{what}: {n}")) for n, value in (("rest", self.rest), ("jump", self.jump)))
        if not tau > 0:
            raise ValueError(f"{what}: tau = {tau:g} s must be > 0")
        steps = round(delay / dt)
        if steps < 1 or abs(steps * dt - delay) > 1e-6 * delay:
            raise ValueError(f"{what}: delay = {delay:g} s must be a whole number of steps of {dt:g} s, at least one")
        return as_group(self.group, what), steps, np.array([rest, np.exp(-dt / tau), jump])


#: What a projection's ``modulator`` may be: a number stays until ``Network.set_modulator`` changes it.
Signal = float | StepSignal | SpikeSignal

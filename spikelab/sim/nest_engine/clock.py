"""NEST's time and ours.

What a device of NEST sends arrives after a delay, and none can act before its clock has run for that long. So the clock
starts a few steps early: our time 0 is step ``lead`` of NEST. Until then no neuron can reach its threshold; starting
values are set at time 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Clock:
    """Steps of both, and when a device has to be told to begin so that it acts from a given step of ours.

    Attributes:
        dt: time step in seconds.
        delay: steps from a device to a neuron.
    """

    dt: float
    delay: int

    @property
    def lead(self) -> int:
        """Steps of NEST before our time 0: one more than the delay, and whole slices of the shortest delay.

        NEST's random numbers depend on where runs cut its slices.
        """
        return 2 * self.delay

    def milliseconds(self, steps: float) -> float:
        """Steps as NEST takes times."""
        return steps * self.dt * 1e3

    def steps(self, milliseconds: Any) -> np.ndarray:
        """Our steps at times of NEST, int64."""
        return np.round(np.asarray(milliseconds, float) / (self.dt * 1e3)).astype(np.int64) - self.lead

    def spike_device_start(self, step: int) -> float:
        """``start`` in ms of a Poisson generator whose first spikes arrive at the end of a step."""
        # a spike device is active in the steps after its start
        return self.milliseconds(self.lead + step - self.delay - 1)

    def noise_start(self, step: int) -> float:
        """``start`` in ms of a noise generator whose current acts from the beginning of a step."""
        return self.milliseconds(self.lead + step - self.delay)

    def current_time(self, step: int) -> float:
        """Time in ms at which a step current generator has to change for a current from the beginning of a step."""
        return self.milliseconds(self.lead + step - self.delay)

    def relayed_time(self, step: int) -> float:
        """Time in ms at which a generator has to spike, or change its rate, for its relay to spike in a step."""
        return self.milliseconds(self.lead + step + 1 - self.delay)

"""The modulator of a plastic projection as the kernels read it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikelab.sim.numba_engine.spike_log import SpikeLog
from spikelab.sim.plasticity.modulator import Signal, SpikeSignal, StepSignal
from spikelab.sim.units import si


class PlasticSignal:
    """A modulator, ready to run.

    Attributes:
        population: whose spikes raise it; "" for none.
        delay: steps from a spike to its effect; 0 where no spikes raise it.
        numbers: resting value, decay in a step, jump by a spike, [3].
        steps: steps with which values begin, int64 [K].
        values: values, [K].
    """

    def __init__(self, signal: Signal, where: str, dt: float, dtype: np.dtype):
        self._where, self.population, self.delay = where, "", 0
        self.numbers, self.steps, self.values = np.zeros(3, dtype), np.zeros(1, np.int64), np.zeros(1, dtype)
        self._first = self._last = 0
        if isinstance(signal, SpikeSignal):
            group, self.delay, numbers = signal.checked(where, dt)
            self.numbers = numbers.astype(dtype)
            self.population, self._first, self._last = group.population.name, group.first, group.first + group.size
        elif isinstance(signal, StepSignal):
            self.steps, values = signal.checked(where, dt)
            self.values = values.astype(dtype)
        else:
            self.values[:] = si(signal, "1", where)

    def entries(self, logs: Mapping[str, SpikeLog]) -> dict[str, int | np.ndarray]:
        """The table's entries."""
        return {
            "signal_log_": logs[self.population].header if self.delay else 0,
            "signal_first_": self._first,
            "signal_last_": self._last,
            "signal_delay_": self.delay,
            "signal_numbers_": self.numbers,
            "signals_": self.values.size,
            "signal_steps_": self.steps,
            "signal_values_": self.values,
        }

    def set(self, value: float) -> None:
        """Makes it a number from now on.

        Raises:
            ValueError: for a value that is not a number, or a signal that follows spikes.
        """
        if self.delay:
            raise ValueError(f"{self._where} follows the spikes of {self.population}; it cannot be set")
        self.values[:] = si(value, "1", self._where)

"""An input of a network, ready to run: its constants as arrays, and the operation that adds it to a buffer."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikelab.sim.distributions import values
from spikelab.sim.inputs import InputRecord, NoiseCurrent, PoissonInput, StepCurrent
from spikelab.sim.numba_engine.driver import Operation
from spikelab.sim.numba_engine.input_kernels import (
    noise_kernel,
    poisson_kernel,
    poisson_rates_kernel,
    step_current_kernel,
)
from spikelab.sim.numba_engine.partition import padded
from spikelab.sim.numba_engine.population_state import PopulationState
from spikelab.sim.numba_engine.table import operation
from spikelab.sim.random_numbers import poisson_table


class InputState:
    """An input, ready to run.

    Attributes:
        record: what it was built from.
    """

    def __init__(self, record: InputRecord, target: PopulationState, dt: float, dtype: np.dtype, key: int):
        self.record, self._target, self._dt, self._dtype = record, target, dt, dtype
        self._unit = target.population.receptors[record.receptor]
        self._key = int(np.uint64(key).astype(np.int64))
        make = {StepCurrent: self._step_current, NoiseCurrent: self._noise, PoissonInput: self._poisson}
        self._kernel, self._entries = make[type(record.input)]()

    def advance(self, bounds: np.ndarray) -> Operation:
        """The operation that adds a step's input."""
        group, target = self.record.target, self._target
        return operation(
            self._kernel,
            {
                "bounds": bounds,
                "threads": bounds.size - 1,
                "first": group.first,
                "last": group.first + group.size,
                "ring": target.rings[self.record.receptor],
                "slots": target.slots,
                "size": target.population.size,
                **self._entries,
            },
        )

    def _step_current(self) -> tuple[int, dict[str, Any]]:
        current = self.record.input
        assert isinstance(current, StepCurrent)
        times, levels = current.checked(str(self.record), self._unit, self.record.target.size)
        entries = {
            "count": times.size,
            "begins": np.round(times / self._dt).astype(np.int64),
            "values": np.ascontiguousarray(levels, self._dtype),
            "columns": levels.shape[1],
        }
        return step_current_kernel(self._dtype.name), entries

    def _noise(self) -> tuple[int, dict[str, Any]]:
        noise = self.record.input
        assert isinstance(noise, NoiseCurrent)
        mean = self._of_neurons(noise.mean, "mean")
        deviation = self._of_neurons(noise.standard_deviation, "standard_deviation")
        if (deviation < 0).any():
            raise ValueError(f"{self.record}: standard_deviation = {deviation.min():g} must not be negative")
        mean, deviation = np.broadcast_arrays(mean, deviation)
        entries = {
            "key": self._key,
            "mean": np.ascontiguousarray(mean, self._dtype),
            "deviation": np.ascontiguousarray(deviation, self._dtype),
            "columns": mean.size,
            "drawn": np.zeros(padded(self._target.population.size), self._dtype),
        }
        return noise_kernel(self._dtype.name), entries

    def _poisson(self) -> tuple[int, dict[str, Any]]:
        trains = self.record.input
        assert isinstance(trains, PoissonInput)
        rate = self._of_neurons(trains.rate, "rate", "Hz")
        weight = self._of_neurons(trains.weight, "weight")
        if (rate < 0).any():
            raise ValueError(f"{self.record}: rate = {rate.min():g} Hz must not be negative")
        common = {"weights": np.ascontiguousarray(weight, self._dtype), "columns": weight.size}
        if rate.size > 1:
            return poisson_rates_kernel(self._dtype.name), {"key": self._key, "means": rate * self._dt, **common}
        try:
            table = poisson_table(float(rate[0]) * self._dt)
        except ValueError as error:
            raise ValueError(f"{self.record}: rate = {rate[0]:g} Hz in steps of {self._dt:g} s: {error}") from error
        entries = {"key": self._key, "table": table, "entries": table.size, **common}
        return poisson_kernel(self._dtype.name), {
            **entries,
            "drawn": np.zeros(padded(self._target.population.size), self._dtype),
        }

    def _of_neurons(self, value: Any, what: str, unit: str | None = None) -> np.ndarray:
        """One value, [1], or one for each neuron of the whole population, [size], zero outside the group."""
        group = self.record.target
        unit = self._unit if unit is None else unit
        found = values(value, unit, group.size, self.record.number, f"{self.record}: {what}")
        if np.ndim(found) == 0:
            return np.atleast_1d(np.asarray(found, float))
        full = np.zeros(group.population.size)
        full[group.first : group.first + group.size] = found
        return full

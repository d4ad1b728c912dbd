"""An input of a network, ready to run: its constants as arrays, and the operation that adds it to a buffer."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikelab.sim.inputs import InputRecord, NoiseCurrent, PoissonInput, StepCurrent
from spikelab.sim.numba_engine.driver import Operation
from spikelab.sim.numba_engine.input_kernels import (
    noise_kernel,
    poisson_kernel,
    poisson_rates_kernel,
    step_current_kernel,
)
from spikelab.sim.numba_engine.partition import aligned, padded
from spikelab.sim.numba_engine.population_state import PopulationState
from spikelab.sim.numba_engine.table import operation
from spikelab.sim.random_numbers import poisson_table


class InputState:
    """An input, ready to run.

    Attributes:
        record: what it was built from.
    """

    def __init__(self, record: InputRecord, target: PopulationState, dtype: np.dtype):
        self.record, self._target, self._dtype = record, target, dtype
        self._key = int(np.uint64(record.key).astype(np.int64))
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
        begins, levels = self.record.numbers
        entries = {
            "count": begins.size,
            "begins": begins,
            "values": np.ascontiguousarray(levels, self._dtype),
            "columns": levels.shape[1],
        }
        return step_current_kernel(self._dtype.name), entries

    def _noise(self) -> tuple[int, dict[str, Any]]:
        mean, deviation = np.broadcast_arrays(*(self._of_population(each) for each in self.record.numbers))
        entries = {
            "key": self._key,
            "mean": np.ascontiguousarray(mean, self._dtype),
            "deviation": np.ascontiguousarray(deviation, self._dtype),
            "columns": mean.size,
            "drawn": aligned(padded(self._target.population.size), self._dtype),
        }
        return noise_kernel(self._dtype.name), entries

    def _poisson(self) -> tuple[int, dict[str, Any]]:
        mean, weight = self.record.numbers
        weight = self._of_population(weight)
        common = {"weights": np.ascontiguousarray(weight, self._dtype), "columns": weight.size}
        if (mean != mean[:1]).any():
            own = {"key": self._key, "means": self._of_population(mean), **common}
            return poisson_rates_kernel(self._dtype.name), own
        table = poisson_table(float(mean[0]) if mean.size else 0.0)
        entries = {"key": self._key, "table": table, "entries": table.size, **common}
        drawn = aligned(padded(self._target.population.size), self._dtype)
        return poisson_kernel(self._dtype.name), {**entries, "drawn": drawn}

    def _of_population(self, values: np.ndarray) -> np.ndarray:
        """One value, [1], or those of the group as values of the whole population, [size], zero outside the group."""
        group = self.record.target
        if values.size == 1:
            return values
        full = np.zeros(group.population.size)
        full[group.first : group.first + group.size] = values
        return full

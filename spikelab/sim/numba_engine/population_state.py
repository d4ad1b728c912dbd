"""A population's neurons as arrays, and the operation that advances them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from spikelab.kernels.coefficients import coefficients, initial_state
from spikelab.neurons.spec import INPUT
from spikelab.neurons.step import StepOptions, arrival_name, build_step, neuron_name
from spikelab.sim.numba_engine.driver import Operation
from spikelab.sim.numba_engine.partition import aligned, padded, padded_array
from spikelab.sim.numba_engine.population_kernel import BIAS, PopulationKernel
from spikelab.sim.numba_engine.spike_log import SpikeLog
from spikelab.sim.numba_engine.table import operation

if TYPE_CHECKING:
    from spikelab.sim.population import Population


class PopulationState:
    """The neurons of a population that has equations.

    Attributes:
        population: what it was built from.
        step: the neuron's step.
        states: name -> value of each neuron, [padded size], the refractory counter included.
        rings: receptor -> what arrives in coming steps, [slots, padded size]; step s is at s modulo slots.
    """

    def __init__(self, population: Population, dt: float, dtype: np.dtype, driven: set[str], slots: int):
        self.population, self.slots, self._dtype = population, slots, dtype
        assert population.neuron is not None
        options = StepOptions(
            neuron=neuron_name(population.neuron),
            method=population.method,
            reset=population.reset,
            refractory=population.refractory > 0,
            arrivals=True,
        )
        self.step = build_step(options)
        size = population.size
        parameters = {name: torch.tensor(value, dtype=torch.float64) for name, value in population.parameters.items()}
        found = coefficients(self.step, parameters, dt, population.refractory)
        self._refractory_steps = max(1, round(population.refractory / dt)) if population.refractory else 1
        biased = bool(np.any(population.bias))
        values = {name: value.numpy() for name, value in found.items()}
        if biased:
            values[BIAS] = np.asarray(population.bias)
        self._shared_names = tuple(value.ndim == 0 for value in values.values())
        self._shared = np.array([v for v in values.values() if v.ndim == 0], dtype)
        rows = [padded_array(v, size, dtype) for v in values.values() if v.ndim]
        self._per_neuron = np.stack(rows) if rows else np.zeros((0, padded(size)), dtype)
        start = initial_state(self.step, parameters, torch.Size([size]), torch.empty(0, dtype=torch.float64))
        self.states = {
            name: padded_array(population.initial.get(name, value.numpy()), size, dtype)
            for name, value in zip(self.step.states, start, strict=True)
        }
        #: receptor -> name of its input in the kernel, in a fixed order, for those that something reaches
        names = {"current": INPUT, **{each.name: arrival_name(each.name) for each in population.neuron.receptors}}
        self._inputs = {receptor: name for receptor, name in names.items() if receptor in driven}
        self.rings = {receptor: aligned((slots, padded(size)), dtype) for receptor in self._inputs}
        self._flags = aligned(padded(size), np.uint8)
        self._kernel = PopulationKernel(
            self.step, tuple(self._inputs.values()), tuple(values), self._shared_names, biased, str(dtype)
        )

    def step_for_own_loop(self) -> tuple[Any, tuple[Any, ...]]:
        """The step as compiled code may call it, for loops that do more at each step than an engine can.

        Returns:
            (function, its arguments): ``function(*arguments)`` brings all neurons through one step. The arrays of
            ``states`` are among the arguments, and the first slot of each ring, which the step empties; the first
            argument tells who spiked, uint8 [padded size].
        """
        rows = [ring[0] for ring in self.rings.values()]
        arguments = (self._flags, self._shared, *self._per_neuron, *self.states.values(), *rows)
        return self._kernel.function(), (*arguments, padded(self.population.size))

    def most_in(self, steps: int) -> int:
        """Most spikes that a neuron can emit in so many steps."""
        return -(-steps // self._refractory_steps)

    def advance(self, bounds: np.ndarray, log: SpikeLog) -> Operation:
        """The operation that brings the neurons through one step and logs their spikes."""
        return operation(
            self._kernel.address(),
            {
                "size": self.population.size,
                "bounds": bounds,
                "log": log.header,
                "flags": self._flags,
                "shared": self._shared,
                "per_neuron": self._per_neuron,
                "slots": self.slots,
                **self.states,
                **{f"ring {name}": ring for name, ring in self.rings.items()},
            },
        )

    def state(self) -> dict[str, np.ndarray]:
        """States and what is still to arrive, by name."""
        size = self.population.size
        found = {f"states/{name}": value[:size] for name, value in self.states.items()}
        return {**found, **{f"rings/{name}": ring[:, :size] for name, ring in self.rings.items()}}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """The inverse of ``state``."""
        size = self.population.size
        for name, value in self.states.items():
            value[:size] = state[f"states/{name}"]
        for name, ring in self.rings.items():
            ring[:, :size] = state[f"rings/{name}"]

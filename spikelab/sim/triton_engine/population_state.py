"""A population's neurons on the device, and the launch that advances them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from spikelab.kernels.coefficients import coefficients, initial_state
from spikelab.kernels.triton.printer import UnknownFunction
from spikelab.neurons.spec import INPUT
from spikelab.neurons.step import StepOptions, arrival_name, build_step, neuron_name
from spikelab.sim.inputs import InputRecord
from spikelab.sim.population import Population
from spikelab.sim.triton_engine.device import LANES, Device, padded
from spikelab.sim.triton_engine.input_code import InputCoder
from spikelab.sim.triton_engine.launch import Launch
from spikelab.sim.triton_engine.population_kernel import BIAS, PopulationKernel
from spikelab.sim.triton_engine.spike_list import SpikeList
from spikelab.sim.triton_engine.state_recorder import StateRecorder
from spikelab.sim.triton_engine.support import NotSupported


class PopulationState:
    """The neurons of a population that has equations.

    Attributes:
        population: what it was built from.
        dtype: of states and weights.
        step: the neuron's step.
        states: name -> value of each neuron, [padded size], the refractory counter included.
        rings: receptor -> what arrives in coming steps, int64 [slots, padded size], multiples of 2**-exponent; step s
            is at s modulo slots.
        exponents: receptor -> exponent.
        most_at_once: spikes that a neuron can emit in one step.
    """

    def __init__(
        self,
        device: Device,
        population: Population,
        dt: float,
        dtype: np.dtype,
        exponents: Mapping[str, int],
        slots: int,
        inputs: Sequence[InputRecord],
    ):
        self.population, self.dtype, self.most_at_once = population, dtype, 1
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
        self._refractory_steps = max(1, round(population.refractory / dt)) if population.refractory else 1
        found = coefficients(self.step, parameters, dt, population.refractory)
        values = {name: value.numpy() for name, value in found.items()}
        if np.any(population.bias):
            values[BIAS] = np.asarray(population.bias)
        shared = {name: value for name, value in values.items() if value.ndim == 0}
        own = {name: value for name, value in values.items() if value.ndim}
        # an array without elements has no address
        self._shared = device.tensor(np.array([*shared.values(), 0.0], dtype))
        self._own = device.tensor(np.stack([_long(v, size, dtype) for v in (*own.values(), np.zeros(size))]))
        start = initial_state(self.step, parameters, torch.Size([size]), torch.empty(0, dtype=torch.float64))
        self.states = {
            name: device.tensor(_long(population.initial.get(name, value.numpy()), size, dtype))
            for name, value in zip(self.step.states, start, strict=True)
        }
        self.exponents = dict(exponents)
        self.rings = {
            name: torch.zeros((slots, padded(size)), dtype=torch.int64, device=device.place) for name in exponents
        }
        self._quanta = device.tensor(np.array([*(2.0**-each for each in exponents.values()), 0.0], dtype))
        code = InputCoder(device, size, dtype)
        self._inputs = tuple(code(place, each) for place, each in enumerate(inputs) if each.target.size)
        self._names = {"current": INPUT, **{each.name: arrival_name(each.name) for each in population.neuron.receptors}}
        self._coefficients = tuple(shared), tuple(own)

    def most_in(self, steps: int) -> int:
        """Most spikes of all neurons together in so many steps."""
        return -(-steps // self._refractory_steps) * self.population.size

    def launches(self, clock: torch.Tensor, spikes: SpikeList, recorders: Sequence[StateRecorder]) -> list[Launch]:
        """The launch that brings the neurons through a block, if there are any.

        Args:
            clock: steps of the clock.
            spikes: the population's list.
            recorders: of its states.

        Raises:
            NotSupported: for equations that have no Triton code.
        """
        if not self.population.size:
            return []
        recorded = [(name, each) for each in recorders if each.monitor.group.size for name in each.monitor.names]
        shared, own = self._coefficients
        rings = tuple(self.rings)
        names = tuple(name for name, _ in recorded)
        kernel = PopulationKernel(self.step, self._names, rings, self._inputs, names, shared, own, self.dtype.name)
        try:
            function = kernel.function()
        except UnknownFunction as error:
            raise NotSupported(
                f"population {self.population.name} ({self.step.spec.name}): {error}, or run it with engine='numba'"
            ) from error
        arrays: list[torch.Tensor] = [
            *(clock, spikes.steps, spikes.neurons, spikes.cursor, self._shared, self._own, self._quanta),
            *self.states.values(),
            *self.rings.values(),
            *(each.buffers[name] for name, each in recorded),
        ]
        slots = next((ring.shape[0] for ring in self.rings.values()), 1)
        numbers = [self.population.size, padded(self.population.size), slots]
        for _, each in recorded:
            first = each.monitor.group.first
            numbers += [each.monitor.every, each.samples, first, first + each.monitor.group.size]
        arguments: dict[str, torch.Tensor | int] = {
            **dict(zip(kernel.arrays(), arrays, strict=True)),
            **dict(zip(kernel.numbers(), numbers, strict=True)),
        }
        for code in self._inputs:
            arguments.update(code.arguments)
        return [Launch(function, (padded(self.population.size) // LANES,), arguments, {"LANES_": LANES})]

    def state(self) -> dict[str, np.ndarray]:
        """States and what is still to arrive, by name."""
        size = self.population.size
        found = {f"states/{name}": value[:size].cpu().numpy().copy() for name, value in self.states.items()}
        for name, ring in self.rings.items():
            found[f"rings/{name}"] = ring[:, :size].cpu().numpy().copy()
            found[f"exponents/{name}"] = np.array(self.exponents[name])
        return found

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """The inverse of ``state``.

        Raises:
            ValueError: if weights differ so much that what was under way has another unit.
        """
        size = self.population.size
        for name in self.rings:
            if int(state[f"exponents/{name}"]) != self.exponents[name]:
                raise ValueError(
                    f"population {self.population.name}: the saved state was under weights of the receptor {name!r} "
                    "of another size: build the network with the weights that it had"
                )
        for name, value in self.states.items():
            value[:size] = torch.as_tensor(state[f"states/{name}"])
        for name, ring in self.rings.items():
            ring[:, :size] = torch.as_tensor(state[f"rings/{name}"])


def _long(value: float | np.ndarray, size: int, dtype: np.dtype) -> np.ndarray:
    """A value for each neuron, in an array of padded length whose rest repeats the last one."""
    array = np.zeros(padded(size), dtype)
    array[:size] = value
    if size:
        array[size:] = array[size - 1]
    return array

"""Inputs and sources as generators of NEST."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikelab.sim.inputs import InputRecord, NoiseCurrent, PoissonInput
from spikelab.sim.nest_engine.clock import Clock
from spikelab.sim.nest_engine.nest_units import NEST_UNITS
from spikelab.sim.nest_engine.neurons import NestPopulation
from spikelab.sim.population import Population
from spikelab.sim.sources import PoissonSource

#: What is told of each input and source in the documentation: NEST's devices, and how far they agree.
INPUTS = {
    "poisson": ("poisson_generator", "other random numbers, the same statistics"),
    "noise": ("noise_generator, one value a step, and I_e for the mean", "other random numbers, the same statistics"),
    "steps": ("step_current_generator", "the same numbers but for rounding"),
}
SOURCES = {
    "poisson": (
        "poisson_generator or inhomogeneous_poisson_generator, and parrot_neuron",
        "other random numbers; NEST draws the number of spikes in a step, which can be more than one",
    ),
    "spike_array": ("spike_generator and parrot_neuron", "the same spikes"),
}


def add_input(nest: Any, record: InputRecord, nodes: Any, target: NestPopulation, clock: Clock) -> None:
    """Connects what drives a group from outside.

    Args:
        nest: PyNEST.
        record: the input.
        nodes: NEST's nodes of the target's whole population.
        target: the population's translation.
        clock: NEST's.
    """
    group = record.target
    cells = nodes[group.first : group.first + group.size]
    delay = clock.milliseconds(clock.delay)
    first, second = record.numbers
    if isinstance(record.input, PoissonInput):
        port, unit = target.ports[record.receptor], group.population.receptors[record.receptor]
        factor = (
            port.factor[group.first : group.first + group.size] if isinstance(port.factor, np.ndarray) else port.factor
        )
        weight = second * NEST_UNITS[unit] * factor
        # one generator gives each of its targets spikes of its own
        size = 1 if first.size == 1 else group.size
        rates = {"rate": _each(first / clock.dt), "start": clock.spike_device_start(0)}
        spec = {"weight": weight, "delay": delay, **({"receptor_type": port.number} if port.number else {})}
        _spread(nest, nest.Create("poisson_generator", size, rates), cells, spec)
        return
    unit = NEST_UNITS[group.population.receptors["current"]]
    if isinstance(record.input, NoiseCurrent):
        start = {"std": 1.0, "mean": 0.0, "dt": clock.milliseconds(1), "start": clock.noise_start(0)}
        _spread(nest, nest.Create("noise_generator", 1, start), cells, {"weight": second * unit, "delay": delay})
        return
    steps, levels = first, second * unit
    # of several times that round to one step the last one counts
    last = np.append(steps[1:] != steps[:-1], True) if steps.size else np.zeros(0, bool)
    times = [clock.current_time(int(step)) for step in steps[last]]
    changes = [{"amplitude_times": times, "amplitude_values": row.tolist()} for row in levels[last].T]
    if times:
        generators = nest.Create("step_current_generator", len(changes))
        generators.set(changes)
        _spread(nest, generators, cells, {"delay": delay})


def noise_mean(record: InputRecord) -> np.ndarray:
    """The constant part of an input, in the SI unit of the neuron's input, [1] or [group]."""
    return record.numbers[0] if isinstance(record.input, NoiseCurrent) else np.zeros(1)


def add_source(nest: Any, population: Population, clock: Clock) -> Any:
    """Makes the nodes of a population that only emits spikes: relays (parrot neurons), and what drives them."""
    assert population.source is not None
    relays = nest.Create("parrot_neuron", population.size)
    delay = {"delay": clock.milliseconds(clock.delay)}
    first, second = population.source.checked(population.name, population.size, clock.dt)
    if isinstance(population.source, PoissonSource):
        assert isinstance(second, int)
        rates = first / clock.dt
        if not second:
            parameters = {"rate": _each(rates[0]), "start": clock.spike_device_start(0)}
            generators = nest.Create("poisson_generator", rates.shape[1], parameters)
        else:
            times = [clock.relayed_time(bin_ * second) for bin_ in range(len(rates) + 1)]
            courses = [{"rate_times": times, "rate_values": [*row, 0.0]} for row in rates.T.tolist()]
            generators = nest.Create("inhomogeneous_poisson_generator", rates.shape[1])
            generators.set(courses)
        _spread(nest, generators, relays, delay)
        return relays
    steps, neurons = first, np.asarray(second)
    order = np.argsort(neurons, kind="stable")
    active, starts = np.unique(neurons[order], return_index=True)
    if active.size:
        all_times = np.array([clock.relayed_time(int(step)) for step in steps[order]])
        generators = nest.Create("spike_generator", active.size)
        generators.set([{"spike_times": part} for part in np.split(all_times, starts[1:])])
        nest.Connect(generators, relays[active.tolist()], "one_to_one", delay)
    return relays


def _each(values: np.ndarray) -> Any:
    return float(values[0]) if values.size == 1 else values


def _spread(nest: Any, generators: Any, cells: Any, spec: dict[str, Any]) -> None:
    """Connects one generator with all cells, or each with its own; the weight may be one for each cell."""
    weight = spec.get("weight")
    if isinstance(weight, np.ndarray) and weight.size == 1:
        weight = float(weight[0])
        spec = {**spec, "weight": weight}
    if len(generators) == len(cells):
        nest.Connect(generators, cells, "one_to_one", spec)
        return
    if isinstance(weight, np.ndarray):
        spec = {**spec, "weight": weight[:, None]}
    nest.Connect(generators, cells, "all_to_all", spec)

"""A network as text: what a methods section has to say (Nordlie, Gewaltig and Plesser 2009, PLoS Comput Biol 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from spikelab.sim.units import show

if TYPE_CHECKING:
    from spikelab.sim.declaration import Declaration
    from spikelab.sim.population import Population


def describe(network: Declaration) -> str:
    """Populations with their equations and parameters, projections, inputs and what is recorded."""
    lines = [f"time step {show(network.dt, 's')}, seed {network.seed}, {network.dtype}"]
    for population in network.populations.values():
        lines += ["", *_population(population)]
    if network.projections:
        lines += ["", "Projections:"]
    for projection in network.projections:
        synapses = network.synapses(projection)
        unit = projection.target.population.receptors[projection.receptor]
        delays = np.asarray(synapses.delays) * network.dt
        parts = [
            f"{projection.source} to {projection.target}, receptor {projection.receptor}: {projection.wiring!r}",
            f"{synapses.count} synapses",
            f"weight {_values(synapses.weights, unit)}",
            f"delay {_values(delays, 's')}",
            *([f"plasticity {projection.plasticity!r}"] if projection.plasticity is not None else []),
        ]
        lines.append("    " + ", ".join(parts))
    if network.inputs:
        lines += ["", "Inputs:"]
    for record in network.inputs:
        lines.append(f"    {type(record.input).__name__} into {record.target}, receptor {record.receptor}")
    return "\n".join(lines)


def _population(population: Population) -> list[str]:
    if population.neuron is None:
        return [f"{population.name}: {population.size} of {type(population.source).__name__}"]
    spec = population.neuron
    lines = [f"{population.name}: {population.size} of {spec.title[0].lower()}{spec.title[1:]}"]
    lines += [f"    d{state.name}/dt = {state.derivative}" for state in spec.states]
    if spec.gate is not None:
        lines.append(f"    spike where {spec.gate} > 0; then {spec.membrane} <- {_reset(population)}")
        lines += [f"    on a spike {each.name} <- {each.after_spike}" for each in spec.states if each.after_spike]
    if population.refractory:
        lines.append(f"    refractory for {show(population.refractory, 's')}")
    units = {each.name: each.unit for each in spec.parameters} | {each.name: each.unit for each in spec.states}
    lines += _named(population.parameters, units, "    ")
    lines += _named(population.initial, units, "    starts at ")
    return lines


def _reset(population: Population) -> str:
    assert population.neuron is not None
    return population.neuron.resets[population.reset or population.neuron.default_reset]


def _named(values: Mapping[str, Any], units: Mapping[str, str], indent: str) -> list[str]:
    return [f"{indent}{name} = {_values(value, units[name])}" for name, value in values.items()]


def _values(value: Any, unit: str) -> str:
    """One value, or the range and mean of several."""
    if np.ndim(value) == 0:
        return show(float(value), unit)
    if not np.size(value):
        return "(none)"
    low, high, mean = float(np.min(value)), float(np.max(value)), float(np.mean(value))
    return f"{show(low, unit)} to {show(high, unit)}, mean {show(mean, unit)}" if low < high else show(low, unit)

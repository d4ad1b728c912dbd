"""A network as text: what a methods section has to say (Nordlie, Gewaltig and Plesser 2009, PLoS Comput Biol 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from spikelab.sim.distributions import Distribution
from spikelab.sim.inputs import NoiseCurrent, PoissonInput
from spikelab.sim.monitors import SpikeMonitor, StateMonitor
from spikelab.sim.sources import PoissonSource
from spikelab.sim.units import show, si

if TYPE_CHECKING:
    from spikelab.sim.declaration import Declaration
    from spikelab.sim.inputs import InputRecord
    from spikelab.sim.monitors import Monitor
    from spikelab.sim.population import Population
    from spikelab.sim.projection import Projection


def describe(network: Declaration) -> str:
    """Populations with their equations and parameters, projections, inputs and what is recorded."""
    lines = [f"time step {show(network.dt, 's')}, seed {network.seed}, {network.dtype}"]
    for population in network.populations.values():
        lines += ["", *_population(population, network.dt)]
    for title, parts in (
        ("Projections", [_projection(each, network) for each in network.projections]),
        ("Inputs", [_input(each) for each in network.inputs]),
        ("Recorded", [_monitor(each) for each in network.monitors]),
    ):
        if parts:
            lines += ["", f"{title}:", *(f"    {line}" for part in parts for line in part)]
    return "\n".join(lines)


def _population(population: Population, dt: float) -> list[str]:
    spec, name = population.neuron, f"{population.name}, {population.size} neurons:"
    if spec is None:
        source, kind = population.source, type(population.source).__name__
        rate = ""
        if isinstance(source, PoissonSource):
            rate = f" of {_values(si(source.rate, 'Hz', 'rate'), 'Hz')}"
        lines = [f"{name} {kind}{rate}"]
        return lines + _indented(_common(population))
    lines = [f"{name} {spec.title}"]
    body = spec.equations(population.reset or spec.default_reset)
    body += [f"a spike of weight 1 {r.unit} at {r.name} raises {r.state} by {r.jump}" for r in spec.receptors]
    body.append(f"stepped by the method {population.method or spec.default_method}")
    if population.refractory:
        steps = round(population.refractory / dt)
        body.append(f"refractory for {show(population.refractory, 's')} ({steps} steps from spike to spike at least)")
    units = {each.name: each.unit for each in spec.parameters} | {each.name: each.unit for each in spec.states}
    body += _named(population.parameters, units, population.given)
    body += [f"starts at {each}" for each in _named(population.initial, units, population.given, "initial ")]
    if np.any(population.bias):
        body += _named({"bias": population.bias}, {"bias": spec.input_unit}, population.given)
    return lines + _indented(body + _common(population))


def _common(population: Population) -> list[str]:
    lines = [f"all its weights are {population.sign}"] if population.sign else []
    if population.positions is not None and population.size:
        low, high = population.positions.min(axis=0), population.positions.max(axis=0)
        sides = " x ".join(f"{show(a, 'm')} to {show(b, 'm')}" for a, b in zip(low, high, strict=True))
        lines.append(f"placed in {sides}")
    return lines


def _projection(projection: Projection, network: Declaration) -> list[str]:
    unit = projection.target.population.receptors[projection.receptor]
    lines = [f"{projection.source} to {projection.target}, receptor {projection.receptor}: {projection.wiring!r}"]
    if network.wire_at_once:
        synapses = network.synapses(projection)
        delays = np.asarray(synapses.delays) * network.dt
        body = [
            f"{synapses.count} synapses, weight {_values(synapses.weights, unit, projection.weight)}, delay "
            f"{_values(delays, 's', projection.delay)}"
        ]
    else:
        body = [f"weight {projection.weight!r}, delay {projection.delay!r}, wired when it is needed"]
    rule = projection.plasticity
    if rule is not None:
        body += [f"plasticity: {rule.rule.title}", *_indented(rule.rule.equations())]
        numbers = rule.constants(unit, str(projection)).parameters
        body += _indented([f"{name} = {value:g}" for name, value in dict(numbers).items()])
        if rule.rule.modulated:
            body.append(f"    modulator {_fields(rule.modulator)}")
        if rule.rewiring is not None:
            body.append(f"    rewired: {_fields(rule.rewiring)}")
    return lines + _indented(body)


def _input(record: InputRecord) -> list[str]:
    population, given = record.target.population, record.input
    unit, (first, second) = population.receptors[record.receptor], record.numbers
    if isinstance(given, PoissonInput):
        rate = _values(si(given.rate, "Hz", "rate"), "Hz") if not isinstance(given.rate, Distribution) else given.rate
        what = f"rate {rate}, weight {_values(second, unit, given.weight)}"
    elif isinstance(given, NoiseCurrent):
        what = f"mean {_values(first, unit, given.mean)}, standard deviation {_values(second, unit)} a step"
    else:
        what = f"{len(first)} values of {_values(second, unit)}"
    return [f"{type(given).__name__} into {record.target}, receptor {record.receptor}: {what}"]


def _monitor(monitor: Monitor) -> list[str]:
    if isinstance(monitor, SpikeMonitor):
        return [f"spikes of {monitor.recorded}"]
    what = ", ".join(monitor.names) if isinstance(monitor, StateMonitor) else type(monitor).__name__[:-7].lower()
    return [f"{what} of {monitor.recorded}, every {show(monitor.every * monitor.dt, 's')}"]


def _named(
    values: Mapping[str, Any], units: Mapping[str, str], given: Mapping[str, Any], prefix: str = ""
) -> list[str]:
    return [f"{name} = {_values(value, units[name], given.get(prefix + name))}" for name, value in values.items()]


def _values(value: Any, unit: str, given: Any = None) -> str:
    """One value, or the range and mean of several, after the distribution that they were drawn from."""
    if np.size(value) == 1 and not isinstance(given, Distribution):
        return show(float(np.ravel(value)[0]), unit)
    if not np.size(value):
        return "(none)"
    low, high, mean = float(np.min(value)), float(np.max(value)), float(np.mean(value))
    found = f"{show(low, unit)} to {show(high, unit)}, mean {show(mean, unit)}" if low < high else show(low, unit)
    return f"{given!r} ({found})" if isinstance(given, Distribution) else found


def _fields(record: Any) -> str:
    """The fields of a record, or the number that stands in its place."""
    names = [each.name for each in fields(record)] if hasattr(record, "__dataclass_fields__") else []
    return ", ".join(f"{name} {getattr(record, name)}" for name in names) if names else str(record)


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]

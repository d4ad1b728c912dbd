"""A population as NEST's nodes: model, parameters, starting values, and where its receptors are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import sympy as sp

from spikelab.neurons.expression import parse
from spikelab.sim.nest_engine.nest_units import NEST_UNITS
from spikelab.sim.nest_engine.neuron_table import REFUSED_NEURONS, ROWS, Row
from spikelab.sim.nest_engine.recognise import Recognised, recognise
from spikelab.sim.nest_engine.support import ELSEWHERE, NotSupported
from spikelab.sim.population import Population


@dataclass(frozen=True)
class Signs:
    """Which weights can arrive at a receptor."""

    positive: bool = False
    negative: bool = False

    def __or__(self, other: Signs) -> Signs:
        return Signs(self.positive or other.positive, self.negative or other.negative)


@dataclass(frozen=True, eq=False)
class Port:
    """Where the spikes of a receptor go.

    Attributes:
        number: NEST's receptor_type.
        factor: of a weight in NEST's units: one number, or one for each neuron.
    """

    number: int
    factor: float | np.ndarray = 1.0


@dataclass(eq=False)
class NestPopulation:
    """What NEST has to be told about a population.

    Attributes:
        population: the record.
        row: of the table.
        parameters: NEST's name -> one number or one for each neuron, in NEST's units.
        lists: the same for parameters with one value for each port: [ports] of these.
        ports: receptor -> where its spikes go; a receptor at which nothing can arrive is absent.
        names: state -> NEST's names of which it is the sum, each with a factor of 1 or -1.
        start: state -> starting values in SI units, float64 [size].
    """

    population: Population
    row: Row
    parameters: dict[str, float | np.ndarray]
    lists: dict[str, list[float | np.ndarray]]
    ports: dict[str, Port]
    names: dict[str, dict[str, float]]
    start: dict[str, np.ndarray] = field(default_factory=dict)

    def unit(self, state: str) -> float:
        """How many of NEST's units one SI unit of a state is."""
        assert self.population.neuron is not None
        return NEST_UNITS[next(each.unit for each in self.population.neuron.states if each.name == state)]


def translate(population: Population, signs: Mapping[str, Signs], dt: float) -> NestPopulation:
    """Finds NEST's neuron for a population.

    Args:
        population: one with equations.
        signs: receptor -> which weights can arrive there; receptors at which nothing does may be absent.
        dt: time step in seconds.

    Raises:
        NotSupported: where there is none.
    """
    name, neuron = population.name, population.neuron
    assert neuron is not None
    found = recognise(neuron)
    if found is None:
        known = ", ".join(dict.fromkeys(row.neuron for row in ROWS))
        why = REFUSED_NEURONS.get(neuron.name, f"NEST can be given {known}, with receptors of the registry")
        raise NotSupported(f"population {name}: NEST has no neuron {neuron.name!r}: {why}; or {ELSEWHERE}")
    row, ports, filled = _choose(population, found, signs)
    _check_rule(population, row, dt)
    units = {each.name: NEST_UNITS[each.unit] for each in neuron.parameters}
    given = {key: np.multiply(value, units[key]) for key, value in population.parameters.items()}
    reset = neuron.resets[population.reset or neuron.default_reset]
    if reset != "0" and reset not in row.parameters.values():
        raise NotSupported(
            f"population {name}: NEST's {row.model} cannot reset by {population.reset or neuron.default_reset!r} "
            f"({neuron.membrane} <- {reset}): take reset='value', or {ELSEWHERE}"
        )
    result = {key: _value(text, given, dt) for key, text in row.parameters.items()}
    if reset == "0":
        result["V_reset"] = 0.0
    if row.refractory:
        result["t_ref"] = max(0, round(population.refractory / dt) - 1) * dt * 1e3
    lists: dict[str, list[float | np.ndarray]] = {}
    for parameter, theirs in row.slots.parameters.items():
        for receptor, slots in filled.items():
            value = _plain(given[f"{parameter}_{receptor}"])
            if row.slots.kind == "ports":
                lists.setdefault(theirs, []).append(value)
            else:
                result.update({theirs.format(slot): value for slot in slots})
    names = {ours: {theirs: 1.0} for ours, theirs in row.states.items()}
    signs_of_slots = {"in": -1.0} if row.slots.sizes else {}
    for receptor, slots in filled.items():
        for state, theirs in row.slots.states.items():
            names[f"{state}_{receptor}"] = {theirs.format(slot): signs_of_slots.get(slot, 1.0) for slot in slots}
    if row.current and "current" in signs:
        ports["current"] = Port(0, _value(row.current, given, dt))
    return NestPopulation(population, row, result, lists, ports, names, _start(population))


def _choose(
    population: Population, found: Recognised, signs: Mapping[str, Signs]
) -> tuple[Row, dict[str, Port], dict[str, tuple[str, ...]]]:
    """(row, ports, receptor -> slots) of the first row that fits."""
    name, kinds = population.name, sorted(set(found.receptors.values()))
    if len(kinds) > 1:
        raise NotSupported(
            f"population {name}: NEST has no neuron with receptors of the kinds {' and '.join(kinds)} together: use "
            f"one kind for all, or {ELSEWHERE}"
        )
    rows = [row for row in ROWS if row.neuron == found.neuron]
    method = population.method or (population.neuron.default_method if population.neuron else "")
    fitting = [row for row in rows if row.receptor in (kinds or ["delta", "current"])]
    of_method = [row for row in fitting if method in row.methods]
    if fitting and not of_method:
        methods = sorted({each for row in fitting for each in row.methods})
        raise NotSupported(
            f"population {name}: method {method!r} of {found.neuron} has no counterpart in NEST: give it "
            f"method={' or '.join(map(repr, methods))}, or {ELSEWHERE}"
        )
    reasons = []
    for row in of_method:
        if "current" in signs and not row.current:
            reasons.append(
                f"NEST's {row.model} knows no spike that is an input for one step (receptor 'current'): let it "
                f"arrive at another receptor"
            )
            continue
        try:
            return row, *_fill(row, list(found.receptors), signs)
        except NotSupported as error:
            reasons.append(str(error))
    what = f"{found.neuron} with {kinds[0] if kinds else 'no'} receptors"
    raise NotSupported(f"population {name}: {reasons[-1] if reasons else f'NEST has no {what}'}; or {ELSEWHERE}")


def _fill(
    row: Row, receptors: list[str], signs: Mapping[str, Signs]
) -> tuple[dict[str, Port], dict[str, tuple[str, ...]]]:
    """Which receptor goes where in a row's model."""
    arriving = {receptor: signs.get(receptor, Signs()) for receptor in receptors}
    if row.slots.kind == "membrane":
        return {receptor: Port(0) for receptor in receptors}, {}
    if row.slots.conductance and (negative := [name for name, sign in arriving.items() if sign.negative]):
        raise NotSupported(f"receptor {negative[0]!r} gets negative weights, and a conductance has none")
    if row.slots.kind == "ports":
        numbers = {receptor: number + 1 for number, receptor in enumerate(receptors)}
        return {key: Port(number) for key, number in numbers.items()}, {k: (str(n),) for k, n in numbers.items()}
    if len(receptors) > 2:
        raise NotSupported(
            f"NEST's {row.model} has two places for spikes, and there are {len(receptors)} receptors: use two"
        )
    if row.slots.conductance:
        slots = dict(zip(receptors, ("ex", "in"), strict=False))
        # NEST sends positive weights to the one and the others' size to the other
        factors = {"ex": 1.0, "in": -1.0}
        return {key: Port(0, factors[slot]) for key, slot in slots.items()}, {
            key: (slot,) for key, slot in slots.items()
        }
    if len(receptors) == 1:
        return {receptors[0]: Port(0)}, {receptors[0]: ("ex", "in")}
    for order in (receptors, receptors[::-1]):
        up, down = order
        if not arriving[up].negative and not arriving[down].positive:
            return {up: Port(0), down: Port(0)}, {up: ("ex",), down: ("in",)}
    raise NotSupported(
        f"NEST's {row.model} tells its two receptors apart by the sign of weights: let one of "
        f"{', '.join(receptors)} get no negative weight and the other no positive one"
    )


def _check_rule(population: Population, row: Row, dt: float) -> None:
    if not row.refractory and round(population.refractory / dt) > 1:
        raise NotSupported(
            f"population {population.name}: NEST's {row.model} has no refractory time, and refractory = "
            f"{population.refractory:g} s: leave it out, or {ELSEWHERE}"
        )
    if row.neuron == "izhikevich" and not np.all(population.parameters["time_unit"] == 1e-3):
        raise NotSupported(
            f"population {population.name}: time_unit must be 1 ms, as it always is in NEST's izhikevich; or "
            f"{ELSEWHERE}"
        )
    if row.neuron == "lif" and np.any(np.asarray(population.parameters["r"]) <= 0):
        raise NotSupported(
            f"population {population.name}: r must be above 0, for NEST divides by it (C_m = tau_mem / r); change the "
            f"sign of weights and inputs, or {ELSEWHERE}"
        )


def _start(population: Population) -> dict[str, np.ndarray]:
    """Where every state starts, SI."""
    assert population.neuron is not None
    found = {}
    for state in population.neuron.states:
        value = population.initial.get(state.name)
        if value is None:
            value = _value(state.initial, population.parameters, 0.0)
        found[state.name] = np.full(population.size, value, float)
    return found


def _value(text: str, values: Mapping[str, float | np.ndarray], dt: float) -> float | np.ndarray:
    """An expression over parameters and ``dt`` (ms)."""
    known = {**values, "dt": dt * 1e3}
    symbols = {name: sp.Symbol(name, real=True) for name in known}
    expression = parse(text, symbols, text)
    used = sorted(symbol.name for symbol in expression.free_symbols)
    function = sp.lambdify([symbols[name] for name in used], expression, "numpy")
    return _plain(function(*(known[name] for name in used)))


def _plain(value: float | np.ndarray) -> float | np.ndarray:
    return np.asarray(value, float) if np.ndim(value) else float(value)

"""A plasticity rule as a synapse model of NEST."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from spikelab import registry
from spikelab.neurons.expression import parse
from spikelab.sim.nest_engine.nest_units import NEST_UNITS
from spikelab.sim.nest_engine.neurons import NestPopulation, Port
from spikelab.sim.nest_engine.plastic_table import PLASTIC_ROWS, REFUSED_RULES, PlasticRow
from spikelab.sim.nest_engine.support import ELSEWHERE, NotSupported
from spikelab.sim.projection import Projection


def row_of(projection: Projection) -> PlasticRow | None:
    """The table's row for a projection's rule; None for weights that stay.

    Raises:
        NotSupported: for a rule that NEST does not have.
    """
    if projection.plasticity is None:
        return None
    rule = projection.plasticity.rule
    if projection.plasticity.rewiring is not None:
        raise NotSupported(f"{projection}: NEST has no rewiring of weak synapses: leave it out, or {ELSEWHERE}")
    for row in PLASTIC_ROWS:
        if rule == registry.load("plasticity", row.rule):
            return row
    known = ", ".join(row.rule for row in PLASTIC_ROWS)
    why = REFUSED_RULES.get(rule.name, "no such rule is known there")
    raise NotSupported(f"{projection}: plasticity {rule.name!r} in NEST: {why}; take one of {known}, or {ELSEWHERE}")


def synapse_model(
    nest: Any, projection: Projection, row: PlasticRow, target: NestPopulation, port: Port
) -> tuple[str, float]:
    """Makes a model with the rule's numbers: (its name, tau_minus in ms of the target neurons or 0).

    Raises:
        NotSupported: for numbers that NEST's model does not take.
    """
    assert projection.plasticity is not None
    if np.ndim(port.factor):
        raise NotSupported(
            f"{projection}: plastic weights onto the receptor 'current' need neurons of one capacitance and time "
            f"constant in NEST, where such a spike moves the membrane; use a delta receptor, or {ELSEWHERE}"
        )
    unit = target.population.receptors[projection.receptor]
    weight_unit = NEST_UNITS[unit] * float(port.factor)
    numbers = projection.plasticity.constants(unit, str(projection)).parameters
    units = {
        each.name: weight_unit if each.unit == "weight" else NEST_UNITS[each.unit]
        for each in projection.plasticity.rule.parameters
    }
    ours = {name: value * units[name] for name, value in numbers.items()}
    for name in row.positive:
        if not ours[name] > 0:
            raise NotSupported(
                f"{projection}: {row.rule}: {name} = {numbers[name]:g} must be above 0 in NEST's {row.model}: or "
                f"{ELSEWHERE}"
            )
    name = f"{row.model}_{projection.number}"
    nest.CopyModel(row.model, name, {theirs: _number(text, ours) for theirs, text in row.parameters.items()})
    return name, ours[row.tau_minus] if row.tau_minus else 0.0


def _number(text: str, values: dict[str, float]) -> float:
    symbols = {name: sp.Symbol(name, real=True) for name in values}
    expression = parse(text, symbols, text)
    return float(expression.subs({symbols[name]: value for name, value in values.items()}))

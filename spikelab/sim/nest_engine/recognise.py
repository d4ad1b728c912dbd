"""Finds, by its equations, which registered neuron with which receptors a population consists of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from spikelab import registry
from spikelab.neurons.receptor import MEMBRANE, ReceptorModel, with_receptors
from spikelab.neurons.spec import NeuronSpec, Receptor
from spikelab.sim.nest_engine.neuron_table import ROWS


@dataclass(frozen=True)
class Recognised:
    """A neuron taken apart.

    Attributes:
        neuron: registered name of the neuron alone.
        receptors: name of each receptor -> registered name of its model, in order.
    """

    neuron: str
    receptors: dict[str, str]


@lru_cache(maxsize=64)
def recognise(neuron: NeuronSpec) -> Recognised | None:
    """The registered neuron and receptors that have these equations, or None.

    Names of parameters and states have to agree, titles and default values need not.
    """
    models = {receptor.name: _model(neuron, receptor) for receptor in neuron.receptors}
    if None in models.values():
        return None
    chosen = {name: model for name, model in models.items() if model is not None}
    for name in dict.fromkeys(row.neuron for row in ROWS):
        base: NeuronSpec = registry.load("neurons", name)
        if not set(base.state_names) <= set(neuron.state_names) or base.input_unit != neuron.input_unit:
            continue
        try:
            composed = with_receptors(base, chosen)
        except ValueError:
            continue
        if _equations(composed) == _equations(neuron):
            return Recognised(name, {receptor: model.name for receptor, model in chosen.items()})
    return None


def _model(neuron: NeuronSpec, receptor: Receptor) -> ReceptorModel | None:
    """The registered model with the most names in common, all of which the neuron has."""
    found: list[tuple[int, ReceptorModel]] = []
    for name in registry.names("receptors"):
        model: ReceptorModel = registry.load("receptors", name)
        states = {f"{state.name}_{receptor.name}" for state in model.states}
        parameters = {f"{parameter.name}_{receptor.name}" for parameter in model.parameters}
        arrival = neuron.membrane if model.arrival == MEMBRANE else f"{model.arrival}_{receptor.name}"
        if (
            arrival == receptor.state
            and states <= set(neuron.state_names)
            and parameters <= set(neuron.parameter_names)
        ):
            found.append((len(states) + len(parameters), model))
    return max(found, key=lambda each: each[0])[1] if found else None


def _equations(neuron: NeuronSpec) -> tuple[Any, ...]:
    """All that decides what a neuron does."""

    def read(text: str | None) -> Any:
        return None if text is None else neuron.expression(text, "equation")

    return (
        {
            state.name: (
                (state.unit, state.initial, state.held_while_refractory),
                (read(state.derivative), read(state.after_spike)),
            )
            for state in neuron.states
        },
        {(parameter.name, parameter.unit) for parameter in neuron.parameters},
        (neuron.membrane, neuron.input_unit, read(neuron.gate), neuron.upward_crossing),
        {name: read(value) for name, value in neuron.resets.items()},
        tuple((each.name, each.state, read(each.jump), each.unit) for each in neuron.receptors),
    )

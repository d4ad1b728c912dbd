"""The registered neuron, its parameters and its receptor for each neuron node of a NIR graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import sympy as sp

from spikelab.io.nir_fields import NEURONS
from spikelab.io.nir_graph import Graph, Node
from spikelab.io.nir_reading import Reading, reset_of
from spikelab.neurons.discretise import discretise
from spikelab.neurons.spec import INPUT, NeuronSpec, Receptor
from spikelab.neurons.step import find_neuron

#: Primitive -> registered neuron.
_NAMES = {"I": "integrator", "LI": "li", "IF": "if", "LIF": "lif", "CubaLI": "cuba_li", "CubaLIF": "cuba_lif"}
#: Where the spikes of ``input_form`` "impulse" arrive.
IMPULSE = "impulse"


@dataclass(frozen=True)
class Neurons:
    """What a node becomes.

    Attributes:
        spec: the neuron.
        parameters: one number, or one for each neuron in the order of its array.
        method: discretisation; "" for the neuron's own.
        reset: "" for the neuron's own.
        receptor: where its input arrives: "current" or ``IMPULSE``.
    """

    spec: NeuronSpec
    parameters: Mapping[str, Any] = field(default_factory=dict)
    method: str = ""
    reset: str = ""
    receptor: str = "current"


def neurons_of(graph: Graph, reading: Reading, problems: list[str]) -> dict[str, Neurons]:
    """Node -> neurons, for every neuron and Threshold node; adds to the problems what has no form, by its name."""
    found = {}
    for name, node in graph.nodes.items():
        if node.broken:
            continue
        try:
            if node.kind == "Threshold":
                assert reading.dt is not None
                threshold = _flat(node.fields["threshold"])
                found[name] = memoryless("lif", reading.dt, reset="zero", v_threshold=threshold)
            elif node.kind in NEURONS:
                found[name] = _neurons(node, reading.neurons.get(name, {}), reading)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    return found


def memoryless(neuron: str, dt: float, reset: str = "", **parameters: Any) -> Neurons:
    """Neurons whose membrane is, in each step, what arrives in it: forward Euler with a time constant of one step."""
    return Neurons(find_neuron(neuron), {"tau_mem": dt, "r": 1.0, **parameters}, "euler", reset)


def rests_above_threshold(neurons: Neurons) -> bool:
    """Whether they spike without input."""
    if not neurons.spec.spikes:
        return False
    rest, threshold = (np.asarray(neurons.parameters.get(name, 0.0)) for name in ("v_leak", "v_threshold"))
    return bool((rest > threshold).any())


def _neurons(node: Node, noted: Mapping[str, Any], reading: Reading) -> Neurons:
    spec = find_neuron(_NAMES[node.kind])
    values = {"tau_mem" if name == "tau" else name: value for name, value in node.fields.items() if value is not None}
    parameters = {name: _flat(value) for name, value in values.items()}
    for name, value in parameters.items():
        for extreme in (np.min(value), np.max(value)):
            spec.parameter(name).check(float(extreme), spec.name)
    method = reading.method or noted.get("method", "") or spec.default_method
    reset = reset_of(node, noted, reading) if spec.spikes else ""
    if reset == "value" and "v_reset" not in parameters:
        parameters["v_reset"] = 0.0
    if spec.spikes and reset not in spec.resets:
        raise ValueError(f"reset = {reset!r} must be one of {', '.join(map(repr, spec.resets))}")
    # refuses a method that is none, or not for these equations
    discretise(spec, method)
    form = reading.input_form or noted.get("input_form", "current")
    if form not in ("current", IMPULSE):
        raise ValueError(f"input_form = {form!r} must be 'current' or 'impulse'")
    if form == "current":
        return Neurons(spec, parameters, method, reset)
    return Neurons(_with_impulses(spec, method), parameters, method, reset, IMPULSE)


def _with_impulses(spec: NeuronSpec, method: str) -> NeuronSpec:
    """The neuron with a receptor at which a spike is its input, integrated over the step and delivered at its end."""
    jumps = {
        state.name: sp.simplify(sp.diff(spec.expression(state.derivative, state.name), spec.symbols[INPUT]))
        for state in spec.states
    }
    ((state, jump),) = ((name, jump) for name, jump in jumps.items() if jump != 0)
    if method == "semi_implicit_euler" and state != spec.membrane:
        raise ValueError(
            f"{method} lets {spec.membrane} see within the step an impulse that raises {state}, and the simulator "
            f"delivers it at the end; take input_form='current' or another method"
        )
    return replace(spec, receptors=(Receptor(IMPULSE, state, str(jump), spec.input_unit),))


def _flat(value: np.ndarray) -> float | np.ndarray:
    """One number where all are alike, else one for each neuron."""
    flat = np.asarray(value, np.float64).reshape(-1)
    return float(flat[0]) if (flat == flat[0]).all() else flat

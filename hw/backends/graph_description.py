"""An integer graph as a readable document beside arrays: enough to build it in hardware without reading this code."""

from __future__ import annotations

from fractions import Fraction
from inspect import getdoc
from typing import Any

import numpy as np

from spikelab import registry
from spikelab.hw.arithmetic import FUNCTIONS
from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne
from spikelab.hw.equal_graphs import neuron_differences
from spikelab.hw.ir import IntegerGraph, Population
from spikelab.hw.neuron import IntegerNeuron

FORMAT = "spikelab integer graph"
VERSION = 1
_STEPS = (
    "Everything is a whole number. The steps are t = 1, 2, 3, ...; all states are 0 before the first.",
    "At each step, populations are updated in the order given. For each of a population's inputs (ports), the sums of "
    "all connections to it are added; that is the input's value in the neuron's equations.",
    "A connection's sum: weight times the message that its source sent `delay` steps ago, added over all sources; "
    "messages from before the first step are 0. A delay of 0 means this very step. Single weights of a dense "
    "connection may have `weight_delay` further steps.",
    "The sum is shifted: times 2^exponent; for a negative exponent divided by 2^-exponent and rounded to the smaller "
    "number. Where wrap_bits = n is not 0, it is then taken modulo 2^n into -2^(n-1) to 2^(n-1) - 1.",
    "Where pool is not [1, 1], messages of each window of the source [C, H, W] are summed first; rows and columns that "
    "fill no window are left out. Weights then apply to these sums.",
    "dense: weight [targets, sources]; populations of several dimensions are flattened, last index fastest. "
    "one_to_one: each neuron hears the one of the same index, times its weight or the only weight. "
    "convolution: weight [C_out, C_in / groups, rows, columns], applied without flipping: "
    "out[o, y, x] = sum of weight[o, c, i, j] * in[c, y * stride[0] + i * dilation[0] - padding[0], "
    "x * stride[1] + j * dilation[1] - padding[1]], with 0 outside the picture.",
    "A neuron's lines are worked out from the first to the last; a name assigned in one line is used with its new "
    "value in the next. States keep their last value until the next step. `message` is what is sent. `a` is an input, "
    "`t` the number of the step, the others are states and parameters; parameters that are not given have their "
    "default.",
    "scale says what one unit is worth in the real-valued network, as [numerator, denominator]: of a population's "
    "membrane (one for all, or one for each index of the first dimension), or of an input's message of one.",
)


def describe(graph: IntegerGraph) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The document and the arrays that it speaks of.

    Raises:
        ValueError: lists the populations whose neuron is not the registered one of its name; it could not be read.
    """
    kinds = {p.neuron.name: p.neuron for p in graph.populations}
    problems = [text for neuron in kinds.values() for text in _registered_problems(neuron)]
    if problems:
        raise ValueError("cannot be stored by name:\n" + "\n".join(problems))
    arrays: dict[str, np.ndarray] = {}
    document = {
        "format": FORMAT,
        "format_version": VERSION,
        "arithmetic": {
            "steps": list(_STEPS),
            "operations": {name: " ".join((getdoc(f) or "").split()) for name, f in FUNCTIONS.items()}
            | {"abs": "``abs(x)``: the magnitude of x."},
        },
        "dt_seconds": graph.dt,
        "inputs": [
            {"name": name, "shape": list(i.shape), "low": int(i.low), "high": int(i.high), "scale": _pair(i.scale)}
            for name, i in graph.inputs.items()
        ],
        "populations": [_population(k, p, arrays) for k, p in enumerate(graph.populations)],
        "connections": [_connection(k, c, arrays) for k, c in enumerate(graph.connections)],
        "outputs": [
            {"name": o.name, "population": o.population, "value": o.value, "lag": o.lag} for o in graph.outputs
        ],
        "neurons": {name: describe_neuron(neuron) for name, neuron in kinds.items()},
    }
    return document, arrays


def describe_neuron(neuron: IntegerNeuron) -> dict[str, Any]:
    """A neuron in words and equations."""
    return {
        "title": neuron.title,
        "inputs": list(neuron.inputs),
        "input_bits": neuron.input_bits,
        "states": [{"name": s.name, "bits": s.bits, "meaning": s.meaning} for s in neuron.states],
        "parameters": [
            {
                "name": p.name,
                "low": p.low,
                "high": p.high,
                "default": p.default,
                "one_for_each_neuron": p.per_neuron,
                "meaning": p.meaning,
            }
            for p in neuron.parameters
        ],
        "lines": [f"{name} = {text}" for name, text in neuron.lines],
        "message_bits": neuron.message_bits,
        "source": neuron.source,
    }


def _registered_problems(neuron: IntegerNeuron) -> list[str]:
    if neuron.name not in registry.names("integer_neurons"):
        return [f"neuron {neuron.name!r} is not registered; add it to the integer_neurons of spikelab/registry.py"]
    known = registry.load("integer_neurons", neuron.name)
    return [f"neuron {neuron.name!r} is not the registered one: {text}" for text in neuron_differences(known, neuron)]


def _pair(value: Fraction | None) -> list[int] | None:
    return None if value is None else [value.numerator, value.denominator]


def _population(place: int, population: Population, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for name, value in population.parameters.items():
        if np.ndim(value) == 0:
            parameters[name] = int(value)
        else:
            key = f"population_{place}_{name}"
            arrays[key] = np.asarray(value)
            parameters[name] = {"array": key}
    return {
        "name": population.name,
        "neuron": population.neuron.name,
        "shape": list(population.shape),
        "parameters": parameters,
        "scale": [_pair(Fraction(value)) for value in population.scale],
    }


def _connection(place: int, c: Connection, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    kinds = {Dense: "dense", Convolution: "convolution", OneToOne: "one_to_one"}
    arrays[f"connection_{place}_weight"] = c.weights.weight
    found: dict[str, Any] = {
        "source": c.source,
        "target": c.target,
        "port": c.port,
        "kind": kinds[type(c.weights)],
        "weight": {"array": f"connection_{place}_weight"},
        "delay": c.delay,
        "exponent": c.exponent,
        "wrap_bits": c.wrap_bits,
        "pool": list(c.pool),
    }
    if isinstance(c.weights, Convolution):
        found |= {name: list(getattr(c.weights, name)) for name in ("stride", "padding", "dilation")}
        found["groups"] = c.weights.groups
    if isinstance(c.weights, Dense) and c.weights.delay is not None:
        arrays[f"connection_{place}_delay"] = c.weights.delay
        found["weight_delay"] = {"array": f"connection_{place}_delay"}
    return found

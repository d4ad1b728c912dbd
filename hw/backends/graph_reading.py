"""An integer graph from the document that ``graph_description`` writes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from spikelab import registry
from spikelab.hw.backends.fields import Fields, FileProblem
from spikelab.hw.backends.graph_description import FORMAT, VERSION, describe_neuron
from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne
from spikelab.hw.ir import Input, IntegerGraph, IntegerGraphError, Output, Population
from spikelab.hw.neuron import IntegerNeuron

#: Neurons of a population at most; and bits that a sum can be shifted by.
_MOST_NEURONS = 2**27
_LARGEST = 2**62
_MOST_SHIFT = 62


def check_format(document: Fields) -> None:
    """That the file is of this format and version.

    Raises:
        FileProblem: if not.
    """
    found = document.get("format")
    if found != FORMAT:
        raise document.problem("format", found, repr(FORMAT))
    version = document.whole("format_version")
    if version != VERSION:
        raise document.problem("format_version", version, f"{VERSION}; read it with the spikelab that wrote it")


def graph_from(document: Fields, arrays: Mapping[str, np.ndarray]) -> IntegerGraph:
    """The graph that a document describes.

    Raises:
        FileProblem: names the first field that is not as it should be, or lists all that is wrong with the graph.
    """
    check_format(document)
    neurons = document.object("neurons")
    kinds = {name: _neuron(name, neurons.object(name)) for name in neurons.names()}
    dt = None
    if document.has("dt_seconds"):
        dt = document.get("dt_seconds")
        if isinstance(dt, bool) or not isinstance(dt, int | float) or not 0 < dt < math.inf:
            raise document.problem("dt_seconds", dt, "seconds above 0, or null")
    try:
        return IntegerGraph(
            {i.text("name"): _input(i) for i in _unique(document, "inputs")},
            [_population(p, kinds, arrays) for p in document.objects("populations")],
            [_connection(c, arrays) for c in document.objects("connections")],
            None if dt is None else float(dt),
            [_output(o) for o in document.objects("outputs")],
        )
    except IntegerGraphError as error:
        raise FileProblem(f"{document.path}: {error}") from error


def _neuron(name: str, stored: Fields) -> IntegerNeuron:
    """The registered neuron of a name, if it is the stored one."""
    known = registry.names("integer_neurons")
    if name not in known:
        raise FileProblem(
            f"{stored.path}: {stored.where} is not known; {registry.suggestion(name, known)}. Neurons are taken from "
            f"this list only, never from a file"
        )
    neuron: IntegerNeuron = registry.load("integer_neurons", name)
    ours = describe_neuron(neuron)
    lines = stored.texts("lines")
    for place in range(max(len(lines), len(ours["lines"]))):
        theirs, own = (given[place] if place < len(given) else "no line" for given in (lines, ours["lines"]))
        if theirs != own:
            raise FileProblem(
                f"{stored.path}: neuron {name!r}, line {place + 1}: the file says {theirs[:200]!r}, this spikelab "
                f"{own!r}; read it with the version that wrote it"
            )
    for field in ("inputs", "input_bits", "message_bits", "states", "parameters"):
        theirs = _without_words(stored.get(field))
        if theirs != _without_words(ours[field]):
            raise FileProblem(
                f"{stored.path}: neuron {name!r}: {field} are {str(theirs)[:200]} in the file, but "
                f"{_without_words(ours[field])} in this spikelab; read it with the version that wrote it"
            )
    return neuron


def _without_words(values: Any) -> Any:
    """Without what explains, which may be worded anew."""
    if not isinstance(values, list):
        return values
    return [{k: v for k, v in x.items() if k != "meaning"} if isinstance(x, dict) else x for x in values]


def _unique(document: Fields, name: str) -> list[Fields]:
    found = list(document.objects(name))
    names = [f.text("name") for f in found]
    for field, given in zip(found, names, strict=True):
        if names.count(given) > 1:
            raise field.problem("name", given, "unique")
    return found


def _input(stored: Fields) -> Input:
    low, high = stored.whole("low", -_LARGEST, _LARGEST), stored.whole("high", -_LARGEST, _LARGEST)
    return Input(_neurons(stored), low, high, stored.fraction("scale"))


def _neurons(stored: Fields) -> tuple[int, ...]:
    shape = stored.shape("shape")
    if math.prod(shape) > _MOST_NEURONS:
        raise stored.problem("shape", list(shape), f"at most {_MOST_NEURONS} neurons")
    return shape


def _array(stored: Fields, name: str, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    key = stored.object(name).text("array")
    if key not in arrays:
        raise stored.problem(f"{name}.array", key, f"one of {', '.join(arrays) or 'none'}")
    return arrays[key]


def _population(stored: Fields, kinds: Mapping[str, IntegerNeuron], arrays: Mapping[str, np.ndarray]) -> Population:
    given = stored.object("parameters")
    parameters = {
        name: _array(given, name, arrays) if isinstance(given.get(name), dict) else given.whole(name)
        for name in given.names()
    }
    neuron = kinds[stored.one_of("neuron", list(kinds))]
    return Population(stored.text("name"), neuron, _neurons(stored), parameters, stored.fractions("scale"))


def _connection(stored: Fields, arrays: Mapping[str, np.ndarray]) -> Connection:
    return Connection(
        stored.text("source"),
        stored.text("target"),
        _weights(stored, arrays),
        stored.whole("delay", 0, 2**20),
        stored.whole("exponent", -_MOST_SHIFT, _MOST_SHIFT),
        stored.whole("wrap_bits", 0, _MOST_SHIFT),
        stored.text("port"),
        stored.pair("pool", 1),
    )


def _weights(stored: Fields, arrays: Mapping[str, np.ndarray]) -> Dense | Convolution | OneToOne:
    kind = stored.one_of("kind", ("dense", "convolution", "one_to_one"))
    weight = _array(stored, "weight", arrays)
    if kind == "dense":
        delay = _array(stored, "weight_delay", arrays) if stored.has("weight_delay") else None
        if delay is not None and delay.max(initial=0) > 2**20:
            raise stored.problem("weight_delay", int(delay.max()), f"at most {2**20} steps")
        return Dense(weight, delay)
    if kind == "one_to_one":
        return OneToOne(weight)
    if weight.ndim != 4 or 0 in weight.shape:
        raise stored.problem("weight", list(weight.shape), "of shape [C_out, C_in / groups, rows, columns]")
    groups = stored.whole("groups", 1, 2**20)
    return Convolution(weight, stored.pair("stride", 1), stored.pair("padding", 0), stored.pair("dilation", 1), groups)


def _output(stored: Fields) -> Output:
    return Output(
        stored.text("name"), stored.text("population"), stored.text("value"), stored.whole("lag", -(2**20), 2**20)
    )

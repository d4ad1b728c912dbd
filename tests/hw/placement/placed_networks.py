"""Networks that are mapped in these tests, and what must hold for every placement."""

from __future__ import annotations

import json
import math

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne, convolved_shape
from spikelab.hw.ir import Input, IntegerGraph, Output, Population
from spikelab.hw.neurons.speck import SPECK_IF
from spikelab.hw.place import Placement, place
from spikelab.hw.placement.pieces import Pieces, neurons_of
from spikelab.hw.placement.resources import need
from spikelab.hw.targets import load_target

LOIHI = {"du": 4095, "dv": 400, "vth": 100}
SPECK = {"v_threshold": 200}
XYLO = {"dash_syn": 2, "dash_mem": 3, "threshold": 500}
GENERIC = {"keep_mem": 30000, "v_threshold": 500}
WHOLE = settings(max_examples=40)


def even(seed, shape, most=127):
    """Weights of both signs that every target can store."""
    return np.random.default_rng(seed).integers(-most // 2, most // 2, shape) * 2


def chain(neuron, parameters, delay, *layers, source=(2, 32, 32), given=None):
    """Layers (name, shape, weights, further arguments of the connection) one after the other."""
    populations, connections, before = [], [], "input"
    for name, shape, weights, *rest in layers:
        populations.append(Population(name, neuron, shape, parameters))
        extra = rest[0] if rest else {}
        connections.append(Connection(before, name, weights, **{"delay": delay, **extra}))
        before = name
    return IntegerGraph({"input": given or Input(source)}, populations, connections)


def speck(*layers, source=(2, 32, 32)):
    return chain(SPECK_IF, SPECK, 0, *layers, source=source)


def halsie(neuron, parameters, delay, side=128, widths=(32, 64, 128)):
    """Two convolutions a stage, the first of stride 2, and a readout of each stage."""
    populations, connections, outputs = [], [], []
    before, channels = "input", 2
    for stage, width in enumerate(widths, 1):
        side //= 2
        for letter, stride in (("a", 2), ("b", 1)):
            name = f"conv{stage}{letter}"
            weight = even(stage, (width, channels, 3, 3))
            populations.append(Population(name, neuron, (width, side, side), parameters))
            connections.append(Connection(before, name, Convolution(weight, (stride, stride), (1, 1)), delay))
            before, channels = name, width
        populations.append(Population(f"readout{stage}", neuron, (width, side, side), parameters))
        connections.append(Connection(before, f"readout{stage}", OneToOne(np.array([2])), delay))
        outputs.append(Output(f"readout{stage}", f"readout{stage}"))
    return IntegerGraph({"input": Input((2, 2 * side * 4, 2 * side * 4))}, populations, connections, None, outputs)


def needs_of(graph, target, name):
    pieces = Pieces(graph)
    piece = pieces.of(name)[0]
    return {key: need(resource, piece, pieces) for key, resource in load_target(target).resources.items()}


def check(placement: Placement):
    """No core holds more than it has, and every neuron lies at one place or is said to have none."""
    target = placement.target
    for core in placement.cores:
        if target.packing != "whole":
            for name, number in target.capacities[core.number].items():
                assert core.used[name] <= number.most, (core.number, name)
        for name, units in core.used.items():
            assert units == sum(placed.used[name] for placed in core.pieces)
    assert len({core.number for core in placement.cores}) == len(placement.cores)
    for p in placement.graph.populations:
        seen = np.zeros(p.size, int)
        pieces = [placed.piece for core in placement.cores for placed in core.pieces]
        for piece in [*pieces, *placement.unplaced]:
            if piece.population == p.name:
                seen[neurons_of(piece, p.shape)] += 1
        assert (seen == 1).all(), p.name
    if placement.fits:
        assert not placement.unplaced
    assert json.loads(json.dumps(placement.report()))["fits"] is placement.fits
    for violation in placement.violations:
        assert violation.where in placement.text()
        assert violation.remedy
        assert violation.message in placement.text()


LAYERS = st.lists(
    st.tuples(st.sampled_from(["convolution", "dense"]), st.integers(1, 40), st.integers(1, 2), st.integers(0, 1)),
    min_size=1, max_size=5,
)  # fmt: skip


def random_network(seed, layers, side, neuron, parameters, delay):
    made, shape = [], (2, side, side)
    for k, (kind, width, stride, padding) in enumerate(layers):
        if kind == "convolution" and len(shape) == 3 and min(shape[1:]) >= 3:
            weights = Convolution(even(seed + k, (width, shape[0], 3, 3)), (stride, stride), (padding, padding))
            shape = convolved_shape(weights, shape)
        else:
            weights = Dense(even(seed + k, (width, math.prod(shape))))
            shape = (width,)
        made.append((f"layer{k}", shape, weights))
    return chain(neuron, parameters, delay, *made, source=(2, side, side))


def texts(graph, target):
    placement = place(graph, target)
    check(placement)
    assert not placement.fits
    return [violation.text for violation in placement.violations]


def conv(name, channels, source, **changed):
    options = {"stride": (1, 1), "padding": (1, 1), **changed}
    weights = Convolution(even(0, (channels, source[0], 3, 3)), **options)
    return (name, convolved_shape(weights, source), weights)

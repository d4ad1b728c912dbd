"""Synapses and axons of pieces, compared with the whole matrix of weights."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from placed_networks import LOIHI, WHOLE, even

from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne, convolved_shape
from spikelab.hw.ir import Input, IntegerGraph, Population
from spikelab.hw.neurons.loihi_lif import LOIHI_LIF
from spikelab.hw.placement import costs_loihi
from spikelab.hw.placement.pieces import Pieces, neurons_of, synapses_into
from spikelab.hw.targets import load_target


def as_matrix(convolution, source):
    """Weights [targets, sources] of a convolution, found by sending single spikes."""
    _, height, width = source
    made = convolved_shape(convolution, source)
    matrix = np.zeros((math.prod(made), math.prod(source)), np.int64)
    outputs, per_group, kernel_height, kernel_width = convolution.weight.shape
    for o, i, u, v in np.ndindex(outputs, per_group, kernel_height, kernel_width):
        c = o // (outputs // convolution.groups) * per_group + i
        for y, x in np.ndindex(made[1:]):
            row = y * convolution.stride[0] - convolution.padding[0] + u * convolution.dilation[0]
            column = x * convolution.stride[1] - convolution.padding[1] + v * convolution.dilation[1]
            if 0 <= row < height and 0 <= column < width:
                end, start = (o * made[1] + y) * made[2] + x, (c * height + row) * width + column
                matrix[end, start] += convolution.weight[o, i, u, v]
    return matrix


CONVOLUTIONS = st.builds(
    lambda seed, inputs, outputs, groups, kernel, stride, padding, dilation: (
        (inputs * groups, 7, 6),
        Convolution(
            even(seed, (outputs * groups, inputs, *kernel)) | 2, (stride, 3 - stride), padding, (dilation, 1), groups
        ),
    ),
    st.integers(0, 99), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2),
    st.tuples(st.integers(1, 3), st.integers(1, 3)), st.integers(1, 2),
    st.tuples(st.integers(0, 2), st.integers(0, 2)), st.integers(1, 2),
)  # fmt: skip


@given(case=CONVOLUTIONS, parts=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 3)))
@WHOLE
def test_synapses_and_axons_of_pieces_are_those_of_the_matrix(case, parts):
    source, convolution = case
    shape = convolved_shape(convolution, source)
    parts = tuple(min(a, b) for a, b in zip(parts, shape, strict=True))
    graph = IntegerGraph(
        {"input": Input((1,))},
        [Population("a", LOIHI_LIF, source, LOIHI), Population("b", LOIHI_LIF, shape, LOIHI)],
        [Connection("a", "b", convolution)],
    )
    pieces = Pieces(graph)
    pieces.parts["b"] = parts
    pieces.parts["a"] = (min(2, source[0]), 2, 1)
    matrix = as_matrix(convolution, source)
    places = matrix.reshape(len(matrix), source[0], -1).any(1)
    connection, target = graph.connections[0], graph.population("b")
    senders = [neurons_of(piece, source) for piece in pieces.of("a")]
    sent = np.zeros(len(senders), int)
    for piece in pieces.of("b"):
        rows = neurons_of(piece, shape)
        assert synapses_into(connection, source, target, piece) == np.count_nonzero(matrix[rows])
        heard = np.flatnonzero(places[rows].any(0))
        # a place is one axon from each piece that holds channels of it, whether or not these have weights
        each = [len(set(sender % places.shape[1]) & set(heard)) for sender in senders]
        assert costs_loihi.in_axons(piece, pieces) == sum(each)
        sent += each
    slots = load_target("loihi1").resources["out_axons"].options["shared_slots"]
    assert [costs_loihi.out_axons(piece, pieces, slots) for piece in pieces.of("a")] == list(2 * sent)


@given(seed=st.integers(0, 99), parts=st.integers(1, 7), share=st.floats(0, 1))
@WHOLE
def test_axons_of_dense_connections(seed, parts, share):
    random = np.random.default_rng(seed)
    weight = np.where(random.random((7, 12)) < share, 2, 0)
    graph = IntegerGraph(
        {"input": Input((1,))},
        [Population("a", LOIHI_LIF, (12,), LOIHI), Population("b", LOIHI_LIF, (7,), LOIHI)],
        [Connection("a", "b", Dense(weight)), Connection("b", "b", OneToOne(np.array([2])))],
    )
    pieces = Pieces(graph)
    pieces.parts["b"], pieces.parts["a"] = (parts,), (3,)
    total = 0
    for piece in pieces.of("b"):
        rows = neurons_of(piece, (7,))
        expected = np.count_nonzero(weight[rows].any(0)) + len(rows)
        assert costs_loihi.in_axons(piece, pieces) == expected
        total += expected
    slots = load_target("loihi1").resources["out_axons"].options["shared_slots"]
    every = [*pieces.of("a"), *pieces.of("b")]
    assert sum(costs_loihi.out_axons(piece, pieces, slots) for piece in every) == total

"""What pieces of a network need, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placed_networks import GENERIC, LOIHI, chain, even, needs_of, speck

from spikelab.hw.connections import Convolution, Dense
from spikelab.hw.neurons.generic import GENERIC_LIF_16
from spikelab.hw.neurons.loihi_lif import LOIHI_LIF
from spikelab.hw.placement import costs_loihi, costs_microcontroller
from spikelab.hw.placement.weight_bits import loihi_bits, packed_bits, two_complement_bits
from spikelab.hw.targets import load_target


def test_loihi_block():
    # 100 synapses of 8 bits: 64 * 8 + 10 = 522 -> 576, and 36 * 8 + 10 = 298 -> 320
    assert costs_loihi.block_bits(100, 8, 64, 10, 64) == 576 + 320
    # 64 synapses fill a block, none need none, one needs a word
    assert costs_loihi.block_bits([64, 0, 1], 8, 64, 10, 64) == 576 + 0 + 64


def test_loihi_dense():
    graph = chain(LOIHI_LIF, LOIHI, 1, ("out", (50,), Dense(even(0, (50, 100)) | 2)), source=(100,))
    found = needs_of(graph, "loihi1", "out")
    # each of 100 axons: 50 synapses of 8 bits and a header of 10: 410 -> 448
    assert found["synapse_memory"] == 100 * 448
    assert (found["compartments"], found["in_axons"], found["out_axons"]) == (50, 100, 0)


def test_loihi_sparse_and_delays():
    weight = np.zeros((50, 100), np.int64)
    weight[[3, 7], 4] = 12, -40
    # mixed signs: 12 and -40 are multiples of 4, so 7 bits would do, but the chip has 8 next (1 to 6, 8)
    assert loihi_bits(weight, (1, 2, 3, 4, 5, 6, 8)) == 8
    assert loihi_bits(weight, range(1, 9)) == 7
    # delayed by up to 5 more steps: 3 bits; listed with an index of 6 bits: 2 * (8 + 3 + 6) + 10 = 44 -> 64
    graph = chain(LOIHI_LIF, LOIHI, 1, ("out", (50,), Dense(weight, np.full((50, 100), 5))), source=(100,))
    assert needs_of(graph, "loihi1", "out")["synapse_memory"] == 64
    # one of a hundred inputs is heard
    assert needs_of(graph, "loihi1", "out")["in_axons"] == 1


def test_loihi_convolution_keeps_each_pattern_of_taps_once():
    graph = chain(LOIHI_LIF, LOIHI, 1, ("out", (4, 6, 6), Convolution(even(0, (4, 2, 3, 3)) | 2)), source=(2, 8, 8))
    # rows of the input are reached by taps {0}, {0 1}, {0 1 2} (four times), {1 2}, {2}: five patterns with 9 taps in
    # all, likewise columns; each pattern of 2 x 4 channels, 8 bits and an index of 8 (144 compartments)
    expected = 0
    for rows in (1, 2, 3, 2, 1):
        for columns in (1, 2, 3, 2, 1):
            expected += costs_loihi.block_bits(2 * 4 * rows * columns, 16, 64, 10, 64)
    found = needs_of(graph, "loihi1", "out")
    assert found["synapse_memory"] == expected
    assert found["in_axons"] == 64


def test_loihi2_counts_states_and_kernels():
    graph = chain(LOIHI_LIF, LOIHI, 1, ("out", (4, 6, 6), Convolution(even(0, (4, 2, 3, 3)) | 2)), source=(2, 8, 8))
    # 144 neurons with two states of 24 bits; 72 weights of 8 bits: a block of 576 bits and 8 * 8 + 10 = 74 -> 128
    assert needs_of(graph, "loihi2", "out")["memory"] == 144 * 6 + (576 + 128) // 8


def test_speck_as_in_its_documentation():
    """sinabs' overview: 16 to 32 channels, 3x3, on 64x64, take 8 Ki kernel words and 128 Ki neuron words."""
    layer = ("conv", (32, 64, 64), Convolution(even(0, (32, 16, 3, 3)), padding=(1, 1)))
    found = needs_of(speck(layer, source=(16, 64, 64)), "speck", "conv")
    assert (found["kernel_memory"], found["neuron_memory"]) == (8 * 1024, 128 * 1024)


def test_speck_rounds_up_to_powers_of_two():
    layer = ("conv", (10, 20, 33), Convolution(even(0, (10, 3, 5, 5)), padding=(2, 2)))
    found = needs_of(speck(layer, source=(3, 20, 33)), "speck", "conv")
    assert found["kernel_memory"] == 3 * 32 * 16
    assert found["neuron_memory"] == 10 * 32 * 64


def test_speck_dense_is_a_convolution_over_the_whole_map():
    layer = ("dense", (11,), Dense(even(0, (11, 8 * 4 * 4))), {"pool": (4, 4)})
    found = needs_of(speck(layer, source=(8, 16, 16)), "speck", "dense")
    assert (found["kernel_memory"], found["neuron_memory"], found["biases"]) == (8 * 16 * 16, 11, 0)


@pytest.mark.parametrize(
    ("values", "widths", "expected"),
    [
        ([-128, 127], (2, 4, 8, 16, 32), 8),
        ([-256, 254], (2, 4, 8, 16, 32), 8),
        ([-128, 128], (2, 4, 8, 16, 32), 2),
        ([0, 0], (2, 4, 8, 16, 32), 2),
        ([-96, 112], (2, 4, 8, 16, 32), 4),
        ([1, 200], (2, 4, 8, 16, 32), 16),
        ([1, -70000], (2, 4, 8, 16, 32), 32),
    ],
)
def test_packed_bits(values, widths, expected):
    assert packed_bits(np.array(values), widths) == expected


@given(low=st.integers(-(2**20), 2**20), high=st.integers(-(2**20), 2**20))
@settings(max_examples=200)
def test_two_complement_bits_are_the_fewest(low, high):
    bits = two_complement_bits(np.array([low, high]))
    inside = [-(2 ** (bits - 1)) <= value < 2 ** (bits - 1) for value in (low, high)]
    assert all(inside)
    if bits > 1:
        assert not all(-(2 ** (bits - 2)) <= value < 2 ** (bits - 2) for value in (low, high))


def test_microcontroller():
    weight = even(0, (10, 100), 15) * 4
    assert packed_bits(weight, (2, 4, 8)) == 4
    graph = chain(GENERIC_LIF_16, GENERIC, 1, ("out", (10,), Dense(weight)), source=(100,))
    target = load_target("cortex_m0_stm32l072")
    options = target.resources["flash"].options
    code = options["code_bytes"].most + options["layer_code_bytes"].most
    # 1000 weights of 4 bits; keep_mem and v_threshold fit 16 bits
    assert needs_of(graph, "cortex_m0_stm32l072", "out")["flash"] == code + 500 + 2 * 2
    # a state of 16 bits and a sum of 32 for each; lists of 10 and of 100 events of a byte each, the latter twice
    ram = target.resources["ram"].options["fixed_bytes"].most + 10 * (2 + 4) + 10 * 1 + 2 * 100 * 1
    assert needs_of(graph, "cortex_m0_stm32l072", "out")["ram"] == ram
    assert costs_microcontroller.message_bytes(300, 8) == 300 * (2 + 1)

"""Networks that cannot fit: all reasons, in full."""

from __future__ import annotations

import math

import numpy as np
from placed_networks import LOIHI, SPECK, chain, check, conv, even, halsie, speck, texts

from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne, convolved_shape
from spikelab.hw.ir import Input, IntegerGraph, Population
from spikelab.hw.neurons.loihi_lif import LOIHI_LIF
from spikelab.hw.neurons.loihi_sigma_delta import LOIHI_SIGMA_DELTA
from spikelab.hw.neurons.speck import SPECK_IF
from spikelab.hw.place import place


def test_halsie_on_speck_gives_every_reason():
    placement = place(halsie(SPECK_IF, SPECK, 0), "speck")
    check(placement)
    assert [v.text for v in placement.violations] == [
        "conv3b: 128x16x16 needs 262144 kernel words, the largest core has 65536, and each of 2 pieces needs up to "
        "131072: at most 32 channels on a core (64 on 2), or at most 32 channels before it",
        "conv1b: sends to 4 cores (readout1 on 2, conv2a on 2), a core sends to at most 2: fewer channels in these "
        "layers, so that each fits one core, or fewer branches",
        "conv2b: sends to 3 cores (readout2, conv3a on 2), a core sends to at most 2: fewer channels in these layers, "
        "so that each fits one core, or fewer branches",
        "conv1a, conv1b, readout1, conv2a, conv2b, readout2, readout3: need 12 cores with 32768 or more neuron words; "
        "5 of the chip's suit them (0, 1, 2, 3, 4): make 7 layers less of them; half the channels would spare a core "
        "each for conv1a, conv1b, conv2a, conv2b, readout1",
    ]


def test_halsie_of_the_wrong_neurons_on_speck_also_says_that():
    placement = place(halsie(LOIHI_LIF, LOIHI, 1), "speck")
    check(placement)
    texts = [v.text for v in placement.violations]
    for expected in (
        "conv1a: is made of loihi_lif, Speck 2e/2f (DYNAP-CNN) runs speck_if: lower the network with the profile "
        "'speck'",
        "conv1a: u (synaptic current) has 24 bits, the chip keeps 16: use a neuron with states of at most 16 bits: "
        "speck_if",
        "input -> conv1a: arrives after 1 step, the chip delivers after 0: shorten the delay to 0 steps",
    ):
        assert expected in texts
    assert len(texts) == 9 + 2 * 9 + 9 + 4


def test_neuron_memory_of_speck():
    assert texts(speck(conv("conv", 64, (1, 64, 64)), source=(1, 64, 64)), "speck") == [
        "conv: 64x64x64 needs 262144 neuron words, the largest core has 65536, and each of 2 pieces needs up to "
        "131072: stride 2, or at most 16 channels on a core (32 on 2)"
    ]


def test_following_the_remedy_helps():
    source = (1, 64, 64)
    assert place(speck(conv("conv", 16, source), source=source), "speck").fits
    assert place(speck(conv("conv", 32, source), source=source), "speck").fits
    assert place(speck(conv("conv", 64, source, stride=(2, 2)), source=source), "speck").fits


def test_layer_rules_of_speck():
    source = (2, 130, 20)
    weights = Convolution(even(0, (3, 2, 5, 3)), (3, 1), (0, 9), (2, 1))
    layer = ("conv", convolved_shape(weights, (2, 65, 10)), weights, {"pool": (2, 2), "exponent": 1})
    graph = speck(layer, ("out", (3,), Dense(even(1, (3, math.prod(layer[1])))), {"pool": (1, 1)}), source=source)
    assert texts(graph, "speck") == [
        "input -> conv: weights have the exponent 1, the chip has 0 to 0: scale the weights by 2^1",
        "input -> conv: reads a map of 2x130x20, the chip takes at most 128x128: sum the source over windows of 2x2 "
        "first, or crop it",
        "input -> conv: has a kernel of 5x3, the chip has square ones only: fill the kernel up with zeros to 5x5, and "
        "pad accordingly",
        "input -> conv: has a stride of 3, the chip has 1, 2, 4, 8: a stride of 2",
        "input -> conv: pads by 9, the chip by at most 7: a smaller kernel",
        "input -> conv: has a dilation of 2, the chip has 1: write it as a kernel of 9x3 with zeros in between",
        "conv -> out: reads a whole map, which makes a kernel of 19x26, the chip has at most 16x16: sum the map over "
        "windows first, or a stride before it",
        "conv -> out: has a kernel of 19x26, the chip has square ones only: fill the kernel up with zeros to 26x26, "
        "and pad accordingly",
    ]


def test_bits_of_speck():
    weight = even(0, (3, 2, 3, 3))
    weight[0, 0, 0, 0] = 300
    bias = np.zeros((3, 8, 8), np.int64)
    bias[0, 0, 0] = 5
    graph = IntegerGraph(
        {"input": Input((2, 8, 8))},
        [Population("conv", SPECK_IF, (3, 8, 8), {**SPECK, "bias": bias})],
        [Connection("input", "conv", Convolution(weight, padding=(1, 1)), 0),
         Connection("conv", "conv", OneToOne(np.array([2])), 1)],
    )  # fmt: skip
    low = int(weight.min())
    assert texts(graph, "speck") == [
        f"input -> conv: weights of {low} to 300 are not what 8 bits can store (-128 to 127): quantise to 8 bits or "
        f"fewer with the profile 'speck'",
        "conv -> conv: arrives after 1 step, the chip delivers after 0: leave the recurrent connection out; this chip "
        "has no time steps to wait for",
        "conv: has a bias for each neuron of a map, the chip one for each channel: one bias for each channel",
        "conv: hears 2 connections of 2 kinds (1x1, stride 1x1, padding 0x0; 3x3, stride 1x1, padding 1x1), a core has "
        "1: give them one kernel size, stride and padding, or join them before",
    ]


def test_limits_of_loihi1():
    weight = even(0, (4, 6)) + 1
    graph = IntegerGraph(
        {"input": Input((6,), -3, 3)},
        [
            Population("a", LOIHI_LIF, (4,), {**LOIHI, "dv": 4096, "bias_exp": -2}),
            Population("b", LOIHI_SIGMA_DELTA, (4,), {"vth": 3}),
        ],
        [
            Connection("input", "a", Dense(weight), 1, exponent=8),
            Connection("a", "b", Dense(even(1, (4, 4)), np.full((4, 4), 63)), 2),
        ],
    )
    low, high = weight.min(), weight.max()
    assert texts(graph, "loihi1") == [
        "input: sends -3 to 3, the chip takes 0 to 1 at a step: encode the input as spikes, or in messages of 0 to 1",
        "a: dv = 4096, the chip holds 0 to 4095: bring dv into 0 to 4095, or lower the network again with the profile "
        "'loihi'",
        "a: bias_exp = -2, the chip holds 0 to 7: bring bias_exp into 0 to 7, or lower the network again with the "
        "profile 'loihi'",
        f"input -> a: weights of {low} to {high} are not what 8 bits can store (-256 to 254, and even ones only where "
        f"both signs occur): quantise to 8 bits or fewer with the profile 'loihi'",
        "input -> a: weights have the exponent 8, the chip has -7 to 7: scale the weights by 2^1",
        "b: is made of loihi_sigma_delta, Loihi 1 runs loihi_lif: lower the network with the profile 'loihi'",
        "b: sends messages of 24 bits, the chip carries plain spikes: use neurons that send plain spikes",
        "a -> b: arrives after 2 to 65 steps, the chip delivers after 1 to 63: shorten the delay to 63 steps",
        "a -> b: single synapses are delayed by up to 63 steps, the chip has delays of at most 62 steps: shorten them",
    ]


def test_sums_over_windows_are_not_for_loihi():
    layer = ("conv", (3, 8, 8), Convolution(even(0, (3, 2, 3, 3)), padding=(1, 1)), {"pool": (2, 2)})
    assert texts(chain(LOIHI_LIF, LOIHI, 1, layer, source=(2, 16, 16)), "loihi1") == [
        "input -> conv: sums over windows of 2x2, the chip over 1: write the pooling as a larger kernel with a stride, "
        "as the profile does"
    ]


def test_a_neuron_that_hears_too_many():
    graph = chain(LOIHI_LIF, LOIHI, 1, ("out", (3,), Dense(even(0, (3, 5000)) | 2)), source=(5000,))
    (text,) = texts(graph, "loihi1")
    assert text == (
        "out: 3 needs 5000 axons that come in, the largest core has 4096: let each neuron hear at most 4096 others: "
        "sum over windows before the layer, prune it, or use a convolution, whose neurons share an axon for each place"
    )

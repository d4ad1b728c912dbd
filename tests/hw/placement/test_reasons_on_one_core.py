"""Networks that cannot fit Xylo or a microcontroller, and a target of one's own."""

from __future__ import annotations

import numpy as np
from placed_networks import GENERIC, LOIHI, XYLO, chain, check, even, texts

from spikelab.hw.connections import Connection, Dense, OneToOne
from spikelab.hw.ir import Input, IntegerGraph, Output, Population
from spikelab.hw.neurons.generic import GENERIC_LIF_32
from spikelab.hw.neurons.loihi_lif import LOIHI_LIF
from spikelab.hw.neurons.xylo import XYLO_HIDDEN, XYLO_READOUT
from spikelab.hw.place import place
from spikelab.hw.targets import load_target


def xylo(hidden, outputs, inputs=16, seed=0, share=0.05, exponents=(0, 0, 0), **given):
    random = np.random.default_rng(seed)
    recurrent = even(seed + 1, (hidden, hidden)) * (random.random((hidden, hidden)) < share)
    return IntegerGraph(
        {"input": Input((inputs,), **given)},
        [Population("hidden", XYLO_HIDDEN, (hidden,), XYLO), Population("readout", XYLO_READOUT, (outputs,), XYLO)],
        [
            Connection("input", "hidden", Dense(even(seed, (hidden, inputs))), 0, exponents[0]),
            Connection("hidden", "hidden", Dense(recurrent), 1, exponents[1]),
            Connection("hidden", "readout", Dense(even(seed + 2, (outputs, hidden))), 1, exponents[2]),
        ],
    )


def test_xylo():
    placement = place(xylo(300, 8), "xylo_audio2")
    check(placement)
    assert placement.fits
    assert placement.cores[0].used["hidden_neurons"] == 300
    weight = placement.graph.connections[1].weights.weight
    assert placement.cores[0].used["hidden_synapses"] == np.count_nonzero(weight)


def test_too_large_for_xylo():
    graph = xylo(1100, 9, inputs=20, share=0.2, high=16)
    weight = graph.connections[1].weights.weight
    fan_out, synapses = np.count_nonzero(weight, 0).max(), np.count_nonzero(weight)
    found = texts(graph, "xylo_audio2")
    assert found == [
        "input: sends 0 to 16, the chip takes 0 to 15 at a step: encode the input as spikes, or in messages of 0 to 15",
        "input: has 20 channels, the chip takes 16: at most 16 channels, as after summing groups of 2",
        f"hidden: a neuron sends to {fan_out} others, the chip allows 64: prune to at most 64 weights that are not "
        f"zero for each neuron, or use fewer neurons",
        "hidden: need 1100 hidden neurons, Xylo Audio 2 has 1000 (most: hidden 1100): at most 1000 hidden neurons",
        "readout: need 9 output neurons, Xylo Audio 2 has 8 (most: readout 9): at most 8 outputs",
        f"hidden: need {synapses} weights between hidden neurons, Xylo Audio 2 has 32000 (most: hidden {synapses}) "
        f"(estimate): prune to 32000 weights between hidden neurons that are not zero",
    ]
    # the newer chip has more outputs, but fewer neurons that hear the input or are heard
    newer = texts(graph, "xylo_audio3")
    assert any(text.startswith("hidden: 1100 neurons hear the input, on the chip 128 can") for text in newer)
    assert any(text.startswith("hidden: outputs hear 1100 neurons, on the chip they can hear 128") for text in newer)
    assert not any(text.startswith("readout") for text in newer)


def test_layers_that_xylo_does_not_have():
    graph = IntegerGraph(
        {"input": Input((3,))},
        [Population("a", XYLO_HIDDEN, (4,), XYLO), Population("b", XYLO_HIDDEN, (4,), XYLO)],
        [
            Connection("input", "a", Dense(even(0, (4, 3))), 0, 1),
            Connection("input", "b", Dense(even(0, (4, 3))), 0, 1),
            Connection("b", "a", Dense(even(0, (4, 4))), 2),
        ],
        None,
        [Output("b", "b")],
    )
    assert texts(graph, "xylo_audio2") == [
        "b -> a: arrives after 2 steps, the chip delivers after 1: shorten the delay to 1 step",
        "b -> a: an output layer sends on, on the chip outputs reach nobody: give out a layer after b instead",
        "b: is given out and sends up to 31 spikes a step, the chip's output neurons send 1: use xylo_readout "
        "for outputs",
        "input -> b: the input reaches an output layer, on the chip only hidden neurons hear it: put a hidden layer in "
        "between",
    ]


def test_one_shift_for_all_weights_of_a_kind():
    random = np.random.default_rng(0)
    graph = xylo(20, 4)
    more = Population("more", XYLO_HIDDEN, (5,), XYLO)
    connections = [*graph.connections, Connection("input", "more", Dense(random.integers(-9, 9, (5, 16))), 0, 3)]
    graph = IntegerGraph(graph.inputs, [*graph.populations, more], connections, None, [Output("o", "readout")])
    assert texts(graph, "xylo_audio2") == [
        "input -> hidden, input -> more: input weights have the exponents [0, 3], the chip has 1 for all of them: "
        "quantise these connections with one common scale"
    ]


def test_too_large_for_a_microcontroller():
    layers = [("hidden", (2000,), Dense(even(0, (2000, 784)))), ("out", (10,), Dense(even(1, (10, 2000))))]
    graph = chain(GENERIC_LIF_32, GENERIC, 0, *layers, source=(784,))
    placement = place(graph, "cortex_m0_stm32l072")
    check(placement)
    flash, ram = placement.violations
    assert (flash.limit, ram.limit) == ("flash", "ram")
    assert (flash.capacity, ram.capacity) == (192 * 1024, 20 * 1024)
    assert flash.used == placement.cores[0].used["flash"] > 2000 * 784
    assert flash.message.startswith(
        f"need {flash.used} bytes of flash, Cortex-M0+ (STM32L072xZ) has 196608 (most: hidden"
    )
    assert flash.remedy.startswith(f"save {flash.used - 196608} bytes: fewer bits a weight")
    assert flash.status == ram.status == "estimate"
    assert "(estimate)" in flash.text
    assert place(graph, "cortex_m7_stm32h743").fits


def test_a_target_of_ones_own(tmp_path):
    text = load_target("loihi1").path.read_text(encoding="utf-8").replace("value = 128, unit", "value = 2, unit")
    path = tmp_path / "two_cores.toml"
    path.write_text(text.replace("value = [16, 8]", "value = [2, 1]"), encoding="utf-8")
    graph = chain(LOIHI_LIF, LOIHI, 1, ("out", (3000,), OneToOne(np.array([2]))), source=(3000,))
    placement = place(graph, path)
    check(placement)
    (violation,) = placement.violations
    assert (violation.limit, violation.used, violation.capacity) == ("cores", 3, 2)
    assert len(placement.cores) == 2
    assert len(placement.unplaced) == 1

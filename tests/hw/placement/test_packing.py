"""Placements keep every limit, hold each neuron once, and are always the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from placed_networks import GENERIC, LAYERS, LOIHI, SPECK, WHOLE, check, even, halsie, random_network, speck

from spikelab.hw.connections import Connection, Convolution
from spikelab.hw.ir import Input, IntegerGraph, Population
from spikelab.hw.neurons.generic import GENERIC_LIF_32
from spikelab.hw.neurons.loihi_lif import LOIHI_LIF
from spikelab.hw.neurons.speck import SPECK_IF
from spikelab.hw.place import place


@given(seed=st.integers(0, 99), layers=LAYERS, side=st.integers(3, 48))
@WHOLE
def test_placements_on_loihi_keep_every_limit(seed, layers, side):
    graph = random_network(seed, layers, side, LOIHI_LIF, LOIHI, 1)
    for target in ("loihi1", "loihi2"):
        placement = place(graph, target)
        check(placement)
        assert placement.report() == place(graph, target).report()


@given(seed=st.integers(0, 99), layers=LAYERS, side=st.integers(3, 80))
@WHOLE
def test_placements_on_speck_keep_every_limit(seed, layers, side):
    graph = random_network(seed, layers, side, SPECK_IF, SPECK, 0)
    placement = place(graph, "speck")
    check(placement)
    assert all(len(core.pieces) == 1 for core in placement.cores)
    assert placement.report() == place(graph, "speck").report()


@given(seed=st.integers(0, 99), layers=LAYERS, side=st.integers(3, 20))
@WHOLE
def test_placements_on_microcontrollers(seed, layers, side):
    graph = random_network(seed, layers, side, GENERIC_LIF_32, GENERIC, 0)
    placement = place(graph, "cortex_m0_stm32l072")
    check(placement)
    used, capacity = placement.cores[0].used, placement.cores[0].capacity
    assert placement.fits == all(used[name] <= capacity[name] for name in used)


def test_a_layer_is_cut_in_channels_first():
    graph = speck(("conv", (32, 64, 64), Convolution(even(0, (32, 2, 3, 3)), (2, 2), (1, 1))), source=(2, 128, 128))
    placement = place(graph, "speck")
    assert placement.fits
    found = {core.number: core.pieces[0].piece.title for core in placement.cores}
    assert sorted(found.values()) == ["conv, channels 0 to 15", "conv, channels 16 to 31"]
    assert set(found) <= {0, 1, 2}


def test_small_layers_leave_large_cores_to_large_ones():
    """A greedy walk over the cores would put the first layers where the last one must lie."""
    small = [
        (f"small{k}", (4, 8, 8), Convolution(even(k, (4, 2 if k == 0 else 4, 3, 3)), padding=(1, 1))) for k in range(6)
    ]
    wide = ("wide", (16, 64, 64), Convolution(even(9, (16, 4, 1, 1))))
    graph = speck(*small, source=(2, 8, 8))
    large = Population("wide", SPECK_IF, (16, 64, 64), SPECK)
    graph = IntegerGraph(
        {**graph.inputs, "more": Input((4, 64, 64))},
        [*graph.populations, large, Population("wide2", SPECK_IF, (16, 64, 64), SPECK),
         Population("wide3", SPECK_IF, (16, 64, 64), SPECK)],
        [*graph.connections, *(Connection("more", name, wide[2], 0) for name in ("wide", "wide2", "wide3"))],
    )  # fmt: skip
    placement = place(graph, "speck")
    check(placement)
    assert placement.fits
    where = {core.pieces[0].piece.population: core.number for core in placement.cores}
    assert {where[name] for name in ("wide", "wide2", "wide3")} == {0, 1, 2}
    assert len(placement.cores) == 9


def test_neighbours_lie_close():
    """Numbering cores along the graph beats a shuffled numbering."""
    placement = place(halsie(LOIHI_LIF, LOIHI, 1, side=64), "loihi2")
    assert placement.fits
    random = np.random.default_rng(0)
    shuffled = random.permutation(128)
    cores = tuple(replace(core, number=int(shuffled[core.number])) for core in placement.cores)
    assert placement.mean_distance < 0.7 * replace(placement, cores=cores).mean_distance


def test_halsie_on_loihi2_needs_84_cores():
    placement = place(halsie(LOIHI_LIF, LOIHI, 1), "loihi2")
    check(placement)
    assert placement.fits
    assert placement.estimate
    # 688128 neurons, 8192 a core
    assert len(placement.cores) == 84
    text = placement.text()
    assert text.startswith("Loihi 2 (estimate): fits as far as is known (estimate: neurons, core memory)")
    assert placement.report()["target"]["status"] == "estimate"


def test_larger_halsie_on_loihi2_says_by_how_much():
    placement = place(halsie(LOIHI_LIF, LOIHI, 1, side=256), "loihi2")
    check(placement)
    assert [v.limit for v in placement.violations] == ["cores", "neurons"]
    cores, neurons = placement.violations
    assert (cores.used, cores.capacity, neurons.used, neurons.capacity) == (336, 128, 4 * 688128, 1000000)
    assert "the network needs 336 cores, Loihi 2 has 128" in cores.text
    assert "3 chips" in cores.remedy
    assert all(v.status == "estimate" for v in placement.violations)

"""Where cycles are cut: never by the order in which a file lists its nodes."""

import itertools
from itertools import pairwise

import nir
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikelab.io.nir_order import MAX_WORK, step_order
from spikelab.io.nir_read import from_nir

DT = 1e-3


def back_edges(order, edges):
    place = {name: at for at, name in enumerate(order)}
    return {(a, b) for a, b in edges if a in place and b in place and place[a] >= place[b]}


def test_a_recurrent_layer_is_cut_where_its_spikes_come_back():
    edges = [("in", "w"), ("w", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "a_readout")]
    for nodes in itertools.permutations(["w", "lif", "back", "a_readout"]):
        order = step_order(nodes, edges, "in", [{"lif"}])
        assert back_edges(order, edges) == {("back", "lif")}


def test_of_two_layers_the_one_nearer_to_the_input_hears_the_other_late():
    edges = [("in", "z"), ("z", "a"), ("a", "z"), ("a", "a")]
    assert back_edges(step_order(["a", "z"], edges, "in", [{"a", "z"}]), edges) == {("a", "z"), ("a", "a")}
    # equally near: the first name
    edges = [("in", "z"), ("in", "a"), ("z", "a"), ("a", "z")]
    assert back_edges(step_order(["z", "a"], edges, "in", [{"a", "z"}]), edges) == {("z", "a")}
    # a cycle without neurons: at the delay
    edges = [("in", "w"), ("w", "delay"), ("delay", "w")]
    assert back_edges(step_order(["w", "delay"], edges, "in", [set(), {"delay"}]), edges) == {("w", "delay")}


@given(st.integers(1, 7), st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=20), st.randoms())
def test_only_cycles_are_cut_and_the_listing_does_not_matter(count, pairs, random):
    nodes = [f"n{place}" for place in range(count)]
    edges = [("in", "n0"), *((f"n{a}", f"n{b}") for a, b in pairs if a < count and b < count)]
    neurons = set(nodes[::2])
    order = step_order(nodes, edges, "in", [neurons])
    assert sorted(order) == sorted(nodes)
    shuffled, mixed = nodes.copy(), edges.copy()
    random.shuffle(shuffled)
    random.shuffle(mixed)
    assert step_order(shuffled, mixed, "in", [neurons]) == order
    reach = {name: {name} for name in nodes}
    for _ in nodes:
        for a, b in edges[1:]:
            reach[a] |= reach[b]
    for a, b in back_edges(order, edges):
        assert a in reach[b], "an edge outside all cycles would carry the step before"


def test_a_tangle_beyond_all_measure_is_refused():
    nodes = [f"n{place}" for place in range(200)]
    edges = [("in", "n0"), *itertools.permutations(nodes, 2)]
    assert len(edges) * len(nodes) > MAX_WORK
    with pytest.raises(ValueError, match="cycles lie within each other too deeply"):
        step_order(nodes, edges, "in", [set(nodes)])


def neurons(size):
    return nir.LIF(np.full(size, 5e-3), np.full(size, 1.0), np.zeros(size), np.full(size, 0.2), np.zeros(size))


def test_names_and_listing_change_nothing():
    generator = np.random.default_rng(0)
    weights = {n: nir.Linear(generator.normal(0.4, 1, (4, 4)).astype(np.float32)) for n in ("into", "on", "back")}
    named = {"first": "b", "second": "a", "into": "z", "on": "m", "back": "c", "input": "x", "output": "y"}
    edges = [("input", "into"), ("into", "first"), ("first", "on"), ("on", "second"), ("second", "back"),
             ("back", "first"), ("second", "output")]  # fmt: skip
    nodes = {"input": nir.Input(np.array([4])), "output": nir.Output(np.array([4])), **weights}
    nodes |= {"first": neurons(4), "second": neurons(4)}
    x = torch.rand(50, 2, 4, generator=torch.Generator().manual_seed(0)) * 4
    results = []
    for names in (named, {name: name for name in named}):
        for listing in (sorted, lambda keys: sorted(keys, reverse=True)):
            graph = nir.NIRGraph(
                {names[name]: nodes[name] for name in listing(nodes)},
                [(names[a], names[b]) for a, b in listing(edges)],
                type_check=False,
            )
            network = from_nir(graph, dt=DT)
            recurrent = [(a, b) for a, b in network.edges if network.is_recurrent(a, b)]
            assert recurrent == [(names["back"], names["first"])]
            with torch.no_grad():
                results.append(network(x)[0])
    assert 0.02 < results[0].mean() < 0.98
    assert all(torch.equal(result, results[0]) for result in results)


def test_nested_graphs_are_dissolved():
    """Two levels deep, with an edge that passes straight through."""
    weight = np.array([[0.5, -0.2], [0.1, 0.9]], np.float32)
    innermost = nir.NIRGraph(
        {"input": nir.Input(np.array([2])), "w": nir.Linear(weight), "output": nir.Output(np.array([2]))},
        [("input", "w"), ("w", "output"), ("input", "output")],
        type_check=False,
    )
    middle = nir.NIRGraph(
        {"start": nir.Input(np.array([2])), "in.ner": innermost, "lif": neurons(2), "end": nir.Output(np.array([2]))},
        [("start", "in.ner"), ("in.ner", "lif"), ("lif", "in.ner"), ("lif", "end")],
        type_check=False,
    )
    outer = nir.NIRGraph(
        {"input": nir.Input(np.array([2])), "block": middle, "output": nir.Output(np.array([2]))},
        [("input", "block"), ("block", "output")],
        type_check=False,
    )
    network = from_nir(outer, dt=DT)
    assert set(network.nodes) == {"block_in_ner_w", "block_lif"}
    assert set(network.edges) == {
        ("input", "block_in_ner_w"), ("input", "block_lif"), ("block_in_ner_w", "block_lif"),
        ("block_lif", "block_in_ner_w"), ("block_lif", "block_lif"), ("block_lif", "output"),
    }  # fmt: skip
    x = torch.rand(30, 1, 2, generator=torch.Generator().manual_seed(0))
    ends = {"input": nir.Input(np.array([2])), "output": nir.Output(np.array([2]))}
    flat = nir.NIRGraph(
        {**ends, "w": nir.Linear(weight), "lif": neurons(2)},
        [("input", "w"), ("input", "lif"), ("w", "lif"), ("lif", "w"), ("lif", "lif"), ("lif", "output")],
        type_check=False,
    )  # fmt: skip
    with torch.no_grad():
        spikes = network(x)[0]
        assert 0 < spikes.mean() < 1
        assert torch.equal(from_nir(flat, dt=DT)(x)[0], spikes)


@pytest.mark.parametrize("name", ["keys", "training", "forward", "type", "", "a.b", "input", "output", "pop", "üñ/î"])
def test_any_name_will_do(name):
    nodes = {"in": nir.Input(np.array([2])), name: neurons(2), "a_b": neurons(2), "out": nir.Output(np.array([2]))}
    chain = ["in", name, "a_b", "out"]
    network = from_nir(nir.NIRGraph(nodes, list(pairwise(chain)), type_check=False), dt=DT)
    assert len(network.nodes) == 2
    assert network(torch.ones(20, 1, 2))[0].sum() > 0

"""NIR graphs in the simulator: the same spikes as the trained network's, so many steps later."""

import warnings
from itertools import pairwise

import hypothesis
import networkx
import nir
import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from spikelab import sim
from spikelab.io.nir_checked import NirWarning
from spikelab.io.nir_file import CannotImport
from spikelab.io.nir_graph import Node
from spikelab.io.nir_read import from_nir, read_nir
from spikelab.io.nir_save import write_nir
from spikelab.io.nir_write import to_nir
from spikelab.nn import LIF, Dense, Network
from spikelab.sim import ms
from spikelab.sim.nir_lags import find_lags
from spikelab.sim.nir_links import identity, links_of

DT = 1e-3


@pytest.fixture(autouse=True)
def _double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def draw(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def lif(*shape, **changes):
    values = {"tau": 10e-3, "r": 8.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0} | changes
    return nir.LIF(**{name: np.broadcast_to(value, shape).astype(float) for name, value in values.items()})


def cuba_lif(*shape, **changes):
    values = {"tau_syn": 4e-3, "tau_mem": 10e-3, "r": 8.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
    values |= {"w_in": 1.0} | changes
    return nir.CubaLIF(**{name: np.broadcast_to(value, shape).astype(float) for name, value in values.items()})


def graph(nodes, edges, inputs=(4,), outputs=(3,)):
    ends = {"input": nir.Input(np.array(inputs)), "output": nir.Output(np.array(outputs))}
    return nir.NIRGraph({**ends, **nodes}, edges, type_check=False)


def chain(nodes, inputs, outputs):
    names = ["input", *nodes, "output"]
    return graph(nodes, list(pairwise(names)), inputs, outputs)


def spike_counts(steps, *shape, seed=0, share=0.2):
    return (np.random.default_rng(seed).random((steps, *shape)) < share).astype(int)


def simulated(source, counts, **options):
    """Node -> what it gives in each step of the trained network, [T, neurons], and the parts."""
    name = next(iter(source.inputs)) if isinstance(source, nir.NIRGraph) else "input"
    network, parts = sim.network_from_nir(source, {name: counts}, **{"dt": DT} | options)
    steps, last = len(counts), len(counts) + max(parts.lags.values())
    spiking = {node: each for node, each in parts.populations.items() if each.neuron.spikes}
    monitors = {node: network.record_spikes(each) for node, each in spiking.items()}
    readouts = {node: each for node, each in parts.populations.items() if not each.neuron.spikes}
    states = {node: network.record_states(each, "v") for node, each in readouts.items()}
    network.run((last + 1) * network.dt)
    given = {}
    for node, each in parts.populations.items():
        lag = parts.lags[node]
        if node in states:
            # the state after a step is the one at its end
            given[node] = states[node]["v"][lag + 1 : lag + 1 + steps]
            continue
        trace = np.zeros((last + 1, each.size), int)
        step = np.round(monitors[node].times / network.dt).astype(int) - 1
        np.add.at(trace, (step, monitors[node].neurons), 1)
        assert not trace[:lag].any() or parts.differences, node
        given[node] = trace[lag : lag + steps]
    return given, parts


def trained(source, counts, **options):
    """Node -> what it gives in each step, [T, neurons], and what the network gives."""
    network = from_nir(source, **{"dt": DT} | options)
    with torch.no_grad():
        x = torch.as_tensor(counts, dtype=torch.float64)[:, None]
        outputs, (result, _) = network.run(x)[0], network(x)
    flat = {name: value.reshape(len(counts), -1).numpy() for name, value in outputs.items()}
    return flat | {"output": result.reshape(len(counts), -1).numpy()}


def assert_same(source, counts, nodes=None, **options):
    given, parts = simulated(source, counts, **options)
    expected = trained(source, counts, **options)
    for node in nodes or given:
        want = expected[node.replace(".", "_")]
        assert want.std() > 0, f"{node} does nothing that could differ"
        if parts.populations[node].neuron.spikes:
            np.testing.assert_array_equal(given[node], want, err_msg=node)
        else:
            np.testing.assert_allclose(given[node], want, rtol=1e-9, atol=1e-12, err_msg=node)
    return parts


# ------------------------------------------------------------------------------------------- the same as when trained


@pytest.mark.parametrize(
    ("neuron", "input_form", "reset"),
    [
        (lif, "current", "value"),
        (lif, "impulse", "subtract"),
        (cuba_lif, "current", "subtract"),
        (cuba_lif, "impulse", "value"),
    ],
)
def test_feed_forward_layers_make_the_same_spikes_one_step_later_each(neuron, input_form, reset):
    scale = 1.0 if input_form == "current" else 5e-3
    nodes = {
        "a": nir.Affine(draw(1, 6, 4) * scale, draw(2, 6) * 0.2 * scale),
        "first": neuron(6, tau_mem=[8e-3] * 6) if neuron is cuba_lif else neuron(6, tau=np.linspace(5, 20, 6) * 1e-3),
        "b": nir.Affine(draw(3, 3, 6) * scale, draw(4, 3) * 0.2 * scale),
        "second": neuron(3),
    }
    parts = assert_same(chain(nodes, (4,), (3,)), spike_counts(300, 4), input_form=input_form, reset=reset)
    assert parts.lags == {"input": 0, "first": 1, "second": 2}
    assert parts.differences == ()
    assert parts.outputs["output"] == (parts.populations["second"],)
    assert sorted(parts.projections) == [("first", "second"), ("input", "first")]


@pytest.mark.parametrize("method", ["euler", "semi_implicit_euler"])
def test_every_discretisation(method):
    nodes = {"w": nir.Affine(draw(1, 3, 4), draw(2, 3) * 0.1), "cells": cuba_lif(3)}
    assert_same(chain(nodes, (4,), (3,)), spike_counts(200, 4), method=method)


def test_convolutions_pooling_scales_and_flattening_between_layers():
    nodes = {
        # each half of its outputs sees one channel of the input
        "c1": nir.Conv2d((9, 8), draw(1, 4, 1, 3, 3), (2, 1), (1, 2), (1, 1), 2, draw(2, 4) * 0.1),
        "n1": lif(4, 5, 10),
        "pool": nir.SumPool2d(np.array([2, 3]), np.array([2, 2]), np.array([0, 1])),
        "mean": nir.AvgPool2d(np.array([2, 2]), np.array([1, 1]), np.array([1, 0])),
        "scale": nir.Scale(np.abs(draw(3, 4, 3, 4))),
        "c2": nir.Conv2d((3, 4), draw(4, 3, 4, 3, 3), 1, "same", (1, 1), 1, draw(5, 3) * 0.1),
        "n2": lif(3, 3, 4),
        "flat": nir.Flatten({"input": np.array([3, 3, 4])}, 0, -1),
        "fc": nir.Linear(draw(6, 5, 36)),
        "n3": lif(5),
    }
    parts = assert_same(chain(nodes, (2, 9, 8), (5,)), spike_counts(60, 2, 9, 8))
    assert parts.lags == {"input": 0, "n1": 1, "n2": 2, "n3": 3}


def test_convolution_along_a_line():
    nodes = {
        "c": nir.Conv1d(12, draw(1, 4, 3, 3), 2, 2, 2, 1, draw(2, 4) * 0.1),
        "n": lif(4, 6),
        "flat": nir.Flatten({"input": np.array([4, 6])}, 0, -1),
        "w": nir.Linear(draw(3, 3, 24)),
        "m": lif(3),
    }
    assert_same(chain(nodes, (3, 12), (3,)), spike_counts(100, 3, 12))


def test_connections_that_skip_layers_and_delays_still_meet():
    nodes = {
        "a": nir.Affine(draw(1, 5, 4), draw(2, 5) * 0.1),
        "early": lif(5),
        "late": nir.Delay(np.array([0, 3, 3, 0, 7]) * DT),
        "b": nir.Affine(draw(3, 3, 5), draw(9, 3) * 0.3),
        "skip": nir.Linear(draw(4, 3, 4)),
        "wait": nir.Delay(np.full(3, 2 * DT)),
        "cells": lif(3),
        "direct": nir.Linear(draw(5, 3, 4)),
        "quick": nir.Linear(draw(6, 3, 5)),
    }
    edges = [("input", "a"), ("a", "early"), ("early", "late"), ("late", "b"), ("b", "wait"), ("wait", "cells")]
    edges += [("input", "skip"), ("skip", "cells"), ("input", "direct"), ("direct", "cells"), ("cells", "output")]
    edges += [("early", "quick"), ("quick", "cells")]
    parts = assert_same(graph(nodes, edges), spike_counts(200, 4))
    assert parts.lags == {"input": 0, "early": 1, "cells": 2}
    assert parts.projections["input", "cells"].delay == 2 * DT
    # 0 steps more the quick way, 2 to 9 the late one
    assert np.unique(np.round(parts.projections["early", "cells"].delay / DT)).tolist() == [1, 3, 6, 10]


def test_a_recurrent_layer():
    nodes = {
        "w": nir.Affine(draw(1, 5, 4), draw(2, 5) * 0.1 + 0.2),
        "cells": cuba_lif(5),
        "loop": nir.Affine(draw(3, 5, 5), draw(4, 5) * 0.1),
        "read": nir.Affine(draw(5, 3, 5), draw(6, 3) * 0.1 + 0.1),
        "last": cuba_lif(3),
    }
    edges = [("input", "w"), ("w", "cells"), ("cells", "loop"), ("loop", "cells"), ("cells", "read"), ("read", "last")]
    parts = assert_same(graph(nodes, [*edges, ("last", "output")]), spike_counts(300, 4))
    assert parts.lags == {"input": 0, "cells": 1, "last": 2}
    assert parts.projections["cells", "cells"].delay == DT


def two_layers(back):
    nodes = {
        "w": nir.Linear(draw(1, 5, 4)),
        "one": lif(5),
        "forth": nir.Linear(6 * np.abs(draw(3, 3, 5))),
        "other": lif(3),
        "back": nir.Linear(4 * draw(4, 5, 3)),
        **back,
    }
    edges = [("input", "w"), ("w", "one"), ("one", "forth"), ("forth", "other"), ("other", "back"), ("other", "output")]
    ways = ["back", *back, "one"]
    return graph(nodes, [*edges, *pairwise(ways)])


def test_a_loop_of_two_layers_agrees_where_it_takes_two_steps():
    slow = two_layers({"wait": nir.Delay(np.full(5, DT))})
    parts = assert_same(slow, spike_counts(300, 4))
    assert parts.differences == ()
    assert parts.projections["other", "one"].delay == pytest.approx(DT)


def test_a_loop_that_is_too_fast_is_slower_and_told():
    counts = spike_counts(300, 4)
    with pytest.warns(NirWarning, match="other to one: in a loop .* arrives 1 step too late"):
        given, parts = simulated(two_layers({}), counts)
    assert len(parts.differences) == 1
    # exactly as if the loop had been given the step that it lacks
    expected = trained(two_layers({"wait": nir.Delay(np.full(5, DT))}), counts)
    np.testing.assert_array_equal(given["other"], expected["other"])
    assert (expected["other"] != trained(two_layers({}), counts)["other"]).any()


def test_thresholds_readouts_and_weighted_outputs():
    nodes = {
        "a": nir.Affine(draw(1, 6, 4), draw(2, 6) * 0.1),
        "binary": nir.Threshold(np.linspace(-0.2, 0.6, 6) + 0.3),
        "b": nir.Linear(draw(3, 3, 6)),
        "leaky": nir.LI(np.full(3, 5e-3), np.ones(3), np.zeros(3)),
        "sum": nir.I(np.full(3, 20.0)),
        "synapse": nir.CubaLI(np.full(3, 5e-3), np.full(3, 9e-3), np.ones(3), np.zeros(3), np.ones(3)),
        "output_w": nir.Affine(draw(4, 3, 6), draw(5, 3)),
    }
    edges = [("input", "a"), ("a", "binary"), ("binary", "b"), ("b", "leaky"), ("b", "sum"), ("b", "synapse")]
    edges += [("leaky", "output"), ("binary", "output_w"), ("output_w", "plain"), ("sum", "sums"), ("synapse", "sums")]
    whole = graph({**nodes, "plain": nir.Output(np.array([3])), "sums": nir.Output(np.array([3]))}, edges)
    counts = spike_counts(200, 4)
    parts = assert_same(whole, counts, nodes=["binary", "leaky", "sum", "synapse"])
    given, _ = simulated(whole, counts)
    expected = trained(whole, counts, output="plain")["output"]
    np.testing.assert_allclose(given["plain"], expected, rtol=1e-12, atol=1e-12)
    assert [each.name for each in parts.outputs["sums"]] == ["sum", "synapse"]
    assert [each.name for each in parts.outputs["output"]] == ["leaky"]


def test_a_file_that_spikelab_wrote_says_how_it_is_stepped(tmp_path):
    torch.manual_seed(0)
    network = Network.sequential(
        Dense(4, 6), LIF(dt=5e-4, reset="zero", method="euler"), Dense(6, 3), LIF(dt=5e-4, input_form="impulse")
    )
    with torch.no_grad():
        for layer in network.nodes.values():
            if isinstance(layer, Dense):
                layer.weight.mul_(20), layer.bias.mul_(0.3)
    write_nir(tmp_path / "net.nir", to_nir(network, (4,)))
    counts = spike_counts(400, 4)
    given, parts = simulated(tmp_path / "net.nir", counts, dt=None)
    with torch.no_grad():
        outputs = network.run(torch.as_tensor(counts, dtype=torch.float64)[:, None])[0]
    for name in ("1_lif", "3_lif"):
        assert outputs[name].any()
        np.testing.assert_array_equal(given[name], outputs[name][:, 0].numpy())
    assert [each.method for each in parts.populations.values()] == ["euler", "exact"]


def test_weights_that_a_network_runs_before_the_neurons_of_their_loop_begin_a_step_later(tmp_path):
    torch.manual_seed(1)
    # declared before the cells, the loop gets their spikes a step later, and its bias is not there in the first step
    nodes = {"w": Dense(4, 5), "loop": Dense(5, 5), "cells": LIF(dt=DT, tau_mem=5e-3)}
    edges = [("input", "w"), ("w", "cells"), ("cells", "loop"), ("loop", "cells"), ("cells", "output")]
    network = Network(nodes, edges)
    with torch.no_grad():
        nodes["w"].weight.mul_(10)
        nodes["loop"].bias.add_(4.0)
    write_nir(tmp_path / "net.nir", to_nir(network, (4,)))
    counts = spike_counts(200, 4)
    given, _ = simulated(tmp_path / "net.nir", counts, dt=None)
    with torch.no_grad():
        expected = network(torch.as_tensor(counts, dtype=torch.float64)[:, None])[0][:, 0].numpy()
    assert expected.std() > 0
    np.testing.assert_array_equal(given["cells"], expected)


def test_single_precision_gives_the_same_spikes_where_nothing_is_close():
    nodes = {"w": nir.Linear(np.full((1, 1), 0.5)), "cells": lif(1)}
    counts = spike_counts(200, 1, share=0.5)
    exact, _ = simulated(chain(nodes, (1,), (1,)), counts)
    single, _ = simulated(chain(nodes, (1,), (1,)), counts, dtype="float32")
    assert exact["cells"].any()
    np.testing.assert_array_equal(single["cells"], exact["cells"])


# ------------------------------------------------------------------------------------------------------ its synapses


def test_zero_weights_make_no_synapse():
    weight = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    nodes = {"w": nir.Linear(weight), "cells": lif(2), "none": nir.Linear(np.zeros((2, 2))), "more": lif(2)}
    edges = [("input", "w"), ("w", "cells"), ("cells", "none"), ("none", "more"), ("w", "more"), ("more", "output")]
    network, parts = sim.network_from_nir(graph(nodes, edges, (3,), (2,)), {"input": ([], [])}, dt=1 * ms)
    assert sorted(parts.projections) == [("input", "cells"), ("input", "more")]
    synapses = network.synapses(parts.projections["input", "cells"])
    assert synapses.senders().tolist() == [0, 2]
    assert synapses.connectivity.targets.tolist() == [0, 1]
    assert np.asarray(synapses.weights).tolist() == [1.0, 2.0]


def test_a_convolution_becomes_its_taps_and_not_a_matrix():
    # 640 000 neurons on each side: a matrix would have 4e11 entries
    nodes = {"c": nir.Conv2d((800, 800), np.ones((1, 1, 1, 2)), 1, 0, 1, 1, np.zeros(1)), "cells": lif(1, 800, 799)}
    network, parts = sim.network_from_nir(chain(nodes, (1, 800, 800), (1, 800, 799)), {"input": ([], [])}, dt=DT)
    assert network.synapses(parts.projections["input", "cells"]).count == 2 * 800 * 799


def test_names_of_nodes_become_names_of_populations():
    nodes = {"0": nir.Linear(np.eye(2)), "1": lif(2), "a.b": nir.Linear(np.eye(2)), "a-b": lif(2), "a_b": lif(2)}
    edges = [("input", "0"), ("0", "1"), ("1", "a.b"), ("a.b", "a-b"), ("a.b", "a_b"), ("a-b", "output")]
    network, parts = sim.network_from_nir(graph(nodes, edges, (2,), (2,)), {"input": ([], [])}, dt=DT)
    assert set(parts.populations) == {"1", "a-b", "a_b"}
    assert sorted(network.populations) == ["a_b", "a_b_", "input", "node_1"]
    assert "node_1" in network.describe()


# --------------------------------------------------------------------------------------------------------- its input


def small():
    return chain({"w": nir.Linear(np.full((1, 2), 2.0)), "cells": lif(1)}, (2,), (1,))


def test_spikes_are_given_as_times_as_counts_or_as_a_source():
    counts = np.zeros((50, 2), int)
    counts[[4, 5, 9, 30], [0, 1, 1, 0]] = [1, 3, 2, 1]
    steps, neurons = np.nonzero(counts)
    times = np.repeat((steps + 1) * DT, counts[steps, neurons])
    expected, _ = simulated(small(), counts)
    assert expected["cells"].sum() > 1
    ways = [counts, (times, np.repeat(neurons, counts[steps, neurons]))]
    ways.append(sim.SpikeArray(*ways[1]))
    for way in ways:
        network, parts = sim.network_from_nir(small(), {"input": way}, dt=DT)
        spikes = network.record_spikes(parts.populations["cells"])
        network.run(51 * DT)
        assert (np.round(spikes.times / DT) - 2).tolist() == np.flatnonzero(expected["cells"]).tolist()
    network, parts = sim.network_from_nir(small(), {"input": sim.PoissonSource(500.0)}, dt=DT, seed=3)
    assert parts.inputs["input"].source.rate == 500.0


@pytest.mark.parametrize(
    ("spikes", "told"),
    [
        ({}, r"none for the Input 'input'; give \(times, neurons\), counts \[T, 2\]"),
        ({"inptu": np.zeros((3, 2))}, "no Input 'inptu'.*input"),
        ({"input": np.zeros((3, 5))}, r"shape \[3, 5\]; give .* counts \[T, 2\]"),
        ({"input": np.full((3, 2), 0.5)}, r"0\.5 spikes in a step; counts are whole numbers"),
        ({"input": np.full((3, 2), np.nan)}, "nan spikes in a step"),
        ({"input": (np.zeros(3),)}, r"1 things; give \(times, neurons\)"),
        ({"input": ([1e-3], [7])}, "neuron 7 does not exist"),
    ],
)
def test_spikes_that_do_not_fit(spikes, told):
    with pytest.raises(ValueError, match=told):
        sim.network_from_nir(small(), spikes, dt=DT)


# ------------------------------------------------------------------------------------------------------- links, lags


def windows():
    """Windows of every kind: (node, shape of a step)."""
    sizes = st.integers(1, 3)
    return st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["Conv2d", "SumPool2d", "AvgPool2d"]),
            "kernel": st.tuples(sizes, sizes),
            "stride": st.tuples(sizes, sizes),
            "padding": st.one_of(st.tuples(st.integers(0, 2), st.integers(0, 2)), st.sampled_from(["same", "valid"])),
            "dilation": st.tuples(sizes, sizes),
            "groups": st.integers(1, 2),
            "pixels": st.tuples(st.integers(7, 9), st.integers(7, 9)),
        }
    )


@hypothesis.given(windows(), st.integers(0, 99))
def test_links_are_the_taps_of_any_window(window, seed):
    kernel, stride, padding, groups = window["kernel"], window["stride"], window["padding"], window["groups"]
    x = torch.as_tensor(draw(seed, 1, 2, *window["pixels"]))
    fields = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": window["dilation"]}
    if window["kind"] == "Conv2d":
        stride = (1, 1) if padding == "same" else stride
        weight = draw(seed + 1, 4, 2 // groups, *kernel)
        fields |= {"weight": weight, "groups": groups, "stride": stride}
        expected = torch.nn.functional.conv2d(
            x, torch.as_tensor(weight), None, stride, padding, window["dilation"], groups
        )
    else:
        padding = tuple(min(1, size // 2) for size in kernel)
        fields["padding"] = padding
        one = 1 if window["kind"] == "SumPool2d" else None
        expected = torch.nn.functional.avg_pool2d(x, kernel, stride, padding, divisor_override=one)
    links = links_of(Node(window["kind"], fields, {}), tuple(x.shape[1:]), tuple(expected.shape[1:]))
    found = links.applied(x.numpy().reshape(-1), expected.numel())
    np.testing.assert_allclose(found, expected.numpy().reshape(-1), rtol=1e-12, atol=1e-12)
    assert len(links) == len(set(zip(links.sources.tolist(), links.targets.tolist(), strict=True)))


@hypothesis.given(st.integers(0, 10_000))
def test_links_after_links_are_their_product_for_each_delay(seed):
    random = np.random.default_rng(seed)
    maps, delays = [], []
    for rows, columns in ((5, 4), (3, 5)):
        matrix = random.normal(size=(rows, columns)) * (random.random((rows, columns)) < 0.6)
        maps.append(matrix)
        delays.append(random.integers(0, 3, rows))
    linear = [links_of(Node("Linear", {"weight": matrix}, {}), (0,), (0,)) for matrix in maps]
    both = identity(4).followed_by(linear[0]).later(delays[0]).followed_by(linear[1]).later(delays[1])
    steps = np.broadcast_to(both.steps, both.sources.shape)
    for late in range(5):
        expected = np.zeros((3, 4))
        for middle in range(5):
            due = delays[0][middle] + delays[1] == late
            expected += np.where(due[:, None], np.outer(maps[1][:, middle], maps[0][middle]), 0)
        found = np.zeros((3, 4))
        np.add.at(found, (both.targets[steps == late], both.sources[steps == late]), both.weights[steps == late])
        np.testing.assert_allclose(found, expected, atol=1e-12)
    assert both.weights.all()


@hypothesis.given(st.integers(2, 8), st.data())
def test_lags_give_every_connection_a_step_and_keep_what_meets_together(count, data):
    names = [f"n{k}" for k in range(count)]
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), unique=True, max_size=20))
    # a step of the trained network goes through the populations in order, so what leads back takes one at least
    steps = {(a, b): data.draw(st.integers(int(a >= b), 3)) for a, b in pairs}
    lags, late = find_lags(names, steps, {})
    assert min(lags.values()) == 0
    for (a, b), taken in steps.items():
        assert taken + late.get((a, b), 0) + lags[b] - lags[a] >= 1
        assert late.get((a, b), 0) >= 0
        assert a > b or (a, b) not in late
    loops = list(networkx.simple_cycles(networkx.DiGraph(list(steps))))
    too_fast = [loop for loop in loops if sum(steps[pair] for pair in pairwise([*loop, loop[0]])) < len(loop)]
    assert bool(late) == bool(too_fast)


# ----------------------------------------------------------------------------------------------- what cannot be run


def test_everything_without_a_form_is_told_at_once_by_name():
    nodes = {
        "w": nir.Linear(draw(1, 3, 4)),
        "readout": nir.LI(np.full(3, 5e-3), np.ones(3), np.zeros(3)),
        "after": nir.Linear(draw(2, 3, 3)),
        "cells": lif(3, v_reset=-0.5),
        "odd": nir.Delay(np.full(3, 0.4 * DT)),
        "far": nir.Delay(np.full(3, 1e6 * DT)),
        "rest": cuba_lif(3),
    }
    edges = [("input", "w"), ("w", "readout"), ("readout", "after"), ("after", "cells"), ("cells", "odd")]
    edges += [("w", "far"), ("far", "rest"), ("odd", "rest"), ("rest", "output")]
    options = {"reset": "subtract", "method": "semi_implicit_euler", "input_form": "impulse"}
    with pytest.raises(CannotImport) as error:
        sim.network_from_nir(graph(nodes, edges), {"input": ([], [])}, dt=DT, **options)
    told = str(error.value)
    assert "cells: v_reset = -0.5 has no meaning for a reset by subtraction; set it to 0" in told
    assert "rest: semi_implicit_euler lets v see within the step an impulse that raises i" in told
    with pytest.raises(CannotImport) as error:
        sim.network_from_nir(graph(nodes, edges), {"input": ([], [])}, dt=DT)
    told = str(error.value)
    assert "after: gets the membrane of 'readout' (LI), which is no spike" in told
    assert "odd: delay = 0.0004 s is 0.4 steps of dt = 0.001 s, but must be whole steps" in told
    assert "far: delay = 1000 s is 1000000 steps" in told
    assert "take a longer step" in told


def test_a_loop_without_a_neuron_is_refused():
    nodes = {"w": nir.Linear(np.eye(3, 4)), "half": nir.Scale(np.full(3, 0.5)), "wait": nir.Delay(np.full(3, DT))}
    edges = [("input", "w"), ("w", "half"), ("half", "wait"), ("wait", "half"), ("half", "cells"), ("cells", "output")]
    with pytest.raises(CannotImport, match=r"half, wait are a loop without a neuron.*put a neuron into it"):
        sim.network_from_nir(graph({**nodes, "cells": lif(3)}, edges), {"input": ([], [])}, dt=DT)


def test_more_synapses_than_memory_holds_are_refused_before_they_are_made():
    weight = np.ones((4, 1, 400, 400), np.float32)
    nodes = {"c": nir.Conv2d((800, 800), weight, 1, 0, 1, 1, np.zeros(4)), "cells": lif(4, 401, 401)}
    with pytest.raises(CannotImport, match=r"c: it stands for 1.029e\+11 synapses, more than the 2147483647"):
        sim.network_from_nir(chain(nodes, (1, 800, 800), (4, 401, 401)), {"input": ([], [])}, dt=DT)


def test_missing_time_step_unknown_options_and_damaged_graphs():
    with pytest.raises(CannotImport, match=r"dt: the graph has no time step; pass dt \(seconds\)"):
        sim.network_from_nir(small(), {"input": ([], [])})
    with pytest.raises(CannotImport, match="cells: unknown method 'guess'"):
        sim.network_from_nir(small(), {"input": ([], [])}, dt=DT, method="guess")
    with pytest.raises(ValueError, match="input_form = 'spike' must be"):
        sim.network_from_nir(small(), {"input": ([], [])}, dt=DT, input_form="spike")
    with pytest.raises(ValueError, match="reset = 'maybe' must be"):
        sim.network_from_nir(small(), {"input": ([], [])}, dt=DT, reset="maybe")
    with pytest.raises(TypeError, match="got a int; give a path"):
        sim.network_from_nir(3, {"input": ([], [])}, dt=DT)
    for read in (from_nir, lambda empty, dt: sim.network_from_nir(empty, {}, dt=dt)):
        with pytest.raises(CannotImport, match="the graph has no nodes"):
            read(nir.NIRGraph({}, [], type_check=False), dt=DT)
    misfit = chain({"w": nir.Linear(np.ones((1, 7))), "cells": lif(1)}, (2,), (1,))
    with pytest.raises(CannotImport, match=r"w: \[2\] arrives, but \[7\] is needed"):
        sim.network_from_nir(misfit, {"input": ([], [])}, dt=DT)


def test_neurons_that_spike_by_themselves_are_told():
    nodes = {"w": nir.Linear(np.ones((1, 2))), "cells": lif(1, v_leak=1.5)}
    with pytest.warns(NirWarning, match="cells: spikes without input, and so from step 0 on"):
        sim.network_from_nir(chain(nodes, (2,), (1,)), {"input": ([], [])}, dt=DT)


# ------------------------------------------------------------------------------------------- other simulators' files


def discovered(shared, pattern="**/*.nir"):
    files = sorted((shared / "data" / "nir_models").glob(pattern))
    assert files, f"no files {pattern}"
    return files


@pytest.mark.shared
@pytest.mark.parametrize("input_form", ["current", "impulse"])
@pytest.mark.parametrize("reset", ["value", "subtract"])
def test_every_file_of_other_simulators_makes_the_trained_networks_spikes(shared, input_form, reset):
    spikes = 0
    for path in discovered(shared):
        options = {"dt": 1e-3, "input_form": input_form, "reset": reset, "trusted": True}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NirWarning)
            name_of_input, shape = input_of(path)
            counts = 2 * spike_counts(80, *shape)
            network, parts = sim.network_from_nir(path, {name_of_input: counts}, **options)
            expected = trained(path, counts, **options)
        monitors = {name: network.record_spikes(each) for name, each in parts.populations.items()}
        network.run((80 + max(parts.lags.values())) * network.dt)
        if parts.differences:
            assert all("spikes without input" in told for told in parts.differences), path
            continue
        for name, monitor in monitors.items():
            trace = np.zeros((80 + max(parts.lags.values()), parts.populations[name].size), int)
            np.add.at(trace, (np.round(monitor.times / network.dt).astype(int) - 1, monitor.neurons), 1)
            want, lag = expected[name.replace(".", "_")], parts.lags[name]
            np.testing.assert_array_equal(trace[lag : lag + 80], want, err_msg=f"{path} {name}")
            spikes += int(want.sum())
    assert spikes > 1000


def input_of(path):
    ((name, node),) = read_nir(path, trusted=True).inputs.items()
    return name, tuple(int(size) for size in node.input_type["input"])


@pytest.mark.shared
def test_one_lif_spikes_when_the_exact_solution_does(shared):
    for path in discovered(shared, "lif/*_norse.nir"):
        trace = np.loadtxt(path.parent / "lif_exact.csv", delimiter=",")
        network, parts = sim.network_from_nir(path, {"input": trace[:, :1]}, dt="0.1 ms")
        (cells,) = parts.outputs["output"]
        spikes = network.record_spikes(cells)
        network.run(0.1001)
        bins = np.round(spikes.times / 1e-4).astype(int) - 1 - next(iter(set(parts.lags.values()) - {0}))
        assert bins.tolist() == np.flatnonzero(trace[:, 2]).tolist() == [460, 510, 710, 760]


@pytest.mark.shared
def test_the_recording_of_a_four_is_a_four(shared):
    raw = np.fromfile(shared / "data" / "event_formats" / "sample_nmnist.bin", np.uint8).reshape(-1, 5).astype(np.int64)
    place = ((raw[:, 2] >> 7) * 34 + raw[:, 1]) * 34 + raw[:, 0]
    times = (((raw[:, 2] & 127) << 16) | (raw[:, 3] << 8) | raw[:, 4]) * 1e-6
    for path in discovered(shared, "cnn/*.nir"):
        network, parts = sim.network_from_nir(
            path, {"input": (times + 0.5e-6, place)}, dt=1 * ms, reset="subtract", input_form="impulse"
        )
        (cells,) = parts.outputs["output"]
        spikes = network.record_spikes(cells)
        network.run(0.31)
        counts = np.bincount(spikes.neurons, minlength=cells.size)
        assert int(counts.argmax()) == 4
        assert counts[4] > 3 * np.sort(counts)[-2]

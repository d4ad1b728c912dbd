"""Limits that simulators of vendors leave unchecked: each is found where it is broken, and only there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikelab import registry
from spikelab.hw.checks.numpy_arithmetic import work_out
from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne
from spikelab.hw.integer import simulate
from spikelab.hw.ir import Input, IntegerGraph, Population
from spikelab.hw.limits import check_limits
from spikelab.hw.neuron import STEP
from spikelab.hw.simulation.neuron_kernel import parameters_of


def neuron(name):
    return registry.load("integer_neurons", name)


def loihi(weights, connection=None, given=None, kind="loihi_lif", **parameters):
    """One layer of Loihi's neurons behind an input of 4."""
    parameters = {"du": 500, "dv": 200, "vth": 150} | parameters if kind == "loihi_lif" else parameters
    return IntegerGraph(
        {"in": given or Input((4,))},
        [Population("out", neuron(kind), (3,), parameters)],
        [Connection("in", "out", weights, **(connection or {}))],
    )


EVEN = Dense(np.array([[20, -40, 60, 80], [40, 60, -20, 100], [60, 80, 20, -120]]))


def kinds(violations):
    return [v.what for v in violations]


def spikes(rate=0.5, steps=60, seed=0):
    return (np.random.default_rng(seed).random((steps, 2, 4)) < rate).astype(np.int64)


def test_nothing_is_said_where_all_is_well():
    graph = loihi(EVEN)
    assert check_limits(graph) == []
    assert check_limits(graph, {"in": spikes()}) == []
    assert 0.02 < simulate(graph, {"in": spikes()}).messages["out"].mean() < 0.9


@pytest.mark.parametrize(
    ("graph", "what", "text"),
    [
        (
            loihi(Dense(EVEN.weight + np.eye(3, 4, dtype=int))),
            "weights",
            "connection 'in' -> 'out': weights: 3 of 12 weights, -120 to 100, cannot be stored; Loihi has 8 bits with "
            "mixed signs, here -120 to 100 in steps of 2",
        ),
        (loihi(Dense(np.full((3, 4), 256))), "weights", "12 of 12 weights, 256 to 256, .* excitatory signs, here 255"),
        (loihi(Dense(-np.full((3, 4), 256))), "weights", "12 of 12 weights, .* inhibitory signs, here -255 to -255"),
        (loihi(EVEN, {"exponent": 8}), "exponent", "exponent: 8; Loihi has -8 to 7"),
        (
            loihi(EVEN, {"exponent": -3}),
            "weights",
            "7 weights have low bits that an exponent of -3 drops.*multiples of 8",
        ),
        (loihi(EVEN, {"delay": 65}), "delay", "delay: 64 steps beyond the usual one; Loihi has at most 63"),
        (loihi(Dense(EVEN.weight, np.full((3, 4), 64))), "delay", "64 steps beyond the usual one"),
        (
            loihi(EVEN, given=Input((4,), 0, 2**23)),
            "input range",
            "input 'in': input range: messages of 0 to 8388608; ",
        ),
        (
            loihi(EVEN, kind="loihi_sigma_delta", vth=4000),
            "parameter",
            r"vth is 16384000 when shifted by spike_exp \+ state_exp; the states have 24 bits",
        ),
        (loihi(EVEN, kind="loihi_sigma_delta", vth=1, bias=np.array([1, -3000, 1])), "parameter", "bias is 12288000"),
    ],
)
def test_a_limit_of_the_graph_is_named(graph, what, text):
    import re

    found = check_limits(graph)
    assert kinds(found) == [what]
    assert found[0].breaks
    assert re.search(text, str(found[0]).replace("(", "").replace(")", "")), str(found[0])


def test_the_longest_that_fits_is_no_violation():
    weight = Dense(np.array([[255, 0, 8, 254]] * 3), np.full((3, 4), 63))
    assert check_limits(loihi(weight, {"exponent": 7})) == []
    assert check_limits(loihi(Dense(EVEN.weight * 2 // 4 * 4), {"exponent": -2, "delay": 64})) == []


def test_the_sum_that_arrives_has_sixteen_bits_on_loihi():
    graph = loihi(Dense(np.full((3, 4), [[250], [130], [10]])), {"exponent": 6}, vth=2**17 - 1)
    x = np.ones((40, 2, 4), np.int64)
    x[:10] = 0
    found = {v.what: v for v in check_limits(graph, {"in": x})}
    assert found["sum"].breaks
    # 4 spikes times 250 and 130, times 64; both above 32767
    assert "reaches 0 to 64000 at 2 of 3 neurons" in found["sum"].found
    assert found["sum"].allowed == "16 bits hold -32768 to 32767"
    # the step at which an input arrives is the next one
    assert (found["sum"].neurons, found["sum"].values) == (2, 2 * 2 * 29)


def test_wraps_and_clips_are_counted_where_they_happen():
    graph = loihi(Dense(np.full((3, 4), [[255], [10], [-255]])), {"exponent": 7}, du=-1, dv=0, vth=2**17 - 1)
    x = np.ones((30, 1, 4), np.int64)
    run = simulate(graph, {"in": x}, record=True)
    u = run.states["out"]["u"][:, 0]
    found = {(v.what, v.found.split()[0]): v for v in check_limits(graph, {"in": x})}
    turned = np.diff(np.concatenate([np.zeros((1, 3), int), u]), axis=0)
    # the current grows by the same at each step, but where it wraps
    expected = (np.sign(turned) != np.sign(graph.connections[0].weights.weight[:, 0])) & (turned != 0)
    wrap = found["wrap", "u"]
    assert expected.sum() > 1
    assert (wrap.values, wrap.neurons) == (int(expected.sum()), int(expected.any(0).sum()))
    assert not wrap.breaks
    clip = found["saturation", "v"]
    assert clip.values > 0


def test_neurons_that_say_nothing_are_counted():
    weight = np.zeros((3, 4), np.int64)
    weight[2] = 120
    graph = loihi(Dense(weight), vth=1, bias_mant=np.array([0, 100, 0]))
    found = {v.what: v for v in check_limits(graph, {"in": spikes(0.3)})}
    assert found["dead"].found == "no message on these data at 1 of 3 neurons"
    assert found["always active"].found == "a message at every step at 1 of 3 neurons"


def test_a_neuron_that_sits_at_its_limit_is_named():
    graph = IntegerGraph(
        {"in": Input((2,), 0, 3000)},
        [Population("out", neuron("generic_li_16"), (2,), {"keep_mem": 2**15})],
        [Connection("in", "out", OneToOne(np.array([1, 0])), 0)],
    )
    found = check_limits(graph, {"in": np.full((100, 1, 2), 3000)})
    assert kinds(found) == ["saturation", "at limit"]
    assert found[0].values == 100 - 32767 // 3000
    assert found[1].found == "v is at 32767 in more than 50% of the steps at 1 of 2 neurons"


@pytest.mark.parametrize(("steps", "samples"), [(0, 1), (3, 0)])
def test_nothing_is_said_of_no_data(steps, samples):
    assert check_limits(loihi(EVEN), {"in": np.zeros((steps, samples, 4), np.int64)}) == []


def test_a_limit_that_is_a_parameter_is_wanted():
    graph = IntegerGraph(
        {"in": Input((1,))},
        [Population("out", neuron("speck_if"), (1,), {"v_threshold": 50, "v_low": 0})],
        [Connection("in", "out", OneToOne(np.array(-20)), 0), Connection("in", "out", OneToOne(np.array(60)), 7)],
    )
    assert "saturation" not in kinds(check_limits(graph, {"in": np.ones((60, 1, 1), np.int64)}))


def test_messages_too_wide_are_named():
    graph = loihi(Dense(np.full((3, 4), 254)), kind="loihi_sigma_delta", vth=0, state_exp=0, spike_exp=0)
    graph = replace(graph, inputs={"in": Input((4,), -(2**23), 2**23 - 1)})
    found = {v.what: v for v in check_limits(graph, {"in": np.full((3, 1, 4), 2**22)})}
    assert found.keys() >= {"sum", "state", "message"}
    assert "8388607" in found["message"].allowed
    assert found["state"].breaks


def test_xylo_and_speck_have_limits_of_their_own():
    for name, parameters, exponent in (
        ("xylo_hidden", {"dash_syn": 3, "dash_mem": 3, "threshold": 100}, 8),
        ("speck_if", {"v_threshold": 9}, 1),
    ):
        graph = IntegerGraph(
            {"in": Input((2, 4, 4), 0, 2**20)},
            [Population("out", neuron(name), (1, 3, 3), parameters)],
            [Connection("in", "out", Convolution(np.full((1, 2, 2, 2), 130)), 3, exponent)],
        )
        assert sorted(kinds(check_limits(graph))) == ["delay", "exponent", "input range", "weights"]
    assert check_limits(replace(graph, populations=[Population("out", neuron("generic_lif_32"), (1, 3, 3),
                                {"keep_mem": 1, "v_threshold": 5})])) == []  # fmt: skip


@pytest.mark.parametrize("name", registry.names("integer_neurons"))
def test_arrays_work_out_what_the_kernels_do(name):
    """The counting evaluation and the simulator agree on every line of every neuron."""
    kind, random = neuron(name), np.random.default_rng(0)
    for scale in (8, 2000, 10**5):
        parameters = {}
        for p in kind.parameters:
            low, high = max(p.low, -3000), min(p.high, 3000)
            own = random.integers(max(low, 1) if p.low >= 0 and high > 1 else low, high + 1, 30 if p.per_neuron else 1)
            parameters[p.name] = own if p.per_neuron else int(own[0])
            if name.startswith("loihi") and p.name.endswith("_exp"):
                parameters[p.name] = int(random.integers(p.low, 7))
        population = Population("n", kind, (30,), parameters)
        graph = IntegerGraph(
            {a: Input((30,), -(2**40), 2**40) for a in kind.inputs},
            [population],
            [Connection(a, "n", OneToOne(np.array(1)), 0, port=a) for a in kind.inputs],
        )
        x = {a: random.integers(-scale, 2 * scale, (80, 2, 30)) for a in kind.inputs}
        run = simulate(graph, x, record=True)
        states = run.states["n"]
        before = {s: np.concatenate([np.zeros_like(v[:1]), v[:-1]]) for s, v in states.items()}
        steps = np.arange(1, 81)[:, None, None]
        worked = work_out(kind, {**before, **run.inputs["n"], **parameters_of(population), STEP: steps})
        for state, values in states.items():
            assert np.array_equal(worked.values[state], values), (name, scale, state)
        assert np.array_equal(np.broadcast_to(worked.values["message"], x[kind.inputs[0]].shape), run.messages["n"])


@pytest.mark.shared
def test_a_trace_of_lava_wraps_where_it_is_said_to(shared):
    """Lava's recorded currents jump by 2^24 exactly where a wrap is reported."""
    import json

    seen = 0
    for path in sorted((shared / "oracles" / "lava").glob("*.npz")):
        data = np.load(path)
        meta = json.loads(str(data["meta"]))
        if meta.get("kind") != "dense_lif":
            continue
        names = {p.name for p in neuron("loihi_lif").parameters}
        parameters = {k: v for k, v in meta.items() if k in names}
        parameters |= {k: data[k].astype(np.int64) for k in data.files if k in names}
        weight = data["weights_effective"].astype(np.int64)
        graph = IntegerGraph(
            {"in": Input((meta["n_in"],), -(2**23), 2**23)},
            [Population("out", neuron("loihi_lif"), (meta["n_out"],), parameters)],
            [Connection("in", "out", Dense(weight), 1, meta["weight_exp"])],
        )
        x = np.moveaxis(data["spikes_in"].astype(np.int64), -1, 0)[:, None]
        u = np.moveaxis(data["u"].astype(np.int64), -1, 0)
        run = simulate(graph, {"in": x}, record=True)
        if "reset_interval" in meta:
            continue
        kept = np.concatenate([np.zeros_like(u[:1]), u[:-1]])
        decayed = np.sign(kept) * (np.abs(kept) * (4095 - meta["du"]) >> 12)
        jumps = int((u != decayed + 64 * run.inputs["out"]["a"][:, 0]).sum())
        reported = sum(v.values for v in check_limits(graph, {"in": x}) if v.what == "wrap")
        assert reported == jumps, path.name
        seen += jumps > 0
    if not seen:
        pytest.skip("no recorded trace wraps")

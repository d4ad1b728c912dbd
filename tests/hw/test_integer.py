"""The integer simulator: what it refuses, and that pieces of a sequence give what the whole gives."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from spikelab.hw.arithmetic import FUNCTIONS
from spikelab.hw.backends.netx import NetxError, read_netx, write_netx
from spikelab.hw.connections import Connection, Convolution, Dense
from spikelab.hw.integer import simulate
from spikelab.hw.ir import Input, IntegerGraph, IntegerGraphError, Population
from spikelab.hw.loihi_weights import stored_weights
from spikelab.hw.neuron import IntegerNeuron, IntegerParameter, IntegerState
from spikelab.hw.neurons.loihi_lif import LOIHI_LIF
from spikelab.hw.printing import print_integer
from spikelab.hw.simulation import numba_arithmetic

LIF = {"du": 500, "dv": 200, "vth": 120}


def network(seed=0, recurrent=True, delays=True):
    random = np.random.default_rng(seed)
    weight = random.integers(-120, 130, (7, 5))
    delay = random.integers(0, 4, (7, 5)) if delays else None
    connections = [
        Connection("in", "a", Dense(weight, delay)),
        Connection("a", "b", Dense(random.integers(-90, 128, (3, 7)))),
    ]
    if recurrent:
        connections += [
            Connection("a", "a", Dense(random.integers(-60, 60, (7, 7)))),
            Connection("b", "a", Dense(random.integers(-60, 60, (7, 3))), 2),
        ]
    bias = random.integers(-20, 20, 7)
    populations = [Population("a", LOIHI_LIF, (7,), {**LIF, "bias_mant": bias}), Population("b", LOIHI_LIF, (3,), LIF)]
    return IntegerGraph({"in": Input((5,))}, populations, connections)


def spikes(steps=60, batch=3, seed=1):
    return (np.random.default_rng(seed).random((steps, batch, 5)) < 0.4).astype(np.int64)


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("pieces", [[60], [1, 59], [20, 0, 7, 33], [1] * 60])
def test_pieces_of_a_sequence_give_what_the_whole_gives(recurrent, pieces):
    graph, x = network(recurrent=recurrent), spikes()
    whole = simulate(graph, {"in": x}, record=True)
    assert 0 < whole.messages["b"].mean() < 1
    state, at, found = None, 0, []
    for length in pieces:
        run = simulate(graph, {"in": x[at : at + length]}, state, record=True)
        state, at = run.state, at + length
        found.append(run)
    for name in ("a", "b"):
        assert np.array_equal(np.concatenate([run.messages[name] for run in found]), whole.messages[name])
        for s in ("u", "v"):
            assert np.array_equal(np.concatenate([run.states[name][s] for run in found]), whole.states[name][s])


def test_samples_of_a_batch_do_not_mix():
    graph, x = network(), spikes()
    together = simulate(graph, {"in": x}).messages["b"]
    for sample in range(x.shape[1]):
        alone = simulate(graph, {"in": x[:, sample : sample + 1]}).messages["b"]
        assert np.array_equal(alone[:, 0], together[:, sample])


def test_going_on_does_not_change_what_was_given_out():
    graph, x = network(), spikes()
    run = simulate(graph, {"in": x}, record=True)
    kept = run.state["populations"]["a"]["v"].copy()
    simulate(graph, {"in": x}, run.state)
    assert np.array_equal(run.state["populations"]["a"]["v"], kept)


WHOLE = st.integers(-(2**30), 2**30)


@given(x=WHOLE, n=st.integers(0, 20), y=WHOLE, c=WHOLE)
@settings(max_examples=200)
def test_operations_mean_what_their_definitions_say(x, n, y, c):
    run = {name: getattr(numba_arithmetic, name).py_func for name in [*FUNCTIONS, "magnitude"]}
    assert run["toward_zero"](x, n) == (abs(x) // 2**n) * (1 if x >= 0 else -1)
    assert run["shift"](x, n) == x * 2**n
    assert run["shift"](x, -n) == x // 2**n
    assert run["saturate"](x, -100, 100) == max(-100, min(100, x))
    assert run["choose"](c, x, y) == (x if c > 0 else y)
    assert run["positive"](x) == int(x > 0)
    assert run["magnitude"](x) == abs(x)
    assert run["quotient"](abs(x), n + 1) == abs(x) // (n + 1)
    assert run["remainder"](abs(x), n + 1) == abs(x) % (n + 1)
    wrapped = run["wrap"](x, 31)
    assert (wrapped - x) % 2**31 == 0
    assert -(2**30) < wrapped <= 2**30


def test_every_operation_is_printed_by_its_name():
    x, y, z = sp.symbols("x y z", integer=True)
    for name, function in FUNCTIONS.items():
        count = max(function.nargs)
        assert print_integer(function(*(x, y, z)[:count])) == f"{name}({', '.join('xyz'[:count])})"
    assert print_integer(3 - x * y) == "(((-1) * x * y) + 3)"
    with pytest.raises(NotImplementedError, match=r"no integer code for (Rational|Half)"):
        print_integer(sp.Rational(1, 2))


@pytest.mark.parametrize(
    ("weight", "bits", "mode", "expected"),
    [
        ([-300, -3, 3, 300], 8, "mixed", [-256, -4, 2, 254]),
        ([-300, -3, 3, 300], 8, "excitatory", [0, 0, 3, 255]),
        ([-300, -3, 3, 300], 8, "inhibitory", [-255, -3, 0, 0]),
        ([-7, 7], 6, "", [-8, 0]),
        ([7, 9], 5, "", [0, 8]),
        ([-7, -9], 5, "", [0, -8]),
    ],
)
def test_stored_weights(weight, bits, mode, expected):
    assert stored_weights(np.array(weight), bits, mode).tolist() == expected


def test_all_problems_of_a_graph_are_said_at_once():
    with pytest.raises(IntegerGraphError) as error:
        IntegerGraph(
            {"in": Input((5,))},
            [
                Population("a", LOIHI_LIF, (7,), {"vth": 2**20, "tau": 3}),
                Population("a", LOIHI_LIF, (7,), {"vth": np.array([0.5])}),
                Population("b", LOIHI_LIF, (2,), {}),
            ],
            [
                Connection("in", "c", Dense(np.zeros((7, 5), np.int64))),
                Connection("d", "b", Dense(np.zeros((7, 5), np.int64)), port="current"),
            ],
        )
    text = str(error.value)
    for part in (
        "the name 'a' is used 2 times",
        "there is no population 'c'",
        "there is no 'd'; known are in, a, a, b",
        "has no input 'current'; it has a",
        "has no parameter 'tau'",
        "vth = 1048576 to 1048576 lies outside 0 to 131071",
        "vth is float64, not whole numbers",
        "population 'b': vth (threshold in units of 64) is missing",
    ):
        assert part in text, part


@pytest.mark.parametrize(
    ("weights", "delay", "message"),
    [
        (Dense(np.zeros((5, 7), np.int64)), 1, r"must be \[targets, sources\] = \[7, 5\]"),
        (Dense(np.zeros((7, 5))), 1, "weights are float64, not whole numbers"),
        (Dense(np.zeros((7, 5), np.int64), np.full((7, 5), -1)), 1, "delays must be whole numbers >= 0"),
        (Dense(np.zeros((7, 5), np.int64)), -1, "a delay of -1 steps"),
        (Convolution(np.zeros((1, 1, 3, 3), np.int64)), 1, r"needs a source of shape \(C, H, W\), not \[5\]"),
    ],
)
def test_a_connection_that_does_not_fit_is_named(weights, delay, message):
    with pytest.raises(IntegerGraphError, match=f"connection 'in' -> 'a': .*{message}"):
        IntegerGraph(
            {"in": Input((5,))}, [Population("a", LOIHI_LIF, (7,), LIF)], [Connection("in", "a", weights, delay)]
        )


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, r"has the inputs \['in'\]"),
        ({"in": np.zeros((3, 2, 5))}, "is float64; give whole numbers"),
        ({"in": np.zeros((3, 5), np.int64)}, r"has shape \[3, 5\], but must be \[T, B, 5\]"),
    ],
)
def test_input_that_does_not_fit_is_named(inputs, message):
    with pytest.raises(ValueError, match=message):
        simulate(network(), inputs)


def test_an_equation_that_says_nothing_to_send_is_refused():
    neuron = IntegerNeuron(
        "mute", "Mute", (IntegerState("v", 8, "v"),), (IntegerParameter("k", 0, 1, "k", 0),), (("v", "v + a"),), ""
    )
    with pytest.raises(ValueError, match="mute: no line says what 'message' is"):
        _ = neuron.assignments


def test_netx_says_everything_that_it_cannot_write(tmp_path):
    with pytest.raises(NetxError) as error:
        write_netx(tmp_path / "no.net", network())
    assert "population 'a' hears 'in', 'b', 'a'; netx is a chain" in str(error.value)
    assert "netx has one delay for all" in str(error.value)
    assert "bias needs exponent 6" in str(error.value)
    assert not list(tmp_path.iterdir())


def test_damaged_netx_is_named(tmp_path):
    path = tmp_path / "x.net"
    path.write_bytes(b"not HDF5")
    with pytest.raises(NetxError, match=r"x\.net: cannot be read as HDF5"):
        read_netx(path)


@pytest.mark.parametrize("delay", [3, [1, 0, 5], [2, 2, 0, 1, 4]])
def test_netx_keeps_delays_and_what_they_do(delay, tmp_path):
    """One for all, one for each of 3 targets, one for each of 5 sources."""
    given = np.array(delay)
    delays = np.broadcast_to(given[:, None] if given.size == 3 else given, (3, 5))
    weight = np.random.default_rng(0).integers(-60, 120, (3, 5))
    population = Population("a", LOIHI_LIF, (3,), LIF)
    graph = IntegerGraph({"in": Input((5,))}, [population], [Connection("in", "a", Dense(weight, delays))])
    write_netx(tmp_path / "a.net", graph)
    found = simulate(read_netx(tmp_path / "a.net"), {"input": spikes()}).messages["layer0"]
    true = simulate(graph, {"in": spikes()}).messages["a"]
    assert np.array_equal(found, true)
    assert 0 < true.mean() < 1


def test_netx_does_not_guess_whose_delays_they_are(tmp_path):
    graph = IntegerGraph(
        {"in": Input((3,))},
        [Population("a", LOIHI_LIF, (3,), LIF)],
        [Connection("in", "a", Dense(np.eye(3, dtype=int)))],
    )
    write_netx(tmp_path / "a.net", graph)
    with h5py.File(tmp_path / "a.net", "a") as file:
        file["layer/0/delay"] = np.array([0, 1, 2])
    with pytest.raises(NetxError, match=r"a\.net: layer 0: 3 delays may be those of targets or of sources"):
        read_netx(tmp_path / "a.net")


def test_a_parameter_that_the_chip_holds_once_cannot_differ():
    with pytest.raises(IntegerGraphError, match="population 'a': vth differs between neurons; a loihi_lif has one"):
        IntegerGraph({}, [Population("a", LOIHI_LIF, (2,), {"vth": np.array([1, 2])})], [])

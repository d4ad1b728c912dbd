"""Ranges hold whatever comes in, and are narrow enough to be of use."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from spikelab import registry
from spikelab.hw.arithmetic import FUNCTIONS
from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne
from spikelab.hw.integer import simulate
from spikelab.hw.intervals import Intervals, RangeError
from spikelab.hw.ir import Input, IntegerGraph, Population
from spikelab.hw.neuron import IntegerNeuron, IntegerParameter, IntegerState
from spikelab.hw.ranges import INT64, port_bounds, unbounded_states, value_ranges
from spikelab.hw.simulation import numba_arithmetic

NAMES = registry.names("integer_neurons")
X, N, Y = sp.symbols("x n y", integer=True)
SPAN = st.tuples(st.integers(-40, 40), st.integers(0, 12)).map(lambda s: (s[0], s[0] + s[1]))


def parameters_of(neuron, random):
    found = {}
    for p in neuron.parameters:
        low, high = max(p.low, -1000), min(p.high, 30000)
        found[p.name] = int(random.integers(max(low, 1) if high > 0 else low, high + 1))
    return found


@given(x=SPAN, n=st.tuples(st.integers(0, 6), st.integers(0, 4)), y=SPAN)
@settings(max_examples=40)
def test_each_operation_stays_in_its_range(x, n, y):
    places = (n[0], n[0] + n[1])
    count = {"toward_zero": places, "shift": (-places[1], places[1]), "wrap": (places[0] + 1,) * 2}
    for name, function in FUNCTIONS.items():
        run = getattr(numba_arithmetic, name).py_func
        ranges = [x, count.get(name, y), (y[1], y[1] + 5)][: max(function.nargs)]
        if name in ("quotient", "remainder"):
            ranges = [tuple(abs(v) for v in sorted(x, key=abs)), (1 + n[0], 1 + places[1])]
        symbols = (X, N, Y)[: len(ranges)]
        low, high = Intervals(dict(zip(symbols, ranges, strict=True))).of(function(*symbols))
        values = [run(*args) for args in itertools.product(*(range(a, b + 1) for a, b in ranges))]
        assert low <= min(values) <= max(values) <= high, name
        if name in ("toward_zero", "shift", "quotient", "positive", "saturate"):
            assert (low, high) == (min(values), max(values)), name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_values_stay_in_their_ranges(name, seed):
    """Inputs that jump between the ends of what may arrive drive states to the ends of theirs."""
    neuron = registry.load("integer_neurons", name)
    random = np.random.default_rng(seed)
    parameters = parameters_of(neuron, random)
    if "reset_interval" in parameters and seed:
        parameters |= {"reset_interval": 7, "reset_offset": 3}
    low, high = -int(random.integers(1, 20000)), int(random.integers(1, 40000))
    ends = random.integers(low, high, (300, 1, 60), endpoint=True)
    held = np.repeat(random.choice([low, 0, high], (30, 1, 60)), 10, 0)
    x = np.where(random.random((1, 1, 60)) < 0.5, ends, held)
    graph = IntegerGraph(
        {"in": Input((60,), low, high)},
        [Population("p", neuron, (60,), parameters)],
        [Connection("in", "p", OneToOne(np.array(1)), 0, port=port) for port in neuron.inputs],
    )
    bounds = port_bounds(graph, "p")
    assert bounds == dict.fromkeys(neuron.inputs, (low, high))
    ranges = value_ranges(neuron, parameters, bounds)
    run = simulate(graph, {"in": x}, record=True)
    for what, values in {**run.states["p"], "message": run.messages["p"]}.items():
        assert ranges[what][0] <= values.min(), what
        assert values.max() <= ranges[what][1], what


@pytest.mark.parametrize(
    ("name", "state"), [("speck_if", "v"), ("xylo_hidden", "v"), ("xylo_readout", "v"), ("generic_lif_16", "v")]
)
def test_saturating_states_of_16_bits_are_proven_to_need_no_more(name, state):
    neuron = registry.load("integer_neurons", name)
    parameters = parameters_of(neuron, np.random.default_rng(0)) | ({"subtract": 1} if "lif" in name else {})
    from spikelab.hw.ranges import NeuronRanges

    low, high = NeuronRanges(neuron, parameters, {"a": (-(2**25), 2**25)}).states[state]
    assert -(2**15) <= low < 0 < high < 2**15


def test_a_small_input_gives_a_small_range():
    neuron = registry.load("integer_neurons", "generic_li_32")
    low, high = value_ranges(neuron, {"keep_mem": 2**14}, {"a": (-3, 100)})["v"]
    assert -6 <= low <= -5
    assert 199 <= high <= 200


def test_what_nothing_bounds_is_reported():
    neuron = registry.load("integer_neurons", "loihi_sigma_delta")
    parameters = {"vth": 10}
    assert "sigma" in unbounded_states(neuron, parameters, {"a": (0, 1)})
    assert value_ranges(neuron, parameters, {"a": (0, 1)})["sigma"][1] >= INT64[1]
    lif = registry.load("integer_neurons", "loihi_lif")
    assert unbounded_states(lif, {"vth": 10}, {"a": (-(2**40), 2**40)}) == []


def test_an_operation_outside_of_its_definition_is_named():
    neuron = IntegerNeuron(
        "halver",
        "Halver",
        (IntegerState("v", 8, "v"),),
        (IntegerParameter("k", -5, 5, "k"),),
        (("v", "quotient(a, k)"), ("message", "0")),
        "",
    )
    with pytest.raises(RangeError, match=r"halver: v: quotient\(a, k\): -3 to 9 over 2 to 2 is not defined"):
        value_ranges(neuron, {"k": 2}, {"a": (-3, 9)})


def graph_of(weights, source, target, low=0, high=1, **options):
    neuron = registry.load("integer_neurons", "generic_li_32")
    population = Population("p", neuron, target, {"keep_mem": 0})
    connection = Connection("in", "p", weights, 0, **options)
    return IntegerGraph({"in": Input(source, low, high)}, [population], [connection])


@given(
    seed=st.integers(0, 10**6),
    span=st.sampled_from([(0, 1), (-1, 2), (0, 2)]),
    exponent=st.integers(-2, 2),
    wrap=st.sampled_from([0, 0, 4]),
)
@settings(max_examples=30)
def test_sums_reach_exactly_their_bounds(seed, span, exponent, wrap):
    """All inputs there are, for a few sources."""
    weight = np.random.default_rng(seed).integers(-9, 10, (3, 4))
    graph = graph_of(Dense(weight), (4,), (3,), *span, exponent=exponent, wrap_bits=wrap)
    low, high = port_bounds(graph, "p")["a"]
    x = np.array(list(itertools.product(range(span[0], span[1] + 1), repeat=4)))[None]
    sums = simulate(graph, {"in": x}, record=True).states["p"]["v"]
    assert low <= sums.min() <= sums.max() <= high
    if not wrap:
        assert (min(0, low), max(0, high)) == (low, high)
        assert (sums.min(), sums.max()) == (low, high)


def test_sums_over_windows_and_kernels_keep_their_bounds():
    random = np.random.default_rng(0)
    weight = random.integers(-9, 10, (2, 1, 2, 2))
    graph = graph_of(Convolution(weight), (1, 4, 4), (2, 1, 1), -1, 3, pool=(2, 2))
    low, high = port_bounds(graph, "p")["a"]
    pattern = weight.repeat(2, -1).repeat(2, -2)
    best = np.stack(
        [np.where(pattern[k] > 0, 3, -1) for k in range(2)] + [np.where(pattern[k] > 0, -1, 3) for k in range(2)]
    )
    sums = simulate(graph, {"in": best[None]}, record=True).states["p"]["v"]
    assert (sums.min(), sums.max()) == (low, high)


def test_weights_of_many_bits_do_not_overflow_while_bounds_are_worked_out():
    graph = graph_of(Dense(np.full((1, 64), 2**62)), (64,), (1,))
    assert port_bounds(graph, "p")["a"] == (0, 64 * 2**62)

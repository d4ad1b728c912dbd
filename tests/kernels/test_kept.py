"""What Triton's kernels keep for the backward pass: enough, and no more than is needed."""

from __future__ import annotations

import itertools

import networkx as nx
import pytest
import sympy as sp

from spikelab import registry
from spikelab.kernels.emit import backward, forward
from spikelab.kernels.kept import Kept, least_in_cache, least_kept, linear_between_spikes
from spikelab.neurons.step import StepOptions, build_step

NAMES = registry.names("neurons")


def kept(neuron: str, word: int = 4, kept_word: int = 4, learn: bool = False, **options: object) -> Kept:
    return least_kept(build_step(StepOptions(neuron, **options)), learn, word, kept_word)


def test_a_leaky_neuron_keeps_its_distance_from_threshold_alone():
    found = kept("lif", reset="subtract")
    assert found == Kept((), ("gate_",), (), (), 8)


def test_a_readout_keeps_nothing():
    assert kept("li") == Kept((), (), (), (), 0)


def test_learned_parameters_need_the_input_and_the_state_before():
    found = kept("lif", reset="subtract", learn=True)
    assert (found.given, found.values) == (("x",), ("v",))


def test_of_a_refractory_counter_only_its_sign_is_kept():
    assert kept("lif", reset="zero", refractory=True).signs == ("refractory_left",)


def test_rounded_values_never_move_a_spike():
    """The spike is read from the output, or follows from the sign of a gate that was kept, or nobody asks for it."""
    for name in NAMES:
        spec = registry.load("neurons", name)
        for reset, refractory, learn in itertools.product(sorted(spec.resets), (False, True), (False, True)):
            found = kept(name, 2, 2, learn, reset=reset, refractory=refractory)
            again = {name for name, _ in found.again}
            assert "spike" not in again or "gate_" in found.values, (name, reset)
            assert "gate_" not in again or "spike" in found.given or "spike" not in again, (name, reset)


def test_the_membrane_follows_from_a_rounded_gate():
    found = kept("cuba_lif", 2, 2, reset="value")
    assert found.values == ("gate_",)
    membrane = dict(found.again)["v_h_"]
    assert sp.simplify(membrane - sp.Symbol("gate_", real=True) - sp.Symbol("v_threshold", real=True)) == 0


def test_which_neurons_are_linear_between_spikes():
    linear = {name for name in NAMES if linear_between_spikes(build_step(StepOptions(name)))}
    assert {"lif", "cuba_lif", "adaptive_lif", "li", "resonate_and_fire"} <= linear
    assert not linear & {"adex", "exponential_lif", "quadratic_lif", "izhikevich", "hodgkin_huxley"}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_enough_and_costs_no_more_than_input_and_states(name):
    spec = registry.load("neurons", name)
    for reset, refractory, learn in itertools.product(sorted(spec.resets) or [""], (False, True), (False, True)):
        step = build_step(StepOptions(name, reset=reset, refractory=refractory and spec.spikes))
        found = least_kept(step, learn, 4, 4)
        known = {*found.given, *found.values, *found.signs, *step.coefficients}
        for line, value in found.again:
            assert {symbol.name for symbol in value.free_symbols} <= known, line
            known.add(line)
        values = {"x", *step.states, *(line for line, _ in forward(step).lines)}
        needed = {s.name for _, value in backward(step, learn).lines for s in value.free_symbols} & values
        assert needed <= known
        assert found.cost <= 4 + 8 * len(step.states)


def test_a_minimum_cut_is_found_where_all_can_be_tried():
    """Against all sets of values, for a neuron that is small enough."""
    step = build_step(StepOptions("adaptive_lif", reset="value", refractory=True))
    lines = forward(step).lines
    values = ["x", *step.states, *(line for line, _ in lines)]
    needed = {s.name for _, value in backward(step, False).lines for s in value.free_symbols} & set(values)
    graph = nx.DiGraph((s.name, line) for line, value in lines for s in value.free_symbols if s.name in values)
    graph.add_edges_from([("from", "x"), *(("from", state) for state in step.states)])
    graph.add_edges_from((value, "to") for value in needed)

    def cost(name: str) -> int:
        return {"x": 4, "spike": 4, "refractory_left": 2}.get(name, 8)

    best = min(
        sum(map(cost, chosen))
        for count in range(4)
        for chosen in itertools.combinations(values, count)
        if not nx.has_path(nx.restricted_view(graph, chosen, []), "from", "to")
    )
    assert least_kept(step, False, 4, 4).cost == best


@pytest.mark.parametrize("name", NAMES)
def test_what_stays_in_the_cache_is_enough_and_no_more_than_the_states(name):
    spec = registry.load("neurons", name)
    for reset, refractory, learn in itertools.product(sorted(spec.resets) or [""], (False, True), (False, True)):
        step = build_step(StepOptions(name, reset=reset, refractory=refractory and spec.spikes))
        found = least_in_cache(step, learn)
        assert set(found.given) <= {"x"}
        assert not found.signs
        known = {*found.given, *found.values, *step.coefficients}
        for line, value in found.again:
            assert {symbol.name for symbol in value.free_symbols} <= known, line
            known.add(line)
        values = {"x", *step.states, *(line for line, _ in forward(step).lines)}
        needed = {s.name for _, value in backward(step, learn).lines for s in value.free_symbols} & values
        assert needed <= known
        assert len(found.values) + len(found.given) <= 1 + len(step.states)


def test_a_leaky_neuron_writes_its_distance_from_threshold_alone():
    step = build_step(StepOptions("lif", reset="subtract"))
    found = least_in_cache(step, False)
    assert (found.given, found.values) == ((), ("gate_",))

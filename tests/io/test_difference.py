"""The first difference of two runs: its place, its values, and the cause found by testing hypotheses."""

import numpy as np
import pytest
import torch

from spikelab import nn
from spikelab.io.difference import first_difference
from spikelab.io.difference_causes import CAUSES

STEPS = 60


def current(seed=0, shape=(STEPS, 3, 40)):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def traced(neuron, x=None):
    """The states of a layer of neurons over time: {"spike", "v", ...}."""
    trace = neuron.trace(current() if x is None else x)
    return {"spike": trace.pop("spike"), **trace}


def spikes(neuron, x=None):
    return {"hidden": traced(neuron, x)["spike"]}


def test_equal_runs_have_no_difference():
    run = {"a": torch.rand(5, 2, 3), "b": {"spike": torch.ones(5, 2, 3), "v": torch.full((5, 2, 3), torch.nan)}}
    assert first_difference(run, run) is None
    near = {"a": run["a"] + 1e-3, "b": run["b"]}
    assert first_difference(run, near, tolerance=2e-3) is None
    assert first_difference(run, near, tolerance=5e-4) is not None


def test_the_earliest_step_wins_and_then_the_graphs_order():
    left = {name: np.zeros((6, 2, 3, 4)) for name in ("late", "second", "first")}
    right = {name: value.copy() for name, value in left.items()}
    right["late"][5, 0, 0, 0] = 1
    right["second"][2, 0, 0, 0] = 2
    right["first"][2, 1, 2, 3] = 3
    right["first"][2, 1, 2, 2] = 4
    found = first_difference(left, right, order=["first", "second", "late"], names=("float", "integer"))
    assert (found.layer, found.step, found.sample, found.neuron) == ("first", 2, 1, (2, 2))
    assert (found.left, found.right, found.count, found.compared) == (0, 4, 4, 3 * 6 * 2 * 3 * 4)
    assert found.by_layer == {"first": 2, "second": 1, "late": 1}
    text = str(found)
    assert "layer 'first', step 2, sample 1, neuron (2, 2): float 0, integer 4" in text
    assert "4 of 432 values differ (first 2, second 1, late 1)" in text
    assert first_difference(left, right).layer == "second"


def test_whole_numbers_are_compared_exactly_beyond_what_a_double_holds():
    left = {"a": np.full((1, 1, 1), 2**60)}
    right = {"a": np.full((1, 1, 1), 2**60 + 1)}
    assert first_difference(left, left) is None
    assert first_difference(left, right).count == 1


def test_a_nan_on_one_side_is_a_difference():
    left, right = {"a": np.ones((4, 1, 2))}, {"a": np.ones((4, 1, 2))}
    right["a"][3, 0, 1] = np.nan
    found = first_difference(left, right, tolerance=10)
    assert (found.step, found.neuron, found.cause) == (3, (1,), "not finite")


def test_runs_that_cannot_be_compared_are_named_all_at_once():
    left = {"a": np.zeros((3, 1, 2)), "b": np.zeros(3), "c": {"v": np.zeros((3, 1))}, "gone": np.zeros((3, 1))}
    right = {"a": np.zeros((4, 1, 2)), "b": np.zeros(3), "c": {"i": np.zeros((3, 1))}}
    with pytest.raises(ValueError, match="cannot be compared") as error:
        first_difference(left, right)
    for part in ("right lacks the layers gone", "shapes [3, 1, 2] and [4, 1, 2]", "['v']", "must be [T, B, ...]"):
        assert part in str(error.value)
    with pytest.raises(ValueError, match="order names nobody"):
        first_difference(right, right, order=["nobody"])
    with pytest.raises(ValueError, match="tolerance"):
        first_difference(right, right, tolerance=-1)


@pytest.mark.parametrize("steps", [1, 2, 3, -1, -2, -3])
@pytest.mark.parametrize("membranes", [False, True])
def test_a_shift_is_found(steps, membranes):
    run = traced(nn.LIF(tau_mem=5e-3, v_threshold=0.4))
    run = run["v"] if membranes else run["spike"]
    early, late = run[: STEPS - 3], torch.roll(run, abs(steps), 0)[: STEPS - 3]
    late[: abs(steps)] = 0
    left, right = (early, late) if steps > 0 else (late, early)
    found = first_difference({"hidden": left}, {"hidden": right}, names=("ours", "theirs"))
    later = "theirs" if steps > 0 else "ours"
    assert found.cause == "shift"
    assert f"{later} runs {abs(steps)} step" in found.explanation


@pytest.mark.parametrize("factor", [64.0, 0.3])
def test_a_constant_scale_is_found(factor):
    neuron = nn.LIF(tau_mem=5e-3, v_threshold=0.4)
    left = traced(neuron)
    right = {"spike": left["spike"], "v": left["v"] * factor}
    found = first_difference({"hidden": left}, {"hidden": right})
    assert (found.cause, found.state) == ("scale", "v")
    assert f"{factor:g}" in found.explanation
    assert ("(2^6)" in found.explanation) == (factor == 64)
    # rounded once to whole numbers, as an integer run is
    whole = first_difference(
        {"hidden": left}, {"hidden": {"spike": left["spike"], "v": (left["v"] * 4096).round().long()}}
    )
    assert whole.cause == "scale"
    assert "(2^12)" in whole.explanation


def test_a_scale_is_found_where_only_the_start_shows_it():
    # twice the gain with the same threshold: proportional until the first spike, then another course
    left, right = (traced(nn.LIF(tau_mem=20e-3, v_threshold=0.45, r=r)) for r in (1.0, 2.0))
    order = {"v": 0, "spike": 1}
    left, right = ({k: run[k] for k in order} for run in (left, right))
    found = first_difference({"hidden": left}, {"hidden": right})
    assert found.cause == "scale"
    assert "= 2 (2^1) x left" in found.explanation


@pytest.mark.parametrize("bits", [8, 16, 24])
@pytest.mark.parametrize("kind", ["wraps around", "saturates"])
def test_an_integer_range_is_found(bits, kind):
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    steps = np.random.default_rng(0).integers(-high // 4, high // 2, (30, 2, 5))
    free, bounded, state = np.cumsum(steps, 0), [], np.zeros((2, 5), np.int64)
    for step in steps:
        state = state + step
        state = (state - low) % 2**bits + low if kind == "wraps around" else np.clip(state, low, high)
        bounded.append(state)
    found = first_difference({"v": free}, {"v": np.stack(bounded)}, names=("Python", "C"))
    assert found.cause == "integer range"
    assert f"C {kind} at {bits} bits" in found.explanation


@pytest.mark.parametrize("states", [("spike",), ("spike", "v")])
@pytest.mark.parametrize(("one", "other"), [("zero", "subtract"), ("subtract", "zero"), ("zero", "value")])
def test_another_reset_is_found(one, other, states):
    runs = []
    for reset in (one, other):
        trace = traced(nn.LIF(tau_mem=8e-3, v_threshold=0.35, v_reset=-0.2, reset=reset))
        runs.append({"hidden": {name: trace[name] for name in states}})
    found = first_difference(*runs, thresholds={"hidden": 0.35})
    assert found.cause == "reset"
    if "v" in states:
        side = "left" if one == "zero" else "right"
        assert f"{side} is reset to zero" in found.explanation


def test_a_reset_one_step_late_is_found():
    x, beta = current() * 0.5, 0.8
    runs = []
    for late in (False, True):
        v, trace = torch.zeros_like(x[0]), {"spike": [], "v": []}
        for step in x:
            v = beta * (v * (v <= 1) if late else v) + step
            spike = (v > 1).to(v.dtype)
            v = v if late else v * (1 - spike)
            trace["spike"].append(spike)
            trace["v"].append(v)
        runs.append({"hidden": {name: torch.stack(values) for name, values in trace.items()}})
    found = first_difference(*runs, thresholds={"hidden": 1.0})
    assert (found.cause, found.state) == ("reset", "v")
    assert "left is reset to zero in the step of the spike, right" in found.explanation


@pytest.mark.parametrize("states", [("spike",), ("spike", "v")])
def test_a_slow_drift_is_found(states):
    # exact decay against forward Euler; one current for many steps, so that spike times drift
    x = current(shape=(1, 3, 40)).expand(200, 3, 40) * 2 + 1
    runs = []
    for method in ("exact", "euler"):
        trace = traced(nn.LIF(tau_mem=12e-3, v_threshold=0.9, method=method), x)
        runs.append({"hidden": {name: trace[name] for name in states}})
    assert first_difference(*runs).cause == "drift"


def test_a_value_at_the_threshold_is_found():
    x = torch.full((8, 1, 3), 0.5, dtype=torch.float64)
    x[:, :, 1] = 0.3
    runs = []
    for at_least in (False, True):
        v, trace = torch.zeros_like(x[0]), {"spike": [], "v": []}
        for step in x:
            v = v + step
            spike = ((v >= 1) if at_least else (v > 1)).to(v.dtype)
            v = v * (1 - spike)
            trace["spike"].append(spike)
            trace["v"].append(v)
        runs.append({"hidden": {name: torch.stack(values) for name, values in trace.items()}})
    found = first_difference(*runs, thresholds={"hidden": 1.0}, names=("ours", "chip"))
    assert (found.cause, found.step, found.neuron) == ("threshold equality", 1, (0,))
    assert "equals the threshold 1: chip spikes at it" in found.explanation
    near = [{"hidden": {k: v.clone() for k, v in run["hidden"].items()}} for run in runs]
    near[0]["hidden"]["v"][1, 0, 0] += 1e-8
    assert "within rounding of the threshold" in first_difference(*near, thresholds={"hidden": 1.0}).explanation


def test_a_silent_layer_is_found():
    run = spikes(nn.LIF(tau_mem=5e-3, v_threshold=0.4))
    found = first_difference(run, {"hidden": torch.zeros_like(run["hidden"])}, names=("here", "there"))
    assert found.cause == "silent layer"
    assert "silent in there" in found.explanation


def test_rounding_is_found_and_says_which_tolerance_covers_it():
    trace = traced(nn.LIF(tau_mem=5e-3, v_threshold=9.0))
    left = {"hidden": trace["v"]}
    found = first_difference(left, {"hidden": trace["v"].float()})
    assert found.cause == "rounding"
    advised = float(found.explanation.split("tolerance=")[1])
    assert first_difference(left, {"hidden": trace["v"].float()}, tolerance=advised) is None


def test_what_no_hypothesis_explains_is_unknown():
    generator = np.random.default_rng(0)
    found = first_difference({"a": generator.random((30, 2, 9))}, {"a": generator.random((30, 2, 9))})
    assert found.cause == "unknown"
    assert all(kind in found.explanation for kind in CAUSES)

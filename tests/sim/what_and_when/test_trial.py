"""The compiled trial: the simulator's engine and a plain NumPy loop find the same; rules are as written."""

import math

import numpy as np
import pytest

from spikelab.sim.random_numbers import stream_key
from spikelab.sim.what_and_when import (
    Block,
    LearningParameters,
    Readout,
    Reservoir,
    ReservoirParameters,
    Session,
    TaskParameters,
)
from spikelab.sim.what_and_when.readout import find_rule
from spikelab.sim.what_and_when.reference import run_trial_plainly
from spikelab.sim.what_and_when.trial import FIXED, FORCE, THREE_FACTOR, Lesson, Record, Wires, force_update

DECAY, SCALE = math.exp(-1 / 30), 0.05


def run(reservoir, when, inverse, lesson, record, key):
    reservoir.reset()
    wires = Wires(reservoir.starts, reservoir.targets, reservoir.weights, reservoir.feedback)
    arrays = (reservoir.arguments, reservoir.flags, reservoir.current, reservoir.arriving)
    fresh = reservoir.parameters.fresh_noise
    reservoir.trial(*arrays, wires, reservoir.drive, fresh, key, DECAY, SCALE, when, inverse, lesson, record)


def empty_record(reservoir):
    steps, count = reservoir.drive.shape
    return Record(np.zeros((steps, 2)), np.zeros(count), np.zeros((steps, count)), np.zeros(steps, np.int64))


def lesson_of(mode, steps):
    times = np.arange(steps)
    target = np.exp(-0.5 * ((times[:, None] - [250, 400]) / 20) ** 2)
    window = (np.abs(times[:, None] - [250, 400]) < 60).astype(float)
    return Lesson(mode, target, np.array([1.0, 0.0]), window, 0.1, 100, 0.2, 2)


def test_the_simulators_engine_finds_the_same_spikes():
    reservoir = Reservoir.build(ReservoirParameters(neurons=120, fresh_noise=0.0, seed=3))
    record = empty_record(reservoir)
    run(reservoir, np.zeros((2, 120)), np.zeros((0, 0)), lesson_of(FIXED, 600), record, np.uint64(0))
    network = reservoir.driven_network()
    spikes = network.record_spikes(network.populations["cells"])
    network.run(0.6, threads=1)
    steps = np.rint(np.asarray(spikes.times) * 1e3).astype(int)
    counted = np.bincount(steps, minlength=601)
    # whether a spike is said to happen at the beginning or the end of its step is a convention
    shift = int(steps.min()) - int(np.flatnonzero(record.spikes)[0])
    assert shift in (0, 1)
    assert counted[shift : shift + 600].tolist() == record.spikes.tolist()
    assert record.spikes.sum() > 200
    assert np.array_equal(network.state(network.populations["cells"], "v"), reservoir.states["v"][0][:120])


@pytest.mark.parametrize("mode", [FIXED, THREE_FACTOR, FORCE])
@pytest.mark.parametrize("feedback", [0.0, 2.0])
def test_a_plain_numpy_loop_finds_the_same(mode, feedback):
    reservoir = Reservoir.build(ReservoirParameters(neurons=60, fresh_noise=0.3, feedback=feedback, seed=1))
    start = 0.1 * np.random.default_rng(0).standard_normal((2, 60))
    found, lesson, key = [], lesson_of(mode, 600), stream_key(1, 5)
    for plainly in (False, True):
        when, inverse, record = start.copy(), np.eye(60), empty_record(reservoir)
        if plainly:
            run_trial_plainly(reservoir, key, DECAY, SCALE, when, inverse, lesson, record)
        else:
            run(reservoir, when, inverse, lesson, record, key)
        found.append((when, inverse, record))
    (when, inverse, record), (other_when, other_inverse, other) = found
    assert np.array_equal(record.spikes, other.spikes)
    assert record.spikes.sum() > 50
    np.testing.assert_allclose(when, other_when, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(inverse, other_inverse, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(record.outputs, other.outputs, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(record.mean, other.mean, rtol=1e-8, atol=1e-12)
    assert np.array_equal(when, start) == (mode == FIXED)


def test_dales_law_and_heterogeneity():
    reservoir = Reservoir.build(ReservoirParameters(neurons=200))
    senders = np.repeat(np.arange(200), np.diff(reservoir.starts))
    assert (reservoir.weights[senders < 160] >= 0).all()
    assert (reservoir.weights[senders >= 160] <= 0).all()
    assert 0.08 < reservoir.weights.size / 200**2 < 0.12
    parameters = reservoir.network.populations["cells"].parameters
    assert len(np.unique(parameters["c"])) > 150
    assert len(np.unique(parameters["a"])) > 30


def test_only_the_channel_that_occurred_learns_its_timing():
    session = Session("three_factor", ReservoirParameters(neurons=60))
    session.learn(Block(probability=1.0), event=0)
    assert np.abs(session.readout.when[0]).max() > 0
    assert not session.readout.when[1].any()
    ungated = Session("two_factor", session.reservoir)
    ungated.learn(Block(probability=1.0), event=0)
    # nothing was predicted for B, so its silence teaches nothing yet; a channel that predicts is taught it
    ungated.readout.when[1] = 0.1
    before = ungated.readout.when[1].copy()
    ungated.learn(Block(probability=1.0), event=0)
    assert not np.array_equal(ungated.readout.when[1], before)


def test_nothing_is_learned_outside_the_window_unless_something_is_expected_there():
    reservoir = Reservoir.build(ReservoirParameters(neurons=60, fresh_noise=0.0))
    lesson = lesson_of(THREE_FACTOR, 600)._replace(window=np.zeros((600, 2)), expected=np.inf)
    when = np.full((2, 60), 0.05)
    run(reservoir, when, np.zeros((0, 0)), lesson, empty_record(reservoir), np.uint64(0))
    assert (when == 0.05).all()
    run(reservoir, when, np.zeros((0, 0)), lesson._replace(expected=0.0), empty_record(reservoir), np.uint64(0))
    assert (when[0] != 0.05).any()
    assert (when[1] == 0.05).all()


def test_an_old_peak_is_unlearned_by_attention_to_what_is_expected():
    left = {}
    for name, expected in (("attended", 0.1), ("window only", 1e9)):
        learning = LearningParameters(gate="window", expected=expected)
        session = Session("three_factor", ReservoirParameters(neurons=150, fresh_noise=0.0), learning=learning)
        for latency in (0.2, 0.4):
            for _ in range(25):
                session.learn(Block(latencies=(latency, 0.3)), event=0)
        left[name] = session.test()[210:290, 0].max()
    assert left["attended"] < 0.3
    assert left["window only"] > 0.6


def test_the_identity_readout_is_the_delta_rule():
    readout = Readout.untrained(3, 2, find_rule("three_factor"))
    state = np.array([0.6, 0.8, 0.0])
    readout.learn_what(state, 0, 0.5)
    np.testing.assert_allclose(readout.what, [[0.3, 0.4, 0.0], [0.0, 0.0, 0.0]])
    readout.learn_what(state, 1, 0.5)
    np.testing.assert_allclose(readout.what @ state, [0.25, 0.5])


def test_least_squares_in_one_go_equals_step_by_step_and_the_closed_form():
    random = np.random.default_rng(0)
    states, targets = random.standard_normal((40, 12)), random.standard_normal((40, 2))
    rule = find_rule("force")
    at_once, stepwise = Readout.untrained(12, 2, rule, 0.5), Readout.untrained(12, 2, rule, 0.5)
    at_once.learn_force(states[:15], targets[:15], 0, [0, 1])
    at_once.learn_force(states[15:], targets[15:], 0, [0, 1])
    for state, target in zip(states, targets, strict=True):
        errors = target - stepwise.when @ state
        force_update(stepwise.when, stepwise.inverse[0], state, errors, np.zeros(12))
    ridge = np.linalg.solve(states.T @ states + 0.5 * np.eye(12), states.T @ targets).T
    for readout in (at_once, stepwise):
        np.testing.assert_allclose(readout.when, ridge, atol=1e-10)
        np.testing.assert_allclose(readout.inverse[0], np.linalg.inv(states.T @ states + 0.5 * np.eye(12)), atol=1e-10)


def test_a_trial_of_force_is_the_same_online_and_after_the_trial():
    parameters = ReservoirParameters(neurons=50)
    session = Session("force", parameters)
    block = Block(probability=1.0)
    session.learn(block, event=0)
    reservoir = Reservoir.build(parameters)
    lesson = Lesson(FORCE, session.lesson(block, 0, np.zeros((600, 2))).target, np.ones(2), *_open(600))
    lesson.target[:, 0] = session.bump(block.latencies[0])
    when, inverse, record = np.zeros((2, 50)), np.eye(50), empty_record(reservoir)
    reservoir.reset()
    wires = Wires(reservoir.starts, reservoir.targets, reservoir.weights, reservoir.feedback)
    arrays = (reservoir.arguments, reservoir.flags, reservoir.current, reservoir.arriving)
    key = stream_key(0, 1 << 20)
    fresh = parameters.fresh_noise
    reservoir.trial(*arrays, wires, reservoir.drive, fresh, key, DECAY, session.scale, when, inverse, lesson, record)
    np.testing.assert_allclose(session.readout.when, when, atol=1e-8)


def _open(steps):
    task = TaskParameters()
    return np.ones((steps, 2)), 0.1, task.after_cue, 0.2, 2

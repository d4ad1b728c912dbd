"""The claims in short form; resuming; bad input."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from spikelab.sim.what_and_when import (
    DEFAULT_BLOCKS,
    SCHEDULES,
    Block,
    Experiment,
    LearningParameters,
    Reservoir,
    ReservoirParameters,
    Session,
    TaskParameters,
    probability_sweep,
    readout_geometry,
    run_experiment,
    run_session,
)
from spikelab.sim.what_and_when.geometry import compare_readouts
from spikelab.sim.what_and_when.session import relative_error

SMALL = ReservoirParameters(neurons=80)
BRIEF = (Block(trials=3), Block(trials=3, latencies=(0.35, 0.2)))


@pytest.fixture(scope="module")
def reservoir():
    return Reservoir.build(ReservoirParameters(neurons=300, seed=0))


@pytest.mark.slow
def test_after_a_timing_switch_the_gated_rule_recovers_and_force_does_not(reservoir):
    found = {
        rule: run_session(rule, reservoir, DEFAULT_BLOCKS[:3]) for rule in ("three_factor", "force", "force_reset")
    }
    ends = {rule: each.at_end() for rule, each in found.items()}
    assert max(ends["three_factor"]) < 0.4
    assert ends["force"][2] > 0.8
    assert ends["force_reset"][2] < 0.45
    gated = found["three_factor"]
    assert gated.errors[gated.blocks.index(2)] > 0.8
    assert 2 < gated.rate < 30


def test_least_squares_keeps_the_share_of_old_trials(reservoir):
    """Why FORCE cannot forget: after two blocks of old and one of new timing, a peak keeps two thirds of its height."""
    blocks = [Block(trials=60, probability=1.0), Block(trials=30, probability=1.0, latencies=(0.35, 0.2))]
    result = run_session("force_merged", reservoir, blocks)
    last = result.predictions[-1][:, 0]
    assert last[250] == pytest.approx(2 / 3, abs=0.12)
    assert last[400] == pytest.approx(1 / 3, abs=0.12)


def test_amplitude_follows_probability(reservoir):
    first, second = probability_sweep(reservoir).correlations()
    assert first > 0.95
    assert second < -0.95


def test_what_and_when_are_as_orthogonal_as_shuffled_ones(reservoir):
    found = readout_geometry(reservoir, trials=40, shuffles=300)
    assert found.overlap < 2 * found.overlap_shuffled[1]
    assert found.cosine < 1.5 * found.cosine_shuffled[1]
    assert found.orders_probability[0] > 0.9 > 0.3 > found.orders_latency[0]
    assert found.orders_latency[1] > 0.8 > 0.3 > found.orders_probability[1]


def test_the_control_tells_directions_that_are_shared():
    random = np.random.default_rng(0)
    conditions = np.array([(p, t) for p in (0.2, 0.5, 0.8) for t in (0.2, 0.3, 0.4)])
    direction, other = random.standard_normal((2, 200))
    apart = compare_readouts(
        np.outer(conditions[:, 0], direction), np.outer(conditions[:, 1], other), conditions, 99, 0
    )
    same = compare_readouts(
        np.outer(conditions[:, 0], direction), np.outer(conditions[:, 1], direction), conditions, 99, 0
    )
    assert apart.overlap < 3 * apart.overlap_shuffled[1]
    assert same.overlap > 0.99 > 0.2 > same.overlap_shuffled[1]


def test_the_same_seed_gives_the_same_session():
    errors = [run_session("three_factor", replace(SMALL, seed=seed), BRIEF).errors for seed in (1, 1, 2)]
    assert errors[0] == errors[1] != errors[2]


def test_tests_teach_nothing():
    session = Session("three_factor", SMALL)
    session.learn(Block())
    before = session.readout.when.copy(), session.readout.what.copy()
    first = session.test()
    assert np.array_equal(session.test(), first)
    assert np.array_equal(session.readout.when, before[0])
    assert np.array_equal(session.readout.what, before[1])


def test_predicting_nothing_is_an_error_of_one():
    truth = Session("three_factor", SMALL).truth(Block())
    assert relative_error(np.zeros_like(truth), truth) == 1.0
    assert truth.max(axis=0) == pytest.approx([0.8, 0.2])
    assert truth.argmax(axis=0).tolist() == [250, 400]


def test_an_experiment_goes_on_where_it_stopped(tmp_path):
    experiment = Experiment(
        rules=("three_factor", "force"), seeds=(0, 1), reservoir=SMALL, blocks=BRIEF, sweep=1, geometry=False
    )
    done = []

    def stop_at_twenty(trials):
        done.append(trials)
        if sum(done) == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_experiment(experiment, tmp_path, stop_at_twenty)
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    assert kept
    done.clear()
    resumed = run_experiment(experiment, tmp_path, done.append)
    assert sum(done) == experiment.trials
    assert all((tmp_path / name).stat().st_mtime_ns == time for name, time in kept.items())
    assert json.loads(json.dumps(run_experiment(experiment))) == json.loads(json.dumps(resumed))
    # another setting is another experiment: its parts are run, not taken over
    other = replace(experiment, reservoir=replace(SMALL, fresh_noise=3.0))
    assert run_experiment(other, tmp_path)["sessions"] != resumed["sessions"]


def test_a_damaged_part_is_run_again(tmp_path):
    experiment = Experiment(rules=("three_factor",), seeds=(0,), reservoir=SMALL, blocks=BRIEF, sweep=0, geometry=False)
    first = run_experiment(experiment, tmp_path)
    for path in tmp_path.glob("*.json"):
        path.write_text('{"given": ')
    assert run_experiment(experiment, tmp_path) == first


def test_learning_that_diverges_is_told():
    session = Session("three_factor", SMALL)
    session.scale *= 1000  # states so much longer than usual that each step overshoots
    with pytest.raises(FloatingPointError, match="'three_factor' diverged in trial 1"):
        session.learn(Block())


@pytest.mark.parametrize("blocks", SCHEDULES.values(), ids=list(SCHEDULES))
def test_schedules_switch_timing_probability_and_both(blocks):
    changes = {
        (before.latencies != now.latencies, before.probability != now.probability) for before, now in pairwise(blocks)
    }
    assert changes == {(True, False), (False, True), (True, True)}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: ReservoirParameters(neurons=3), "neurons = 3: use 10 or more"),
        (lambda: ReservoirParameters(excitatory_share=1.0), "excitatory_share"),
        (lambda: ReservoirParameters(fresh_noise=-1.0), "fresh_noise = -1.0: must not be negative"),
        (lambda: Block(trials=0), "trials = 0"),
        (lambda: Block(probability=1.5), "probability = 1.5"),
        (lambda: LearningParameters(rate_when=2.5), "rate_when = 2.5: 2 or more diverges"),
        (lambda: LearningParameters(gate="open"), "gate = 'open'"),
        (lambda: LearningParameters(tau_readout=0.0), "tau_readout = 0.0"),
        (lambda: TaskParameters(duration=0.1), "longer than up to its cue"),
        (lambda: TaskParameters().check(Block(latencies=(0.2, 0.9))), "latency of B = 0.9 s"),
        (lambda: Experiment(rules=("three_facto",)), "did you mean"),
        (lambda: Experiment(rules=()), "rules is empty"),
        (lambda: Experiment(seeds=()), "seeds is empty"),
        (lambda: Session("force", Reservoir.build(SMALL), TaskParameters(duration=0.7)), "build it with this task"),
        (lambda: Session("force_gated", replace(SMALL, feedback=1.0)), "open loop"),
        (lambda: Session("force", replace(SMALL, background=0.0, cue_strength=0.0, fresh_noise=0.0)), "silent"),
    ],
)
def test_bad_input_is_named(make, told):
    with pytest.raises(ValueError, match=told):
        make()


def test_nothing_to_run_and_the_same_twice_are_told():
    with pytest.raises(ValueError, match="blocks is empty; give at least one"):
        run_session("three_factor", SMALL, blocks=[])
    with pytest.raises(ValueError, match=r"seeds = \(0, 0\): name each once"):
        Experiment(seeds=(0, 0))
    with pytest.raises(ValueError, match=r"rules = .*: name each once"):
        Experiment(rules=("force", "force"))
    with pytest.raises(ValueError, match="open loop"):
        Experiment(rules=("force_gated",), reservoir=ReservoirParameters(feedback=1.0))

"""How many threads run a network: as many as pay."""

import pytest

from spikelab.sim.numba_engine import team as module
from spikelab.sim.numba_engine.team import Team


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch):
    monkeypatch.setattr(module, "available_threads", lambda: 8)


def run(team, seconds_of):
    """The threads of 20 turns of 100 blocks, where a block takes ``seconds_of[threads]``."""
    chosen = []
    for _ in range(20):
        threads = team.choose()
        chosen.append(threads)
        team.took(threads, 100 * seconds_of[threads], 100)
    return chosen


def test_threads_that_gain_are_taken_and_others_not():
    for seconds_of, settled in (
        ({1: 1e-3, 2: 6e-4, 4: 4e-4, 8: 2e-4}, 8),
        ({1: 1e-3, 2: 0.98e-3}, 1),
        ({1: 1e-3, 2: 6e-4, 4: 5.9e-4}, 2),
    ):
        team, tried = Team(None), sorted([*seconds_of, *seconds_of])
        chosen = run(team, seconds_of)
        assert chosen[: len(tried)] == tried
        assert chosen.count(settled) >= 0.6 * len(chosen)
        assert run(team, seconds_of).count(settled) >= 18, "other numbers are tried less and less often"


def test_a_disturbance_that_passes_is_soon_forgotten():
    calm, disturbed = {1: 1e-3, 2: 6e-4, 4: 7e-4, 8: 1e-3}, {1: 1e-3, 2: 2e-3, 4: 2e-3, 8: 2e-3}
    team = Team(None)
    assert run(team, calm)[-1] == 2
    assert run(team, disturbed).count(1) >= 6
    assert run(team, calm).count(2) >= 10


def test_only_the_next_numbers_are_tried_again():
    team, seconds_of = Team(None), {1: 1e-3, 2: 6e-4, 4: 4e-4, 8: 2e-4}
    run(team, seconds_of)
    assert {threads for _ in range(10) for threads in run(team, seconds_of)} == {4, 8}


def test_as_many_as_there_are_are_tried_though_they_are_no_power_of_two(monkeypatch):
    monkeypatch.setattr(module, "available_threads", lambda: 6)
    assert run(Team(None), {1: 1e-3, 2: 6e-4, 4: 4e-4, 6: 2e-4}).count(6) >= 10


def test_short_blocks_are_not_even_tried_on_more_threads():
    assert run(Team(None), {1: 1e-5 * 2.5, 2: 1e-4})[:3] == [1, 1, 2]
    assert set(run(Team(None), {1: 1.9e-5})) == {1}


def test_turns_too_short_to_tell_decide_nothing():
    team = Team(None)
    for _ in range(5):
        team.took(1, 1e-4, 1)
    assert team.choose() == 1
    team.took(1, 1.0, 100)
    team.took(1, 1.0, 100)
    assert team.choose() == 2


def test_one_slow_turn_decides_nothing():
    team = Team(None)
    for threads, seconds in ((1, 9.0), (1, 1.0), (2, 5.0), (2, 0.6)):
        assert team.choose() == threads
        team.took(threads, seconds, 1000)
    assert team.choose() == 4


def test_activity_that_changes_is_noticed():
    team = Team(None)
    assert run(team, {1: 1e-3, 2: 2e-3})[-1] == 1
    later = [threads for _ in range(16) for threads in run(team, {1: 4e-3, 2: 2e-3, 4: 1.5e-3, 8: 1e-3})]
    assert later[-1] == 8


def test_other_numbers_are_tried_seldom():
    team = Team(None)
    chosen = [threads for _ in range(10) for threads in run(team, {1: 1e-3, 2: 2e-3})]
    assert 4 <= chosen.count(2) <= 10


def test_a_number_that_was_asked_for_is_kept():
    assert set(run(Team(3), {3: 1.0})) == {3}
    with pytest.raises(ValueError, match="threads = 0 must be at least 1"):
        Team(0)

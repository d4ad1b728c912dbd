"""The comparison with Lava: its cases are what they say, and where Lava is installed, both give the same spikes."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import integer_speed
from benchmarks.integer_cases import CASES
from spikelab.hw.integer import simulate
from spikelab.hw.limits import check_limits


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_is_what_loihi_could_hold_and_some_neurons_fire(case):
    graph = case.graph()
    assert not [violation for violation in check_limits(graph) if violation.breaks]
    spikes = case.spikes()[:100]
    assert spikes.shape[1:] == (1, *case.source)
    fired = simulate(graph, {"in": spikes}).messages["out"]
    assert fired.shape == (100, 1, *case.target)
    assert 0.02 < fired.mean() < 0.2
    assert np.array_equal(case.arrays()["weight"] % 2, np.zeros_like(case.arrays()["weight"]))


def test_a_missing_lava_says_what_to_do(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(integer_speed, "_PYTHON", tmp_path / "none")
    assert integer_speed.main([]) == 1
    assert "benchmarks.integer_speed --install' (needs Python 3.10)" in capsys.readouterr().err
    assert integer_speed.main(["--install", "--python", "no-such-python"]) == 1
    assert "no no-such-python; Lava 0.10.0 imports under Python 3.10 only" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        integer_speed.main(["--cases", "dense"])
    assert "unknown case dense; known are dense_512_512" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not integer_speed._PYTHON.exists(), reason="no Lava (python -m benchmarks.integer_speed --install)")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_lava_gives_the_same_spikes(case, tmp_path):
    lava = integer_speed.Lava()
    try:
        row = integer_speed.measure(case, lava, 1, tmp_path)
    finally:
        lava.close()
    assert row["equal_spikes"]
    assert row["lava_wall_us"] > 0
    assert row["ours_stepped_cpu_us"] >= 0
    assert f"| {case.name} | yes |" in integer_speed.table([row])

"""Sweeps: every point once, on disk without pickle, resumable after failures and interruption."""

import csv
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import types
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest

from spikelab.sim import SweepInterrupted, sweep
from spikelab.sim.units import pA

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import sweep_functions  # noqa: E402

sys.path.remove(str(HERE))


@pytest.fixture(autouse=True, scope="module")
def _workers_find_the_functions():
    """Workers get the path of this process when they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        yield
    joblib.externals.loky.get_reusable_executor().shutdown(wait=True)


def counts(folder):
    return {file.name: file.read_text().count("called") for file in folder.iterdir() if file.name != "repaired"}


def test_a_sweep_of_networks_on_two_workers(tmp_path):
    grid = {"bias": [350 * pA, "450 pA", 5e-10], "size": [2]}
    found = sweep(sweep_functions.rate, grid, seeds=[1, 2], folder=tmp_path, workers=2, progress=False)
    assert [row["bias"] for row in found.rows] == ["350.0 pA"] * 2 + ["450.0 pA"] * 2 + [5e-10] * 2
    assert [row["seed"] for row in found.rows] == [1, 2] * 3
    rates = [row["rate"] for row in found.rows]
    assert 0 <= rates[0] < rates[2] < rates[4]
    assert {row["process"] for row in found.rows}.isdisjoint({os.getpid()})
    for row in found.rows:
        times = found.arrays(row)["times"]
        assert len(times) == round(row["rate"] * 2 * 0.1)
        assert times.dtype == np.float64
    direct = sweep_functions.rate(bias=5e-10, size=2, seed=1)
    np.testing.assert_array_equal(found.arrays(found.rows[4])["times"], direct["times"])


def test_finished_points_are_not_run_again_and_failed_ones_are(tmp_path):
    marks, results = tmp_path / "marks", tmp_path / "results"
    marks.mkdir()
    grid = {"folder": [str(marks)], "x": [1, 2, 3]}
    with pytest.warns(UserWarning, match=r"2 of 6 points failed; .*'x': 3.*ValueError: 3 is broken"):
        first = sweep(sweep_functions.counted, grid, seeds=[0, 1], folder=results, workers=2, progress=False)
    assert counts(marks) == {f"{x}-{seed}": 1 for x in (1, 2, 3) for seed in (0, 1)}
    assert [(row["x"], row["square"]) for row in first.rows] == [(1, 1), (1, 1), (2, 4), (2, 4)]
    assert [row["x"] for row in first.failed] == [3, 3]
    traceback = json.loads((results / f"{first.failed[0]['point']}.failed.json").read_text())["traceback"]
    assert "in counted" in traceback

    (marks / "repaired").touch()
    grid["x"].append(4)
    second = sweep(sweep_functions.counted, grid, seeds=[0, 1], folder=results, workers=2, progress=False)
    assert counts(marks) == {f"{x}-{seed}": 1 + (x == 3) for x in (1, 2, 3, 4) for seed in (0, 1)}
    assert [row["square"] for row in second.rows] == [1, 1, 4, 4, 9, 9, 16, 16]
    assert second.failed == []
    assert not list(results.glob("*.failed.json"))
    assert second.rows[0]["nested"] == {"list": [1, 2.5, None, "text"]}
    assert second.rows[0]["flag"] is True
    assert np.isnan(second.rows[0]["nothing"])

    # half a file, as a full disk leaves it, is no result
    broken = results / f"{second.rows[0]['point']}.json"
    broken.write_text(broken.read_text()[:20])
    third = sweep(sweep_functions.counted, grid, seeds=[0, 1], folder=results, workers=1, progress=False)
    assert third.rows[0]["square"] == 1
    assert counts(marks)["1-0"] == 2

    second.write_csv(tmp_path / "table.csv")
    with open(tmp_path / "table.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["square"] for row in rows] == ["1", "1", "4", "4", "9", "9", "16", "16"]
    assert not [file for file in results.iterdir() if file.suffix not in (".json", ".npz")]


def test_points_as_a_list_and_no_point_twice(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    points = [{"folder": str(marks), "x": x} for x in (5, 7, 5)]
    found = sweep(sweep_functions.counted, points, folder=tmp_path / "results", workers=1, progress=False)
    assert [row["x"] for row in found.rows] == [5, 7]
    assert counts(marks) == {"5-0": 1, "7-0": 1}


@pytest.mark.parametrize(("workers", "backend"), [(1, None), (2, "loky"), (2, "threading")])
def test_one_thread_a_worker(tmp_path, workers, backend):
    found = sweep(
        sweep_functions.threads, {}, seeds=[0, 1], folder=tmp_path, workers=workers, backend=backend, progress=False
    )
    assert {row["numba"] for row in found.rows} == {1}
    if backend != "threading":
        assert {row["torch"] for row in found.rows} == {1}


def test_the_configuration_of_joblib_is_used(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    with joblib.parallel_config(backend="threading", n_jobs=2):
        found = sweep(sweep_functions.rate, {"bias": [5e-10], "size": [1]}, folder=tmp_path / "results", progress=False)
    assert found.rows[0]["process"] == os.getpid()


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("none", "takes a dict such as"),
        ("object", "result 'thing': a object cannot be written"),
        ("pickled", "result 'array': an array of object cannot be written"),
        ("taken", "an entry 'kind', which is a parameter's name"),
    ],
)
def test_results_that_cannot_be_written(tmp_path, kind, match):
    with pytest.warns(UserWarning, match=match):
        found = sweep(sweep_functions.bad_result, {"kind": [kind]}, folder=tmp_path, workers=1, progress=False)
    assert found.rows == []
    assert len(found.failed) == 1


def test_functions_that_workers_cannot_find(tmp_path):
    def local(seed):
        return {}

    for function in (local, lambda seed: {}, partial(sweep_functions.slow, x=1)):
        with pytest.raises(ValueError, match="no name under which workers could import it: define it with def"):
            sweep(function, {}, folder=tmp_path)
    module = types.ModuleType("only_here")
    exec("def rate(seed):\n    return {'rate': 1}", module.__dict__)
    module.rate.__module__ = "only_here"
    sys.modules["only_here"] = module
    try:
        with pytest.raises(RuntimeError, match=r"the workers could not run only_here:rate .*They have to import it"):
            sweep(module.rate, {}, seeds=[0, 1], folder=tmp_path, workers=2, progress=False)
    finally:
        del sys.modules["only_here"]


@pytest.mark.parametrize(
    ("parameters", "error", "match"),
    [
        ({"x": 3}, TypeError, r"x takes a list of values, got 3; write \[3\]"),
        ({"y": [3]}, TypeError, "slow cannot be called with .*'y': 3.* and a seed"),
        ({"x": [object()]}, TypeError, "parameter 'x': a object cannot be written"),
        ({"x": [1], "seed": [2]}, ValueError, "give seeds"),
    ],
)
def test_bad_parameters(tmp_path, parameters, error, match):
    with pytest.raises(error, match=match):
        sweep(sweep_functions.slow, parameters, folder=tmp_path, workers=1)


def test_an_interruption_keeps_what_is_finished(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import signal
            import sys
            # a shell starts what runs in its background with this signal ignored
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.path.insert(0, {str(HERE)!r})
            from sweep_functions import slow
            from spikelab.sim import SweepInterrupted, sweep
            if __name__ == "__main__":
                try:
                    sweep(slow, {{"x": [0, 1, 2, 3, 4]}}, folder={str(tmp_path / "results")!r}, workers=2)
                except SweepInterrupted as error:
                    print(error)
                    sys.exit(7)
            """
        )
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    results = tmp_path / "results"
    deadline = time.monotonic() + 120
    while len(list(results.glob("*.json"))) < 2 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 7, errors
    assert "2 of 5 points are finished and kept" in output
    assert "the same call goes on" in output
    found = sweep(sweep_functions.slow, {"x": [0, 1]}, folder=results, workers=1, progress=False)
    assert [row["x2"] for row in found.rows] == [0, 2]
    assert issubclass(SweepInterrupted, KeyboardInterrupt)

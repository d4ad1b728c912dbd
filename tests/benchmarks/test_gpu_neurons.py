"""The measurement of neurons on a CUDA device: refused without one, and its arithmetic is right."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import gpu_neurons
from benchmarks.gpu_neurons import CASES, Case, bytes_moved, row_of, table

pytest.importorskip("triton", reason="Triton is not installed: pip install 'spikelab[cuda]'")


def test_refused_without_a_device(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_neurons.main(["--write", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert "this measures a CUDA device" in captured.err
    assert "nothing was measured" in captured.err
    assert not list(tmp_path.iterdir())


def test_bytes_of_a_leaky_neuron():
    steps, neurons = 16, 64
    elements = steps * neurons
    single = bytes_moved(Case("lif", "float32", (steps, 1, neurons)))
    # input and output, the state after; then the gate; back: the gate, two gradients, the state's gradient
    assert single == {
        "inference": 8 * elements + 4 * neurons,
        "forward": 12 * elements + 4 * neurons,
        "backward": 12 * elements + 4 * neurons,
    }
    half = bytes_moved(Case("lif", "bfloat16", (steps, 1, neurons)))
    assert half == {
        "inference": 4 * elements + 4 * neurons,
        "forward": 6 * elements + 4 * neurons,
        "backward": 6 * elements + 4 * neurons,
    }
    # a checkpoint for every eighth step, and the input is read again
    again = bytes_moved(Case("lif", "float32", (steps, 1, neurons), recompute=True))
    assert again["forward"] == 8 * elements + 4 * neurons * (1 + 2)
    assert again["backward"] == 12 * elements + 4 * neurons * (1 + 2)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_case_has_bytes_and_a_row(case):
    moved = bytes_moved(case)
    assert 0 < moved["inference"] < moved["forward"]
    row = row_of(case, dict.fromkeys(gpu_neurons.PASSES, 1e-3), 2e12)
    assert row["passes"]["forward"]["fraction"] == pytest.approx(moved["forward"] / 1e-3 / 2e12)
    assert row["neuron_steps"] >= 1 << 24


def test_the_table_has_everything():
    case = CASES[0]
    row = row_of(case, {"inference": 1e-3, "forward": 2e-3, "backward": 3e-3}, 1e12)
    report = {
        "device": "a device",
        "copy_bandwidth": 1e12,
        "rows": [{**row, "agrees": {"differing": 0.0, "gradient_error": 1e-7, "rate": 0.1}}],
        "host_microseconds": {"lif": {"inference": 25.0, "forward": 40.0, "backward": 50.0}},
        "spikingjelly_version": "2.0.0",
        "spikingjelly": [
            {"case": {"dtype": "float32", "shape": [16, 64, 16384]}, "ratios": {"inference": 1.5, "training": 1.4}}
        ],
    }
    text = table(report)
    for word in ("1.000", "2.000", "3.000", "lif: inference 25", "SpikingJelly 2.0.0", "training 1.40"):
        assert word in text


def test_cases_agree_with_the_loop_under_the_interpreter():
    """What the device is asked before it is timed, for the first cases."""
    program = (
        "from benchmarks.gpu_neurons import CASES, agrees\n"
        "for case in CASES[1:2] + CASES[-2:]:\n"
        "    told = agrees(case, 'cpu')\n"
        "    assert told['differing'] == 0 and 0 < told['rate'] < 0.5, (case, told)\n"
        "    assert told['gradient_error'] < (1e-5 if case.dtype == 'float32' else 2e-2), (case, told)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        # `make test` keeps the folder that Python starts in out of its path
        env={
            **os.environ,
            "TRITON_INTERPRET": "1",
            "PYTHONPATH": str(Path(gpu_neurons.__file__).resolve().parent.parent),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]

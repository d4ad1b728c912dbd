"""Runs the tests of kernels in Triton's interpreter, on the CPU, each file in a process of its own.

Triton looks at TRITON_INTERPRET when a kernel is declared; set here, it would change every kernel of this process.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from _pytest.config import ExitCode

HERE = Path(__file__).parent
FILES = sorted(
    path
    for path in HERE.glob("test_*.py")
    if "pytest.mark.gpu" in path.read_text() and path.name != Path(__file__).name
)


def test_there_are_such_files():
    assert {"test_same_spikes.py", "test_draws.py", "test_runs.py"} <= {path.name for path in FILES}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file(path, tmp_path):
    pytest.importorskip("triton", reason="Triton is not installed: pip install 'spikelab[cuda]'")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "--timeout=1800", str(path)],
        env={**os.environ, "TRITON_INTERPRET": "1", "NUMBA_NUM_THREADS": "1", "PYTEST_ADDOPTS": ""},
        cwd=HERE.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == ExitCode.OK, ran.stdout[-8000:] + ran.stderr[-2000:]
    summary = ran.stdout.strip().splitlines()[-1]
    assert re.search(r"\b[1-9]\d* passed", summary), summary
    skipped = [line for line in ran.stdout.splitlines() if line.startswith("SKIPPED")]
    assert all("reference_sims" in line or "shared data not found" in line for line in skipped), skipped


def test_this_process_does_not_interpret():
    pytest.importorskip("triton", reason="Triton is not installed: pip install 'spikelab[cuda]'")
    from spikelab.sim.triton_engine.device import INTERPRETED

    assert ("1" == os.environ.get("TRITON_INTERPRET")) == INTERPRETED

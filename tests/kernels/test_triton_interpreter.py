"""Runs the tests of Triton's kernels in Triton's interpreter, on the CPU, in two processes of their own.

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
FILES = sorted(path for path in HERE.rglob("test_*.py") if path != Path(__file__) and "mark.gpu" in path.read_text())
#: What only a device has.
NEEDS_DEVICE = "needs a CUDA device: the interpreter has no"


def test_there_are_such_files():
    assert {"test_contract.py", "test_triton_layouts.py", "test_triton_products.py"} <= {path.name for path in FILES}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("whole_grid", [True, False], ids=["contract", "others"])
def test_files(whole_grid):
    pytest.importorskip("triton", reason="Triton is not installed: pip install 'spikelab[cuda]'")
    paths = [str(path) for path in FILES if (path.name == "test_contract.py") == whole_grid]
    options = "-q -rs -m gpu -p no:cacheprovider --timeout=1800".split()
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *paths],
        env={**os.environ, "TRITON_INTERPRET": "1", "NUMBA_NUM_THREADS": "1", "PYTEST_ADDOPTS": ""},
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == ExitCode.OK, ran.stdout[-8000:] + ran.stderr[-2000:]
    summary = ran.stdout.strip().splitlines()[-1]
    assert re.search(r"\b[1-9]\d* passed", summary), summary
    skipped = [line for line in ran.stdout.splitlines() if line.startswith("SKIPPED")]
    assert all(NEEDS_DEVICE in line for line in skipped), skipped

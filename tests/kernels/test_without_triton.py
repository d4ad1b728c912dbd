"""Where Triton is not installed: every module can be imported, or says what brings it."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import spikelab
from spikelab import kernels

ROOT = str(Path(spikelab.__file__).resolve().parent.parent)
IMPORT = """
import importlib, sys
sys.modules["triton"] = None
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        assert "pip install 'spikelab[cuda]'" in str(error), (name, error)
        print(name)
"""


def test_modules_name_the_extra():
    names = [module.name for module in pkgutil.walk_packages(kernels.__path__, "spikelab.kernels.")]
    told = subprocess.run(
        [sys.executable, "-c", IMPORT, *names],
        env={**os.environ, "PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    left_out = told.stdout.split()
    assert "spikelab.kernels.triton_cuda" in left_out
    # the rest works without
    assert "spikelab.kernels.operator" not in left_out
    assert len(left_out) < len(names) / 2

"""The `spikelab bench` command: a door to the benchmarks of a checkout."""

import importlib
import sys
from pathlib import Path
from typing import Any

import spikelab
from spikelab.settings import Bench


def bench_training(settings: Bench) -> dict[str, Any]:
    """Run `benchmarks.training`, which lies beside the package in a checkout and is not installed.

    Returns:
        `rows`: one dictionary per case and framework.

    Raises:
        RuntimeError: If this is not a checkout.
        ValueError: If there is no such case or framework.
    """
    root = Path(spikelab.__file__).resolve().parent.parent
    if not (root / "benchmarks" / "training.py").exists():
        raise RuntimeError(f"{root}: has no benchmarks/training.py; run this from a checkout of spikelab")
    sys.path.append(str(root))
    try:
        module = importlib.import_module("benchmarks.training")
    finally:
        sys.path.remove(str(root))
    return {"rows": module.run(settings)}

"""The `spikelab bench` command: a door to the benchmarks of a checkout."""

import importlib
import sys
from pathlib import Path
from typing import Any

import spikelab
from spikelab.settings import Bench


def bench_training(settings: Bench) -> dict[str, Any]:
    """Run `benchmarks.training`, which lies beside the package in a checkout and is not installed.

    It prints its tables as it goes, and writes the JSON file itself, after each case.

    Returns:
        The report of `benchmarks.training.run`.

    Raises:
        RuntimeError: If this is not a checkout, or a framework failed (the others are measured all the same).
        ValueError: If there is no such case or framework.
    """
    root = Path(spikelab.__file__).resolve().parent.parent
    if not (root / "benchmarks" / "training.py").exists():
        raise RuntimeError(f"{root}: has no benchmarks/training.py; run this from a checkout of spikelab")
    sys.path.append(str(root))
    module = importlib.import_module("benchmarks.training")
    report = module.run(
        settings.json,
        threads=settings.threads,
        cases=settings.cases,
        peers=settings.peers,
        rounds=settings.rounds,
        memory=settings.memory,
        quick=settings.quick,
        install=settings.install,
    )
    if report["failures"]:
        first = report["failures"][0]
        count = len(report["failures"])
        raise RuntimeError(f"{count} measurements failed, first {first['peer']} on {first['case']}: {first['error']}")
    return report

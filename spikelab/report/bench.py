"""The `spikelab bench` commands: a door to the benchmarks of a checkout."""

import importlib
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import spikelab
from spikelab.settings_bench import BenchEvents, BenchHardware, BenchProducts, BenchSimulation, BenchTrain

#: Settings -> the script of the checkout that measures it. Their fields are its options.
PARTS: dict[type, str] = {
    BenchSimulation: "benchmarks.simulation.speed",
    BenchEvents: "benchmarks.events",
    BenchHardware: "benchmarks.integer_speed",
    BenchProducts: "benchmarks.sparse_products",
}


def bench_part(settings: Any) -> dict[str, Any]:
    """Run one script of `benchmarks`, which prints its tables as it goes and writes its own files.

    Returns:
        Its name.

    Raises:
        RuntimeError: If this is not a checkout, or the script failed.
    """
    name = PARTS[type(settings)]
    words = []
    for option in (field.name for field in fields(settings)):
        value = getattr(settings, option)
        if value is not None and value is not False:
            words += [f"--{option}"] if value is True else [f"--{option}", str(value)]
    if _script(name).main(words):
        raise RuntimeError(f"{name}: failed, for the reason above")
    return {"script": name}


def shown(figures: dict[str, Any]) -> str:
    """Which script has run; it has printed its tables."""
    return f"measured by {figures['script']}"


def _script(name: str) -> Any:
    """A module of the checkout, beside the package."""
    root = Path(spikelab.__file__).resolve().parent.parent
    if not (root / "benchmarks" / "training.py").exists():
        raise RuntimeError(f"{root}: has no benchmarks/training.py; run this from a checkout of spikelab")
    sys.path.append(str(root))
    return importlib.import_module(name)


def bench_training(settings: BenchTrain) -> dict[str, Any]:
    """Run `benchmarks.training`, which lies beside the package in a checkout and is not installed.

    It prints its tables as it goes, and writes the JSON file itself, after each case.

    Returns:
        The report of `benchmarks.training.run`.

    Raises:
        RuntimeError: If this is not a checkout, or a framework failed (the others are measured all the same).
        ValueError: If there is no such case or framework.
    """
    report = _script("benchmarks.training").run(
        settings.json,
        threads=settings.threads,
        cases=settings.cases,
        peers=settings.peers,
        rounds=settings.rounds,
        memory=settings.memory,
        quick=settings.quick,
        install=settings.install,
        resume=settings.resume,
    )
    if report["failures"]:
        first = report["failures"][0]
        count = len(report["failures"])
        raise RuntimeError(f"{count} measurements failed, first {first['peer']} on {first['case']}: {first['error']}")
    return report

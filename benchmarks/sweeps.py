"""Time and memory of a training step against length, width and density; and how near kernels come to the machine.

    python -m benchmarks.sweeps --json benchmarks/results/sweeps.json         measures (half an hour), then draws
    python -m benchmarks.sweeps --json benchmarks/results/sweeps.json --draw  draws what was measured

Everyone is checked and takes turns as in `benchmarks.training`. Pictures go to docs/pictures; docs/performance.md shows
them. The report is written after each sweep, and a sweep that it holds is not measured again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import roofline, sweep_pictures, training
from benchmarks.cases import Case
from benchmarks.table import as_csv

PEERS = ("compiled_torch", "snntorch", "norse", "spikingjelly", "sinabs")
#: Name -> (what changes, its values, the case at a value). Norse and Sinabs are quadratic in T and left out where long.
SWEEPS: dict[str, tuple[str, tuple[float, ...], Callable[[Any], Case]]] = {
    "length": ("steps", (10, 30, 100, 300, 1000), lambda steps: Case("lif", steps, neurons=512)),
    "width": ("neurons", (64, 256, 1024, 4096, 16384), lambda neurons: Case("lif", 100, neurons=neurons)),
    "density": (
        "density of the input",
        (0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
        lambda density: Case("linear_lif", 100, neurons=1024, density=density),
    ),
}


def measure(name: str, rounds: int, say: Callable[[str], object]) -> dict[str, Any]:
    """One sweep on one thread: rows of `benchmarks.training` with the value that changes."""
    what, values, case_at = SWEEPS[name]
    peers = [*PEERS, *(["spikelab_dense"] if name == "density" else [])]
    cases = {case_at(value).name: value for value in values}
    report = training.run(
        threads=[1],
        cases=[case_at(value) for value in values],
        peers=peers,
        rounds=rounds,
        memory=name != "density",
        say=say,
    )
    rows = [
        {key: row[key] for key in ("case", "peer", "cpu_ms", "peak_extra_mib")} | {"value": cases[row["case"]]}
        for row in report["rows"]
    ]
    return {"what": what, "machine": report["machine"], "peers": report["peers"], "rows": rows}


def rows_of(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of all sweeps, each with the sweep's name and what it changes."""
    return [
        {"sweep": name, "changes": sweep["what"]} | row
        for name, sweep in found.items()
        for row in sweep.get("rows", ())
    ]


def main(arguments: Sequence[str] | None = None, say: Callable[[str], object] = print) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the figures are or go")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    parser.add_argument("--pictures", type=Path, default=sweep_pictures.FOLDER, help="folder for the pictures")
    chosen = parser.parse_args(arguments)
    if chosen.draw and not chosen.json.exists():
        parser.error(f"{chosen.json}: no such file; measure first, without --draw")
    found = json.loads(chosen.json.read_text()) if chosen.json.exists() else {}
    for name in SWEEPS if not chosen.draw else ():
        if name not in found:
            found[name] = measure(name, chosen.rounds, say)
            chosen.json.write_text(json.dumps(found, indent=1) + "\n")
    if not chosen.draw and "roofline" not in found:
        found["roofline"] = roofline.measure()
        chosen.json.write_text(json.dumps(found, indent=1) + "\n")
    if not chosen.draw:
        chosen.json.with_suffix(".csv").write_text(as_csv(rows_of(found)))
    for path in sweep_pictures.draw(found, chosen.pictures):
        say(str(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Speed of the integer simulator beside Lava's fixed-point CPU models, on networks in Loihi's arithmetic.

    python -m benchmarks.integer_speed --install                 # makes .venv-peers/lava first; needs Python 3.10
    python -m benchmarks.integer_speed --json benchmarks/results/integer_speed.json

Spikes are compared first: both must give the same, bit for bit. Then both take turns. Ours uses one thread; Lava runs
each process of a network as a process of the operating system, as it does by itself, each with one thread. Timed
is the running of steps, batch of one; building and compiling are not. Two ways of running: a sequence in one call (ours
with preparing the graph), and a call for each step, as in a control loop (ours with a ``Simulator`` made once).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.environments import FOLDER, NotInstalled
from benchmarks.integer_cases import CASES, RATE, IntegerCase
from benchmarks.machine import describe, load_average
from benchmarks.peer_process import PeerProcess
from spikelab.hw.integer import Simulator, simulate

#: Our simulator must be so many times faster.
FLOOR = 20
#: Calls of one step each in a turn.
CALLS = 100
_PEERS = Path(__file__).parent / "peers"
_PYTHON = FOLDER / "lava" / "bin" / "python"


def start_lava() -> PeerProcess:
    """Lava in a process of its own.

    Raises:
        NotInstalled: if its environment has not been made.
    """
    if not _PYTHON.exists():
        raise NotInstalled(f"no {_PYTHON}; run 'python -m benchmarks.integer_speed --install' (needs Python 3.10)")
    return PeerProcess(_PYTHON, "lava_worker.py", quiet=True)


def install(python: str) -> None:
    """Makes Lava's environment.

    Raises:
        NotInstalled: if there is no Python 3.10, or pip fails.
    """
    found = shutil.which(python)
    if found is None:
        raise NotInstalled(f"no {python}; Lava 0.10.0 imports under Python 3.10 only: install it, or give --python")
    for command in (
        [found, "-m", "venv", "--clear", str(FOLDER / "lava")],
        [str(_PYTHON), "-m", "pip", "install", "--quiet", "--requirement", str(_PEERS / "lava.txt")],
    ):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise NotInstalled(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}")


def _timed(run: Callable[[], object]) -> dict[str, float]:
    used, start = time.process_time(), time.perf_counter()
    run()
    return {"wall": time.perf_counter() - start, "cpu": time.process_time() - used}


def measure(case: IntegerCase, lava: PeerProcess, rounds: int, folder: Path) -> dict[str, Any]:
    """Compares the spikes of a case, then times it in turns; microseconds for each step."""
    spikes = {"in": case.spikes()}
    graph = case.graph()
    meta = json.dumps({"kind": case.kind, "steps": case.steps, "parameters": case.parameters})
    np.savez(folder / "case.npz", meta=meta, spikes=spikes["in"], **case.arrays())  # type: ignore[arg-type]
    lava.ask("prepare", path=str(folder / "case.npz"))
    lava.ask("spikes", path=str(folder / "spikes.npy"))
    theirs = np.load(folder / "spikes.npy")
    ours = simulate(graph, spikes).messages["out"]
    simulator = Simulator(graph)
    single = [{"in": spikes["in"][t : t + 1]} for t in range(CALLS)]

    def step_by_step() -> None:
        state = None
        for given in single:
            state = simulator.run(given, state).state

    step_by_step()
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in ("ours", "lava", "ours_stepped", "lava_stepped")}
    for _ in range(rounds):
        turns["ours"].append(_timed(lambda: simulate(graph, spikes)))
        turns["lava"].append(lava.ask("time", calls=1, steps=case.steps))
        turns["ours_stepped"].append(_timed(step_by_step))
        turns["lava_stepped"].append(lava.ask("time", calls=CALLS, steps=1))
    lava.ask("release")
    found: dict[str, Any] = {
        "case": case.name,
        "steps": case.steps,
        "equal_spikes": bool(np.array_equal(ours, theirs)),
        "spikes_per_neuron_and_step": float(ours.mean()),
        "load_average": load_average(),
    }
    for name, times in turns.items():
        for kind in ("wall", "cpu"):
            values = [1e6 * turn[kind] / (CALLS if "stepped" in name else case.steps) for turn in times]
            found[f"{name}_{kind}_us"], found[f"{name}_{kind}_us_best"] = median(values), min(values)
    for way in ("", "_stepped"):
        for kind in ("wall", "cpu"):
            pairs = zip(turns[f"lava{way}"], turns[f"ours{way}"], strict=True)
            # both did the same number of steps
            found[f"speedup{way}_{kind}"] = median(a[kind] / b[kind] for a, b in pairs)
        found[f"speedup{way}_best_wall"] = found[f"lava{way}_wall_us_best"] / found[f"ours{way}_wall_us_best"]
    return found


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A table in Markdown."""
    lines = [
        "| case | spikes equal | Lava, µs a step | ours | faster | by best times | by CPU time "
        "| one step a call: Lava | ours | faster |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        figures = (
            f"{r['lava_wall_us']:.0f}",
            f"{r['ours_wall_us']:.1f}",
            *(f"{r[name]:.0f}" for name in ("speedup_wall", "speedup_best_wall", "speedup_cpu")),
            *(f"{r[name]:.0f}" for name in ("lava_stepped_wall_us", "ours_stepped_wall_us", "speedup_stepped_wall")),
        )
        lines.append(f"| {r['case']} | {'yes' if r['equal_spikes'] else 'NO'} | {' | '.join(figures)} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Speed of the integer simulator beside Lava.")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each (9)")
    parser.add_argument("--cases", default="", help="names, separated by commas; all by default")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--install", action="store_true", help="make .venv-peers/lava first")
    parser.add_argument("--python", default="python3.10", help="the Python 3.10 for --install")
    given = parser.parse_args(arguments)
    names = given.cases.split(",") if given.cases else [case.name for case in CASES]
    if unknown := [name for name in names if name not in {case.name for case in CASES}]:
        parser.error(f"unknown case {', '.join(unknown)}; known are {', '.join(case.name for case in CASES)}")
    try:
        if given.install:
            install(given.python)
        lava = start_lava()
    except NotInstalled as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    report: dict[str, Any] = {
        "machine": describe(),
        "versions": {"ours": {"python": sys.version.split()[0], "numpy": np.__version__}, "lava": lava.ask("hello")},
        "rounds": given.rounds,
        "input_rate": RATE,
        "floor": FLOOR,
        "rows": [],
    }
    try:
        with tempfile.TemporaryDirectory() as folder:
            for case in CASES:
                if case.name in names:
                    report["rows"].append(measure(case, lava, given.rounds, Path(folder)))
    finally:
        lava.close()
    print(table(report["rows"]))
    missed = [r["case"] for r in report["rows"] if r["speedup_wall"] < FLOOR]
    print(
        f"floor of {FLOOR} times, a sequence in one call: "
        + (f"missed by {', '.join(missed)}" if missed else "kept by all")
    )
    if given.json:
        given.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if all(r["equal_spikes"] for r in report["rows"]) else 1


if __name__ == "__main__":
    sys.exit(main())

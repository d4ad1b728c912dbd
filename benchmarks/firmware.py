"""What the C export costs: instructions a step as the input rate halves, flash and RAM.

    python -m benchmarks.firmware

Networks have the size of a digit classifier and random weights: what is counted depends on how many neurons send, which
is in the table, not on what they know. Instructions are those of valgrind's callgrind inside ``net_step`` on this
machine, compiled without vector instructions, which microcontrollers do not have. Every network is compared with the
simulator on the very events that are counted.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environments import ROOT
from benchmarks.machine import describe
from spikelab import registry
from spikelab.hw.backends.c99 import firmware_size, verify_c99, write_c99
from spikelab.hw.backends.c99.compiler import CompilerError, build, execute
from spikelab.hw.backends.c99.plan import make_plan
from spikelab.hw.backends.c99.print_driver import pack_events, print_driver
from spikelab.hw.connections import Connection, Convolution, Dense
from spikelab.hw.integer import simulate
from spikelab.hw.ir import Input, IntegerGraph, Population

RATES = (0.2, 0.1, 0.05, 0.025)
FLAGS = ("-O2", "-fno-tree-vectorize")


def dense(neuron: str, bits: int, parameters: dict[str, int]) -> IntegerGraph:
    """784-128-10; weights are normal, cut to so many bits."""
    random, largest = np.random.default_rng(0), 2 ** (bits - 1) - 1

    def weights(targets: int, sources: int, mean: float) -> Dense:
        drawn = random.normal(mean * largest, 0.35 * largest, (targets, sources)).round()
        return Dense(np.clip(drawn, -largest, largest).astype(np.int64))

    kind = registry.load("integer_neurons", neuron)
    populations = [Population(name, kind, (n,), parameters) for name, n in (("hidden", 128), ("out", 10))]
    connections = [
        Connection("in", "hidden", weights(128, 784, 0.02), 0),
        Connection("hidden", "out", weights(10, 128, 0.05), 0),
    ]
    return IntegerGraph({"in": Input((784,))}, populations, connections)


def convolutional(neuron: str, parameters: dict[str, int]) -> IntegerGraph:
    """8 maps of 3 × 3, 2 × 2 pool, 16 maps of 3 × 3, dense to 10."""
    random = np.random.default_rng(0)
    kind = registry.load("integer_neurons", neuron)
    shapes = {"maps": (8, 26, 26), "deep": (16, 11, 11), "out": (10,)}
    return IntegerGraph(
        {"in": Input((1, 28, 28))},
        [Population(name, kind, shape, parameters) for name, shape in shapes.items()],
        [
            Connection("in", "maps", Convolution(random.integers(-100, 127, (8, 1, 3, 3))), 0),
            Connection("maps", "deep", Convolution(random.integers(-100, 120, (16, 8, 3, 3))), 0, pool=(2, 2)),
            Connection("deep", "out", Dense(random.integers(-127, 128, (10, 16 * 121))), 0),
        ],
    )


CASES: dict[str, Callable[[], IntegerGraph]] = {
    "784-128-10, leaky, 8 bits": lambda: dense("generic_lif_16", 8, {"keep_mem": 29000, "v_threshold": 1270}),
    "784-128-10, leaky, 4 bits": lambda: dense("generic_lif_16", 4, {"keep_mem": 29000, "v_threshold": 70}),
    "784-128-10, leaky, 2 bits": lambda: dense("generic_lif_16", 2, {"keep_mem": 29000, "v_threshold": 10}),
    "784-128-10, Loihi, 8 bits": lambda: dense("loihi_lif", 8, {"du": 4095, "dv": 470, "vth": 1270}),
    "convolutional, leaky": lambda: convolutional("generic_lif_16", {"keep_mem": 26000, "v_threshold": 600}),
    "convolutional, no leak (Speck)": lambda: convolutional("speck_if", {"v_threshold": 600, "v_low": -600}),
}


def measure(graph: IntegerGraph, steps: int) -> dict[str, Any]:
    """One network: sizes, and one row a rate."""
    with tempfile.TemporaryDirectory(prefix="spikelab-firmware-") as temporary:
        folder = Path(temporary)
        report = write_c99(folder, graph)
        plan, program = build_driver(folder, graph)
        rows = [_row(graph, plan, folder, program, rate, steps) for rate in RATES]
        sizes = {}
        if shutil.which("arm-none-eabi-gcc"):
            for core in ("cortex-m0", "cortex-m4"):
                sizes[core] = {level: firmware_size(folder, core=core, level=level) for level in ("-O2", "-Os")}
        keys = ("flash", "ram", "operations_at_most")
        return {"rows": rows, "sizes": sizes, **{key: report[key] for key in keys}}


def instructions_per_step(folder: Path, plan: Any, program: Path, inputs: Mapping[str, np.ndarray]) -> int:
    """Instructions inside ``net_step``, mean over steps and samples, by callgrind.

    Raises:
        CompilerError: if callgrind fails.
    """
    steps, samples = next(iter(inputs.values())).shape[:2]
    (folder / "events").write_bytes(pack_events(plan, inputs))
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder / 'counts'}", "--toggle-collect=net_step"]
    run = execute([*command, str(program), str(folder / "events"), str(folder / "results")], 600, "counting")
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode or not found:
        raise CompilerError(f"callgrind ended with {run.returncode}:\n{run.stderr[-2000:]}")
    return round(int(found[1]) / (steps * samples))


def build_driver(folder: Path, graph: IntegerGraph) -> tuple[Any, Path]:
    """The plan of the C in a folder, and a program that feeds it events."""
    plan, program = make_plan(graph), folder / "driver"
    (folder / "driver.c").write_text(print_driver(plan))
    build("gcc", [folder / "driver.c", folder / "net.c"], program, FLAGS)
    return plan, program


def _row(graph: IntegerGraph, plan: Any, folder: Path, program: Path, rate: float, steps: int) -> dict[str, Any]:
    shape = graph.inputs["in"].shape
    inputs = {"in": (np.random.default_rng(1).random((steps, 1, *shape)) < rate).astype(np.int64)}
    verified = verify_c99(folder, graph, inputs, flags=FLAGS)
    if not verified.equal:
        raise CompilerError(f"the C differs from the simulator: {verified.first_difference}")
    messages = simulate(graph, inputs).messages
    return {
        "rate": rate,
        "instructions_per_step": instructions_per_step(folder, plan, program, inputs),
        "events_per_step": float(inputs["in"].sum() / steps),
        "sent": {name: round(float(np.count_nonzero(m) / m.size), 4) for name, m in messages.items()},
        "compared": verified.compared,
    }


def versions() -> dict[str, str]:
    """First lines of what the tools say of themselves."""
    tools = ("gcc", "valgrind", "arm-none-eabi-gcc")
    return {t: execute([t, "--version"], 60, "version").stdout.splitlines()[0] for t in tools if shutil.which(t)}


def markdown(report: dict[str, Any]) -> str:
    """The report as a page."""
    machine = report["machine"]
    text = [
        "# C99 export: instructions, flash and RAM",
        "",
        "Made by `python -m benchmarks.firmware`; every figure is in `firmware.json`. "
        f"{machine['cpu']}, {machine['cores']} cores, commit {machine['commit']}, {machine['date'][:10]}; "
        + "; ".join(report["versions"].values())
        + ".",
        "",
        f"Instructions are x86-64's inside `net_step`, mean of {report['steps']} steps from rest, counted by "
        + f"callgrind, `gcc {' '.join(FLAGS)}`. Weights are random, so the figures say what events cost, not what a "
        "trained classifier needs. All runs equal the simulator in every message and state. The last "
        "column is what is left of the instructions when the rate halves from 5 to 2.5 %; later "
        "populations then send less than half, which helps networks in which they do much of the work "
        "(see the second table).",
        "",
        "| network | " + " | ".join(f"{100 * r:g} %" for r in RATES) + " | 5 → 2.5 % |",
        "| --- |" + " ---: |" * (len(RATES) + 1),
    ]
    for name, case in report["cases"].items():
        counts = [row["instructions_per_step"] for row in case["rows"]]
        text.append(f"| {name} | " + " | ".join(f"{c:,}" for c in counts) + f" | {counts[-1] / counts[-2]:.2f} |")
    text += ["", "Share of neurons that send, in the order of the populations, at the first and the last rate:", ""]
    text += ["| network | at 20 % | at 2.5 % |", "| --- | --- | --- |"]
    for name, case in report["cases"].items():
        ends = [", ".join(f"{k} {100 * v:.1f} %" for k, v in case["rows"][k]["sent"].items()) for k in (0, -1)]
        text.append(f"| {name} | {ends[0]} | {ends[1]} |")
    text += ["", "Bytes; flash is code and tables without the compiler's own library, RAM one state struct:", ""]
    text += ["| network | weights | M0 flash -Os | M0 flash -O2 | M4 flash -O2 | RAM |", "| --- |" + " ---: |" * 5]
    for name, case in report["cases"].items():
        sizes = case["sizes"]
        flash = [
            f"{sizes[core][level]['flash_bytes']:,}" if sizes else "-"
            for core, level in (("cortex-m0", "-Os"), ("cortex-m0", "-O2"), ("cortex-m4", "-O2"))
        ]
        text.append(f"| {name} | {case['flash']['weights_bytes']:,} | {' | '.join(flash)} | {case['ram']['bytes']:,} |")
    text += [
        "",
        "What does not fall with the rate is the step of neurons that are awake: a leaky neuron is, until its membrane "
        "has decayed to zero, because every step of a decay is rounded and none may be left out. Without leak a neuron "
        "sleeps between events.",
    ]
    return "\n".join(text) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and writes ``--json`` and, beside it, the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "results" / "firmware.json")
    given = parser.parse_args(arguments)
    missing = [tool for tool in ("gcc", "valgrind") if not shutil.which(tool)]
    if missing:
        print(f"not found: {', '.join(missing)}; install them first", file=sys.stderr)
        return 2
    report: dict[str, Any] = {"machine": describe(), "versions": versions(), "steps": given.steps, "cases": {}}
    for name, graph in CASES.items():
        report["cases"][name] = measure(graph(), given.steps)
        print(name, [row["instructions_per_step"] for row in report["cases"][name]["rows"]], flush=True)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(report, indent=1) + "\n")
    given.json.with_suffix(".md").write_text(markdown(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What fewer bits cost a spiking digit classifier: rounding after training, and training in integers.

    python -m benchmarks.quantisation --folder runs/quantisation --seeds 0,1,2

Trains the network of ``benchmarks/digits.toml`` for each seed, quantises it after training (`spikelab quantise`), goes
on training it in integers from its real weights (`--quantise.bits`), and writes accuracies on the test split. Runs that
are complete are not repeated, so it can be interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.firmware import build_driver, instructions_per_step
from benchmarks.machine import describe
from spikelab.hw.backends.c99 import firmware_size
from spikelab.hw.backends.npz import read_npz
from spikelab.hw.backends.vectors import read_vectors
from spikelab.io.atomic import write_bytes_atomically, write_json_atomically
from spikelab.report.tables import render

CONFIG = Path(__file__).with_name("digits.toml")
RESULTS = Path(__file__).parent / "results"
WIDTHS = (8, 4, 3, 2)
#: Training in integers goes on for half the epochs at half the learning rate.
TRAINING = ["--epochs", "20", "--optimiser.learning_rate", "1e-3"]


NOTE = """

Made by `python -m benchmarks.quantisation` (three seeds, 784-128-10, 16 steps, the 2,000 test pictures of
MNIST's subset; figures and layers in `quantisation_loihi.json`). "Rounded" is after training, with scales by
the largest weight or by least squared error; "trained in integers" goes on for 20 epochs from the real weights.
The validation split chose the epoch. One picture is 0.05 points, and a standard error of the accuracy about
0.4, so that gains of 0.2 points mean nothing.
"""


def _spikelab(*words: str) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "spikelab", *words], check=True, env=environment, stdout=subprocess.DEVNULL)


def _accuracy(run: Path) -> float:
    report = run / "eval.json"
    if not report.exists():
        _spikelab("eval", str(run), "--data.batch_size", "250", "--threads", "1", "--json", str(report))
    return float(json.loads(report.read_text())["figures"]["accuracy"])


def measure(folder: Path, seed: int, profile: str) -> dict[str, Any]:
    """Accuracies of one seed."""
    real = folder / f"real-{seed}"
    common = ["--config", str(CONFIG), "--seed", str(seed), "--tensorboard", "false", "--resume", "auto"]
    _spikelab("train", *common, "--folder", str(real))
    found: dict[str, Any] = {
        "seed": seed,
        "real": _accuracy(real),
        "after_training": {},
        "in_integers": {},
        "layers": {},
    }
    for scale in ("mse", "max"):
        report = folder / f"rounded-{profile}-{scale}-{seed}"
        if not (report / "report.json").exists():
            words = ["--profile", profile, "--scale", scale, "--widths", ",".join(map(str, WIDTHS))]
            _spikelab("quantise", str(real), *words, "--batch_size", "250", "--folder", str(report))
        figures = json.loads((report / "report.json").read_text())["bits"]
        found["after_training"][scale] = {bits: figures[bits]["figures"]["accuracy"] for bits in figures}
        found["layers"][scale] = {bits: figures[bits]["layers"] for bits in figures}
    for bits in WIDTHS:
        run = folder / f"integers-{profile}-{bits}-{seed}"
        start = ["--initialise_from", str(real), "--quantise.bits", str(bits), "--quantise.profile", profile]
        _spikelab("train", *common, *TRAINING, *start, "--folder", str(run))
        found["in_integers"][str(bits)] = _accuracy(run)
    return found


def firmware(folder: Path, seed: int, profile: str) -> list[dict[str, Any]]:
    """Flash, RAM and instructions of the C export on ten test pictures, for each number of bits."""
    runs = {8: folder / f"real-{seed}"} | {bits: folder / f"integers-{profile}-{bits}-{seed}" for bits in (4, 2)}
    rows = []
    for bits, run in runs.items():
        out = folder / f"c99-{profile}-{bits}-{seed}"
        words = ["--format", "c99", "--profile", profile, "--bits", str(bits), "--samples", "10", "--vectors", "10"]
        _spikelab("export", str(run), *words, "--out", str(out))
        graph, vectors = read_npz(out / "net.json"), read_vectors(out)
        sizes = firmware_size(out, core="cortex-m4", level="-O2")
        count = instructions_per_step(out, *build_driver(out, graph), vectors.inputs)
        per_step = len(next(iter(vectors.inputs.values())))
        rows.append({"bits": bits, **sizes, "instructions_per_step": count, "steps_per_picture": per_step})
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Means and standard deviations over seeds, in percent, as Markdown."""

    def cell(values: list[float]) -> str:
        spread = f" (sd {100 * stdev(values):.2f})" if len(values) > 1 else ""
        return f"{100 * mean(values):.2f}{spread}"

    real = [row["real"] for row in rows]
    lines = []
    for bits in map(str, WIDTHS):
        largest, squared = ([row["after_training"][s][bits] for row in rows] for s in ("max", "mse"))
        trained = [row["in_integers"][bits] for row in rows]
        lost = 100 * (mean(real) - mean(squared)), 100 * (mean(real) - mean(trained))
        lines.append([bits, cell(largest), cell(squared), f"{lost[0]:+.2f}", cell(trained), f"{lost[1]:+.2f}"])
    header = ["bits", "rounded, max", "rounded, mse", "lost", "trained in integers", "lost"]
    return f"real numbers: {cell(real)}\n\n{render(header, lines, markdown=True)}"


def main() -> None:
    """Runs all seeds, two at a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/quantisation"))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--profile", default="loihi")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        seeds = map(int, arguments.seeds.split(","))
        rows = list(pool.map(lambda seed: measure(arguments.folder, seed, arguments.profile), seeds))
    costs = firmware(arguments.folder, rows[0]["seed"], arguments.profile)
    lines = [list(row.values()) for row in costs]
    header = [key.replace("_", " ") for key in costs[0]]
    page = f"{table(rows)}\n\nC export of seed {rows[0]['seed']}, Cortex-M4 at -O2; instructions are x86-64's:\n\n"
    page += render(header, lines, markdown=True)
    print(page)
    name = f"quantisation_{arguments.profile}"
    write_json_atomically(
        RESULTS / f"{name}.json", {"machine": describe(), "profile": arguments.profile, "runs": rows, "firmware": costs}
    )
    head = f"# A digit classifier in few bits: MNIST test accuracy in percent, arithmetic {arguments.profile}\n\n"
    write_bytes_atomically(RESULTS / f"{name}.md", (head + page + NOTE).encode())


if __name__ == "__main__":
    main()

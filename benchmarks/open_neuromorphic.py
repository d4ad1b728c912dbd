"""The case of Open Neuromorphic's chart of libraries (2023): Linear(n, n) into LIF neurons, batch 16, 500 steps.

    python -m benchmarks.open_neuromorphic --json benchmarks/results/open_neuromorphic.json

Forward and backward pass. The chart gives one number for both parts; here the neurons are measured alone as well, and
what is left is the product, which is the same call of MKL for everyone with inputs drawn from a normal distribution
(as the chart has them, as far as its code tells). So the same again with spikes, one input in twenty, as a layer inside
of a spiking network gets. Everyone is checked and takes turns as in `benchmarks.training`, which this is a table of.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import training
from benchmarks.cases import Case
from benchmarks.peers import OURS, PEERS

STEPS, BATCH, DENSITY = 500, 16, 0.05


def cases(size: int) -> dict[str, Case]:
    """What is measured at n = size."""
    return {
        "normal": Case("linear_lif", STEPS, BATCH, size),
        "spikes": Case("linear_lif", STEPS, BATCH, size, density=DENSITY),
        "neurons": Case("lif", STEPS, BATCH, size),
    }


def table(report: dict[str, Any], sizes: Sequence[int], threads: int) -> str:
    """Milliseconds of everyone: the whole, the neurons, and what is left for the product."""
    rows = {(row["case"], row["peer"]): row for row in report["rows"] if row["threads"] == threads}
    clock = "cpu_ms" if threads == 1 else "wall_ms"
    lines = [
        "| n | who | normal input | neurons alone | product | spikes | product with spikes | peak MiB |",
        "|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for size in sizes:
        names = {kind: case.name for kind, case in cases(size).items()}
        for peer in (name for name in PEERS if (names["normal"], name) in rows):
            found = {kind: rows[name, peer][clock] for kind, name in names.items() if (name, peer) in rows}
            if len(found) < len(names):
                continue
            whole, spikes, alone = found["normal"], found["spikes"], found["neurons"]
            peak = rows[names["normal"], peer]["peak_extra_mib"]
            figures = (whole, alone, whole - alone, spikes, spikes - alone)
            shown = " | ".join(f"{figure:,.1f}" for figure in figures)
            lines.append(f"| {size:,} | {peer} | {shown} | {'-' if peak is None else f'{peak:,.0f}'} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None, say: Callable[[str], object] = print) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="512,2048,8192", help="n, with commas between (512,2048,8192)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default="compiled_torch,snntorch,spikingjelly", help="with commas between")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--install", action="store_true", help="make missing environments first")
    parser.add_argument("--json", type=Path, help="where the report goes, with a table beside it")
    chosen = parser.parse_args(arguments)
    sizes = [int(size) for size in chosen.sizes.split(",")]
    report = training.run(
        chosen.json, threads=[chosen.threads], cases=[case for size in sizes for case in cases(size).values()],
        peers=chosen.peers.split(","), rounds=chosen.rounds, memory=not chosen.no_memory, install=chosen.install,
        say=say,
    )  # fmt: skip
    text = table(report, sizes, chosen.threads)
    say(text)
    if chosen.json:
        machine = report["machine"]
        head = (
            f"Linear(n, n) into LIF, batch {BATCH}, T = {STEPS}, forward and backward, {chosen.threads} thread(s) of "
            f"{machine['cpu']}: milliseconds ({'CPU' if chosen.threads == 1 else 'wall'} time, medians). `{OURS}` is "
            "spikelab. The product is what the neurons alone leave of the whole."
        )
        chosen.json.with_suffix(".md").write_text(f"{head}\n\n{text}\n")
    return 1 if report["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())

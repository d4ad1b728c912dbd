"""Whether spikelab's networks fire as the peers' do: five seeds of every network in every simulator.

    python -m benchmarks.simulation.statistics                           all that are installed, about an hour
    python -m benchmarks.simulation.statistics --networks cuba,brunel --simulators spikelab,nest
    python -m benchmarks.simulation.statistics --write benchmarks/results

Runs are kept in a folder (``runs/simulation``), and those that it holds are not run again: delete spikelab's own
(``*-spikelab-*.json``) after a change of the engine. Significance is tested as ``significance.py`` says. The exit
code is not 0 if spikelab differs from a peer.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.environments import ROOT
from benchmarks.machine import describe
from benchmarks.simulation.collect import DURATIONS, SEEDS, collect
from benchmarks.simulation.networks import NETWORKS, WARM_UP
from benchmarks.simulation.significance import LEVEL, Comparison, by_measure, compare, detectable
from benchmarks.simulation.simulators import OURS, PEERS, SIMULATORS, chosen, installed


def report(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Everything that is written: the machine, the runs, comparisons of spikelab with each peer, and of peers."""
    present = [name for name in SIMULATORS if any(run["simulator"] == name for run in runs)]
    peers = [name for name in PEERS if name in present]
    return {
        "machine": describe(),
        "versions": {run["simulator"]: run["versions"] for run in runs},
        "test": f"Welch's t, two-sided, Holm over all comparisons, level {LEVEL}",
        "warm_up_ms": WARM_UP,
        "runs": [
            {key: run[key] for key in ("simulator", "network", "seed", "duration_ms", "spikes", "measures")}
            for run in runs
        ],
        "ours": [asdict(c) for c in compare(runs, [(OURS, name) for name in peers] if OURS in present else [])],
        "peers": [asdict(c) for c in compare(runs, list(combinations(peers, 2)))],
    }


def table(found: dict[str, Any]) -> str:
    """The report in Markdown."""
    runs = found["runs"]
    present = [name for name in SIMULATORS if any(run["simulator"] == name for run in runs)]
    ours = {(c["network"], c["measure"], c["second"]): Comparison(**c) for c in found["ours"]}
    seeds = len({run["seed"] for run in runs})
    lines = [
        "# Statistics of networks beside other simulators",
        "",
        f"Mean ± standard deviation over {seeds} seeds; for peers, in brackets, how far spikelab's mean lies from "
        f"theirs in their standard deviations, and the corrected p. Test: {found['test']}. Rates in Hz. cv: of the "
        "intervals, averaged over neurons. synchrony: variance over mean of the network's spike count in bins of 3 ms. "
        "Bold: differs.",
        "",
        *_summary("spikelab and peers", found["ours"], seeds),
        *_summary("peers among themselves", found["peers"], seeds),
    ]
    values = by_measure(runs)
    for network in dict.fromkeys(name for name, _ in values):
        lines += [
            "",
            f"## {network}, {DURATIONS[network] / 1e3:g} s of which the first {WARM_UP / 1e3:g} s do not count",
        ]
        lines += [
            "",
            "| | " + " | ".join(SIMULATORS[name].title for name in present) + " |",
            "|---" * (len(present) + 1) + "|",
        ]
        for measure in (name for key, name in values if key == network):
            cells = [_cell(values[network, measure].get(n, []), ours.get((network, measure, n))) for n in present]
            lines.append(f"| {measure} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _summary(what: str, comparisons: Sequence[dict[str, Any]], seeds: int) -> list[str]:
    if not comparisons:
        return []
    number = len(comparisons)
    differ = [c for c in comparisons if Comparison(**c).differs]
    low = sum(c["p"] < LEVEL for c in comparisons)
    names = ", ".join(f"{c['network']}: {c['measure']} ({c['first']} / {c['second']})" for c in differ)
    return [
        f"* {what}: {number} comparisons, {len(differ)} differ{': ' + names if names else ''}. Without correction "
        f"{low} have p < {LEVEL:g}, where {LEVEL * number:.0f} would among equals. A difference is seen from "
        f"{detectable(seeds, number):.1f} standard deviations on."
    ]


def _cell(values: Sequence[float], comparison: Comparison | None) -> str:
    if not values:
        return ""
    text = f"{mean(values):.4g}" + (f" ± {stdev(values):.2g}" if len(values) > 1 else "")
    if comparison is None:
        return text
    text += f" ({comparison.effect:+.1f}, p {comparison.corrected:.2g})"
    return f"**{text}**" if comparison.differs else text


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Statistics of networks beside other simulators.")
    parser.add_argument("--simulators", default=",".join(SIMULATORS), help="separated by commas; all by default")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="separated by commas; all by default")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "simulation", help="where runs are kept")
    parser.add_argument("--write", type=Path, help="folder for simulation_statistics.json and .md")
    given = parser.parse_args(arguments)
    names = chosen(parser, "simulator", given.simulators, SIMULATORS)
    networks = chosen(parser, "network", given.networks, NETWORKS)
    found = report(collect(installed(names), networks, SEEDS, given.folder))
    text = table(found)
    print(text)
    if given.write:
        (given.write / "simulation_statistics.json").write_text(json.dumps(found, indent=1) + "\n")
        (given.write / "simulation_statistics.md").write_text(text)
    return int(any(Comparison(**c).differs for c in found["ours"]))


if __name__ == "__main__":
    sys.exit(main())

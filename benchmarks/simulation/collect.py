"""Runs networks over seeds and keeps each run in a file, so that an interrupted collection goes on where it stopped.

python -m benchmarks.simulation.collect --simulators nest,brian2,genn --folder runs
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.session import WorkerFailed
from benchmarks.simulation.networks import NETWORKS
from benchmarks.simulation.simulators import SIMULATORS, SimulatorSession, chosen, installed

#: Biological ms of a run for the statistics, of which the first ``networks.WARM_UP`` are not counted.
DURATIONS = {name: 2200.0 for name in NETWORKS} | {"brunel": 1200.0, "brunel_stdp": 500.0}
SEEDS = (1, 2, 3, 4, 5)


def collect(
    simulators: Sequence[str], networks: Sequence[str], seeds: Sequence[int], folder: Path
) -> list[dict[str, Any]]:
    """Runs what the folder does not hold yet, one run at a time; gives all of them. Failures are told and left out."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = []
    for network in networks:
        for seed in seeds:
            for simulator in simulators:
                path = folder / f"{network}-{simulator}-{seed}.json"
                if not path.exists():
                    try:
                        found = run_once(simulator, network, seed)
                    except WorkerFailed as error:
                        print(f"error: {error}", file=sys.stderr)
                        continue
                    path.write_text(json.dumps(found, indent=2) + "\n")
                    print(path.name, " ".join(f"{k} {v:.4g}" for k, v in found["measures"].items()), flush=True)
                runs.append(json.loads(path.read_text()))
    return runs


def run_once(simulator: str, network: str, seed: int) -> dict[str, Any]:
    """One run on one thread.

    Raises:
        WorkerFailed: if the simulator fails.
    """
    with SimulatorSession(simulator, 1) as session:
        timed = session.prepare(network, seed, DURATIONS[network], settle=False)
        told = {"simulator": simulator, "network": network, "seed": seed, "duration_ms": DURATIONS[network]}
        return told | {"versions": session.versions} | timed | session.ask("collect")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Run the networks over seeds and keep what they give.")
    parser.add_argument("--simulators", default=",".join(SIMULATORS), help="separated by commas; all by default")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="separated by commas; all by default")
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args(arguments)
    names = chosen(parser, "simulator", given.simulators, SIMULATORS)
    networks = chosen(parser, "network", given.networks, NETWORKS)
    collect(installed(names), networks, SEEDS, given.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

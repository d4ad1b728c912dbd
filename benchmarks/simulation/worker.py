"""The process that runs one simulator in its own environment: one JSON object a line in, one a line out.

    {"do": "hello"}                                   -> versions of what computes
    {"do": "prepare", "network": ..., "seed": ...,
     "duration": ms, "threads": ..., "settle": ...}   build, compile, simulate once -> times, memory
    {"do": "advance"}                                 simulate the duration again   -> times
    {"do": "collect"}                                 comes last                    -> spikes and measures

With "settle" the first duration is one to warm up; without it, "collect" is told of that first one. What goes wrong
comes back as {"error": traceback}. Needs the simulator and NumPy, nothing of spikelab (but for spikelab's own).
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

# run as a file; the checkout goes to the end of the path, so that its folders stand in for no other package
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]
sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks import memory  # noqa: E402
from benchmarks.simulation.networks import NETWORKS  # noqa: E402
from benchmarks.simulation.outcome import Outcome, Running, describe, times  # noqa: E402


class Worker:
    """Serves one simulator.

    Args:
        name: of the module ``<name>_networks`` that builds the networks.
    """

    def __init__(self, name: str):
        self.adapter = importlib.import_module(f"benchmarks.simulation.{name}_networks")
        self.outcome = Outcome()
        self.running: Running | None = None

    def hello(self) -> dict[str, Any]:
        """Versions."""
        return {"python": sys.version.split()[0], **self.adapter.versions()}

    def prepare(self, network: str, seed: int, duration: float, threads: int, settle: bool) -> dict[str, Any]:
        """Builds, compiles and simulates once, watching memory; ``duration`` in ms."""
        self.network, self.duration, self.outcome = NETWORKS[network], duration, Outcome()

        def work() -> None:
            self.running = self.adapter.prepare(self.network, seed, duration, threads, settle, self.outcome)
            self.running.advance()

        extra = memory.peak_extra(work) if memory.is_supported() else work()
        if self.outcome.peak_extra_bytes is None:
            self.outcome.peak_extra_bytes = extra
        return times(self.outcome)

    def advance(self) -> dict[str, Any]:
        """Simulates once more."""
        assert self.running is not None, "prepare first"
        self.running.advance()
        return times(self.outcome)

    def collect(self) -> dict[str, Any]:
        """Spikes and measures."""
        assert self.running is not None, "prepare first"
        self.running.collect()
        self.running = None
        return describe(self.network, self.outcome, self.duration)


def main() -> int:
    """Serves until the input ends."""
    # simulators print, in C++ too; answers have a stream of their own
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    worker: Worker | None = None
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            worker = worker or Worker(sys.argv[1])
            found = getattr(worker, asked.pop("do"))(**asked)
        except Exception:
            found = {"error": traceback.format_exc()}
        answers.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Which simulators are compared, their environments, and how one run is asked for.

    python -m benchmarks.simulation.simulators                    make all environments that are missing
    python -m benchmarks.simulation.simulators nest brian2        some
    GENN_SOURCE=~/genn python -m benchmarks.simulation.simulators genn     from a copy of GeNN's source at 5.4.0

Each lies in ``.venv-peers/<name>``; ``benchmarks/environments.py`` makes and checks them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.environments import FOLDER, NotInstalled, _fingerprint, interpreter, is_ready, make
from benchmarks.peers import Peer
from benchmarks.session import Session

WORKER = Path(__file__).parent / "worker.py"
OURS = "spikelab"
#: Variables that would change an interpreter, an allocator or a number of threads.
_DROPPED = ("PYTHON", "MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "OMP_", "KMP_", "MKL_", "GOMP_", "CXX")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Simulator(Peer):
    """A simulator to compare with.

    Attributes:
        title: for tables.
        most_threads: with how many threads it can run a network; 0 for no limit.
        source: what pip installs where no package index has it; empty otherwise.
    """

    title: str = ""
    most_threads: int = 0
    source: str = ""

    @property
    def package(self) -> str:
        """What pip installs, pinned; empty for what needs no environment of its own."""
        return self.source or super().package


_GENN = "https://github.com/genn-team/genn/archive/refs/tags/5.4.0.zip"

SIMULATORS = {
    simulator.name: simulator
    for simulator in (
        Simulator(OURS, "spikelab", framework=False, title="spikelab"),
        Simulator("nest", "nest-simulator", "3.10.0", title="NEST"),
        Simulator("brian2", "brian2", "2.9.0", title="Brian2 (C++)"),
        Simulator("genn", "pygenn", "5.4.0", title="GeNN (CPU)", most_threads=1, source=_GENN),
    )
}
PEERS = tuple(name for name in SIMULATORS if name != OURS)


def chosen(parser: argparse.ArgumentParser, what: str, text: str, known: Collection[str]) -> list[str]:
    """Names that were given on a command line, separated by commas; ends the program over one that is not known."""
    names = text.split(",")
    if unknown := [name for name in names if name not in known]:
        parser.error(f"unknown {what} {', '.join(unknown)}; known are {', '.join(known)}")
    return names


def installed(names: Sequence[str], say: Callable[[str], object] = print) -> list[str]:
    """Those whose environment is there; says which are not and what to do."""
    found = [name for name in names if is_ready(SIMULATORS[name])]
    for name in names:
        if name not in found:
            say(f"{name}: left out, no environment; run 'python -m benchmarks.simulation.simulators {name}'")
    return found


class SimulatorSession(Session):
    """One simulator in a process of its own; ``worker.py`` says what it can be asked.

    Args:
        name: of the simulator.
        threads: at most; a simulator that cannot gets fewer.

    Raises:
        NotInstalled: if its environment is missing.
        WorkerFailed: if it cannot be imported.
    """

    def __init__(self, name: str, threads: int):
        self.peer = simulator = SIMULATORS[name]
        self.threads = min(threads, simulator.most_threads) if simulator.most_threads else threads
        self._said = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [str(interpreter(simulator)), str(WORKER), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            bufsize=1,
            env=_environment(os.environ, self.threads),
        )
        try:
            self.versions = self.ask("hello")
        except BaseException:
            self.close()
            raise

    def prepare(self, network: str, seed: int, duration: float, settle: bool) -> dict[str, Any]:
        """Builds a network of ``networks.NETWORKS`` and simulates it for ``duration`` ms, to warm up if ``settle``."""
        given = {"network": network, "seed": seed, "duration": duration, "threads": self.threads, "settle": settle}
        return self.ask("prepare", **given)


def make_from(simulator: Simulator, source: str) -> None:
    """Makes the environment from another place than the registered one, which has to hold the same version.

    Raises:
        NotInstalled: if pip fails.
    """
    make(replace(simulator, source=source))
    (FOLDER / simulator.name / "ready").write_text(_fingerprint(simulator))


def _environment(given: Mapping[str, str], threads: int) -> dict[str, str]:
    kept = {name: value for name, value in given.items() if not name.startswith(_DROPPED)}
    return kept | dict.fromkeys(_THREADS, str(threads))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make the environments of the simulators to compare with.")
    parser.add_argument("simulators", nargs="*", metavar="simulator", help=f"all by default: {', '.join(PEERS)}")
    names = parser.parse_args(arguments).simulators or PEERS
    if unknown := [name for name in names if name not in PEERS]:
        parser.error(f"unknown simulator {', '.join(unknown)}; known are {', '.join(PEERS)}")
    failed = False
    for name in names:
        try:
            if name == "genn" and "GENN_SOURCE" in os.environ and not is_ready(SIMULATORS[name]):
                make_from(SIMULATORS[name], os.environ["GENN_SOURCE"])
            make(SIMULATORS[name])
        except NotInstalled as error:
            print(f"error: {error}", file=sys.stderr)
            failed = True
        else:
            print(f"{name}: ready")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

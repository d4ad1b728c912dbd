"""Another library in a process of its own: it is sent commands and answers each, as lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.environments import interpreter
from benchmarks.peers import Peer

_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class PeerProcess:
    """Runs ``benchmarks/peers/<worker>`` with the peer's own Python, on one thread.

    Args:
        peer: whose environment it is.
        worker: name of the file.

    Raises:
        NotInstalled: if the environment is missing or out of date.
    """

    def __init__(self, peer: Peer, worker: str):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | _THREADS
        path = Path(__file__).parent / "peers" / worker
        self._process = subprocess.Popen(
            [str(interpreter(peer)), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Sends a command and waits for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer's process ended with {self._process.wait()} at {do!r}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Ends it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

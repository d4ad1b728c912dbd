"""Another library in a process of its own: it is sent commands and answers each, as lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class PeerProcess:
    """Runs ``benchmarks/peers/<worker>`` with another Python, on one thread.

    Args:
        python: that has the library.
        worker: name of the file.
        quiet: whether what it writes to standard error is of no interest.
    """

    def __init__(self, python: Path, worker: str, quiet: bool = False):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | _THREADS
        self._process = subprocess.Popen(
            [str(python), str(Path(__file__).parent / "peers" / worker)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
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

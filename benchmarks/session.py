"""The parent's side of a worker: starts it with pinned threads, asks, and notices when it dies."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from types import TracebackType
from typing import Any

from benchmarks.environments import ROOT, interpreter
from benchmarks.peers import Peer

# the checkout goes to the end of the path, so that its ./datasets never stands in for another package of that name
_START = "import sys; sys.path.append(sys.argv[1]); from benchmarks.worker import main; main(sys.argv[2:])"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
#: Variables that change the allocator or the interpreter; everyone runs with the system's defaults.
_DROPPED = ("PYTHON", "MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "THP_", "OMP_", "KMP_", "MKL_", "GOMP_")


class WorkerFailed(RuntimeError):
    """The framework raised or its process died; the message says what it said."""


class Session:
    """One framework in a process of its own.

    Args:
        peer: the framework.
        threads: for torch, OpenMP and Numba alike.

    Raises:
        NotInstalled: if its environment is missing.
        WorkerFailed: if it cannot be imported.
    """

    def __init__(self, peer: Peer, threads: int):
        self.peer = peer
        environment = {k: v for k, v in os.environ.items() if not k.startswith(_DROPPED)}
        environment |= dict.fromkeys(_THREAD_VARIABLES, str(threads))
        self._said = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [str(interpreter(peer)), "-P", "-c", _START, str(ROOT), peer.name, peer.distribution, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            bufsize=1,
            env=environment,
        )
        try:
            self.versions = self.ask("hello")
        except BaseException:
            self.close()
            raise

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Sends a command and waits for its answer.

        Raises:
            WorkerFailed: if the framework raises or the process has died (out of memory, say).
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self._process.wait()
            self._said.seek(0)
            raise WorkerFailed(
                f"{self.peer.name}: the process ended with {code} at {do!r}\n{self._said.read()[-2000:]}"
            )
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerFailed(f"{self.peer.name}: {do!r} failed\n{answer['error']}")
        return answer

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._said.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

"""How many threads to run with: as many as make the present activity faster, found by trying."""

from __future__ import annotations

import os

from numba import config

#: Seconds of work in a block below which a second thread cannot pay for the waiting.
_SHORTEST_BLOCK = 20e-6
#: Seconds of a turn below which its time says nothing yet: caches are cold, and clocks coarse.
_SHORTEST_TURN = 2e-3
#: What more threads have to gain to be worth their cores.
_GAIN = 0.95
#: Turns after which the choice is looked at again: activity changes.
_TRUST = 64


def available_threads() -> int:
    """Cores that this process may use, bounded by NUMBA_NUM_THREADS."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, int(config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]


class Team:
    """Chooses the number of threads for the next turn from how long turns took. Results do not depend on it.

    Args:
        threads: a fixed number, or None to choose.
    """

    def __init__(self, threads: int | None):
        if threads is not None and threads < 1:
            raise ValueError(f"threads = {threads} must be at least 1")
        self._fixed = threads
        self._most = threads or available_threads()
        self._seconds: dict[int, float] = {}
        self._turns = 0

    def choose(self) -> int:
        """Threads for the next turn."""
        if self._fixed is not None or self._most == 1:
            return self._most
        if 1 not in self._seconds:
            return 1
        if self._seconds[1] < _SHORTEST_BLOCK:
            return 1
        if self._most not in self._seconds:
            return self._most
        return self._most if self._seconds[self._most] < _GAIN * self._seconds[1] else 1

    def took(self, threads: int, seconds: float, blocks: float) -> None:
        """Tells how long a turn of so many blocks took."""
        if seconds < _SHORTEST_TURN:
            return
        self._turns += 1
        if self._turns % _TRUST == 0:
            self._seconds.clear()
        self._seconds[threads] = seconds / max(1.0, blocks)

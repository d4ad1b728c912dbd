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

    Numbers are tried from one up, doubling, as long as each is worth more than the last.

    Args:
        threads: a fixed number, or None to choose.

    Attributes:
        fixed: the number that was given.
    """

    def __init__(self, threads: int | None):
        if threads is not None and threads < 1:
            raise ValueError(f"threads = {threads} must be at least 1")
        self.fixed = threads
        most = available_threads()
        self._candidates = sorted({most, *(1 << k for k in range(most.bit_length()))})
        self._seconds: dict[int, float] = {}
        self._turns = 0

    def choose(self) -> int:
        """Threads for the next turn."""
        if self.fixed is not None:
            return self.fixed
        tried = [each for each in self._candidates if each in self._seconds]
        if not tried or self._seconds[1] < _SHORTEST_BLOCK:
            return 1
        best = 1
        for each in tried:
            if self._seconds[each] < _GAIN * self._seconds[best]:
                best = each
        untried = self._candidates[len(tried) :]
        return untried[0] if untried and best == tried[-1] else best

    def took(self, threads: int, seconds: float, blocks: float) -> None:
        """Tells how long a turn of so many blocks took."""
        if seconds < _SHORTEST_TURN:
            return
        self._turns += 1
        if self._turns % _TRUST == 0:
            self._seconds.clear()
        else:
            # the machine's other work only ever adds time, so the shortest is the truest
            found = seconds / max(1.0, blocks)
            self._seconds[threads] = min(found, self._seconds.get(threads, found))

"""How many threads to run with: as many as make the present activity faster, found by trying."""

from __future__ import annotations

import os
from collections import deque
from statistics import median_low

from numba import config

#: Seconds of work in a block below which a second thread cannot pay for the waiting.
_SHORTEST_BLOCK = 20e-6
#: Seconds of a turn below which its time says nothing yet: caches are cold, and clocks coarse.
_SHORTEST_TURN = 2e-3
#: What more threads have to gain to be worth their cores.
_GAIN = 0.95
#: Turns by which a number of threads is judged: the lower median of its latest ones, as the machine's other work only
#: ever adds time, though a lucky one must not outweigh the rest. It is tried so often before it is judged at all, as
#: the first turn on cold caches tells little.
_JUDGED_BY, _TRIALS = 3, 2
#: Turns after which another number is tried again: activity changes, and so does what else the machine does. Soon after
#: a choice, which a passing disturbance may have made, then each time twice as late while the choice proves right.
_SOONEST, _LATEST = 2, 32


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
        self._seconds: dict[int, deque[float]] = {each: deque(maxlen=_JUDGED_BY) for each in self._candidates}
        self._turns, self._tried_again = 0, 0
        self._best, self._patience, self._next_trial = 1, _SOONEST, 0

    def choose(self) -> int:
        """Threads for the next turn."""
        if self.fixed is not None:
            return self.fixed
        judged = self._judged()
        if not judged or self._usual(1) < _SHORTEST_BLOCK:
            return 1
        following = self._candidates[len(judged) : len(judged) + 1]
        if following and self._best == judged[-1]:
            return following[0]
        # only its neighbours: one thread in place of sixteen would make a turn very long
        place = judged.index(self._best)
        others = judged[max(0, place - 1) : place] + judged[place + 1 : place + 2]
        if others and self._turns >= self._next_trial:
            return others[self._tried_again % len(others)]
        return self._best

    def took(self, threads: int, seconds: float, blocks: float) -> None:
        """Tells how long a turn of so many blocks took."""
        if self.fixed is not None or seconds < _SHORTEST_TURN:
            return
        self._turns += 1
        self._seconds[threads].append(seconds / max(1.0, blocks))
        before, self._best = self._best, self._fastest()
        if self._best != before:
            self._patience = _SOONEST
        elif threads != before and self._turns > self._next_trial:
            if self._seconds[threads][-1] < _GAIN * self._usual(before):
                return  # promising: it is tried once more
            self._patience = min(2 * self._patience, _LATEST)
            self._tried_again += 1
        else:
            return
        self._next_trial = self._turns + self._patience

    def _judged(self) -> list[int]:
        return [each for each in self._candidates if len(self._seconds[each]) >= _TRIALS]

    def _fastest(self) -> int:
        """The smallest number that no larger one beats by enough to be worth its cores."""
        best = 1
        for each in self._judged():
            if self._usual(each) < _GAIN * self._usual(best):
                best = each
        return best

    def _usual(self, threads: int) -> float:
        """Seconds of a block with so many threads."""
        return median_low(self._seconds[threads])

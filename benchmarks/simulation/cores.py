"""What more threads can gain on this machine at all: some machines lend the two halves of one core as two.

``python -m benchmarks.simulation.cores`` prints it ten times.
"""

from __future__ import annotations

import threading
import time
from statistics import median
from typing import Any

import numpy as np
from numba import njit

#: Turns of the loop: about 15 ms.
_TURNS = 15_000_000


@njit(nogil=True)
def _work(turns: int, memory: Any) -> float:
    """Arithmetic on 64 kB of a thread's own."""
    x = 1.0
    for turn in range(turns):
        memory[(turn * 7919) & 16383] += x
        x = memory[(turn * 217) & 16383] * 0.5 + 1.0
    return x


def gain(threads: int, rounds: int = 20) -> float:
    """How much more unrelated work so many threads do in a time than one: ``threads`` if each has a core to itself.

    Args:
        threads: how many.
        rounds: of one thread and all in turns; the median counts.
    """
    memories = [np.zeros(16384, np.float32) for _ in range(threads)]
    _work(1, memories[0])
    found = []
    for _ in range(rounds):
        alone = _seconds(memories[:1])
        found.append(threads * alone / _seconds(memories))
    return median(found)


def _seconds(memories: list[np.ndarray]) -> float:
    team = [threading.Thread(target=_work, args=(_TURNS, memory)) for memory in memories[1:]]
    begun = time.perf_counter()
    for thread in team:
        thread.start()
    _work(_TURNS, memories[0])
    for thread in team:
        thread.join()
    return time.perf_counter() - begun


if __name__ == "__main__":
    for _ in range(10):
        print(f"two threads of unrelated work do {gain(2):.2f} times that of one")

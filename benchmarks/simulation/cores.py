"""What the two cores of this machine are at the moment: whether there are two, and how near to each other.

``python -m benchmarks.simulation.cores`` prints both ten times. On a virtual machine they change by the second: the
host may run two virtual cores on one, or far apart. A number that one core writes and another reads then takes 170 ns
instead of 30 (measured on the machine of the committed results), and threads that work on one network pay for that.
"""

from __future__ import annotations

import ctypes
import threading
import time
from functools import cache
from statistics import median
from typing import Any

import numpy as np
from numba import cfunc, njit

from spikelab.kernels.native import ENTRY
from spikelab.kernels.threads import run_team
from spikelab.sim.numba_engine.native import add_and_get, read_shared, write_shared

#: Turns of the loop: about 15 ms.
_TURNS = 15_000_000
#: Numbers that a thread works on (64 kB), and how far apart two threads' lie: no cache line of one is near the other's.
_OWN, _APART = 1 << 14, 1 << 20
#: Round trips between two cores that are timed: about a millisecond.
_TRIPS = 5000
#: Nanoseconds from core to core below which they share a cache.
NEAR = 80.0


@njit(nogil=True)
def _work(turns: int, memory: Any) -> float:
    """Arithmetic on memory of a thread's own."""
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
    memory = np.zeros(threads * _APART, np.float32)
    memories = [memory[k * _APART : k * _APART + _OWN] for k in range(threads)]
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


@cache
def _ping_pong() -> Any:
    @cfunc(ENTRY)
    def enter(table: Any) -> None:
        own = add_and_get(table, 16) - 1
        for trip in range(table[32]):
            while read_shared(table, 0) != 2 * trip + own:
                pass
            write_shared(table, 0, 2 * trip + own + 1)

    return enter


def distance(rounds: int = 5) -> float:
    """Nanoseconds until a number that one core wrote has reached another one; the median of some rounds."""
    found = []
    for _ in range(rounds):
        table = (ctypes.c_int64 * 48)()
        table[32] = _TRIPS
        begun = time.perf_counter()
        run_team(_ping_pong().address, table, 2)
        found.append((time.perf_counter() - begun) / (2 * _TRIPS) * 1e9)
    return median(found)


if __name__ == "__main__":
    for _ in range(10):
        print(f"two threads do {gain(2):.2f} times the work of one; from core to core in {distance():.0f} ns")

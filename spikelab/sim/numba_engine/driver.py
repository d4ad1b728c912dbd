"""The loop over time: compiled once for all networks, entered by every thread, left when the steps are done.

Time is cut into blocks no longer than the shortest delay, so that within a block no spike can reach anything. In a
block each thread first brings its own neurons through all of the block's steps (``advance`` operations), waits for the
others, then takes every spike of the block to its own targets, step by step (``deliver`` operations), and waits again.
No two threads ever write to the same place, and sums run in an order that does not depend on how many threads there are
(Morrison et al. 2005, Neural Computation 17, for the scheme).
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numba import cfunc, njit

from spikelab.kernels.native import ENTRY, array_at
from spikelab.kernels.threads import run_team
from spikelab.sim.numba_engine.native import (
    add_and_get,
    call_kernel,
    call_yield,
    flush_denormals,
    read_shared,
    restore_denormals,
    write_shared,
)

#: Entries of the driver's table. Those that threads change lie in cache lines of their own.
ENTERED, ARRIVED, STOP, REACHED = 0, 8, 16, 24
THREADS, FIRST, LAST, BLOCK, YIELD = 32, 33, 34, 35, 36
ADVANCE, ADVANCES, DELIVER, DELIVERS = 37, 38, 39, 40
SIZE = 48


@dataclass(frozen=True)
class Operation:
    """A kernel and what it works on.

    Attributes:
        kernel: its address.
        table: sizes and addresses of arrays; Python may change entries between runs of the driver.
        arrays: what keeps the memory behind the addresses.
    """

    kernel: int
    table: np.ndarray
    arrays: tuple[np.ndarray, ...]


#: Looks at the counter before a waiting thread lets others run: about a microsecond.
_SPINS = 400


@njit(nogil=True)
def _wait(table: Any, goal: int) -> None:
    """Counts this thread in and returns when ``goal`` threads have been counted since the driver was entered."""
    if add_and_get(table, ARRIVED) >= goal:
        return
    spins = 0
    while read_shared(table, ARRIVED) < goal:
        spins += 1
        if spins > _SPINS:
            call_yield(table[YIELD])


@cache
def _driver() -> Any:
    @cfunc(ENTRY, cache=True)
    def enter(table: Any) -> None:
        thread = add_and_get(table, ENTERED) - 1
        setting = flush_denormals()
        threads, step, last, block = table[THREADS], table[FIRST], table[LAST], table[BLOCK]
        advance = array_at(table[ADVANCE], (table[ADVANCES], 2), np.int64)
        deliver = array_at(table[DELIVER], (table[DELIVERS], 2), np.int64)
        goal = 0
        while step < last:
            # blocks lie on a fixed grid, so that a run in two parts cuts time as one run does
            stop = min(last, (step // block + 1) * block)
            for now in range(step, stop):
                for k in range(advance.shape[0]):
                    call_kernel(advance[k, 0], advance[k, 1], thread, now)
            goal += threads
            _wait(table, goal)
            for now in range(step, stop):
                for k in range(deliver.shape[0]):
                    call_kernel(deliver[k, 0], deliver[k, 1], thread, now)
            goal += threads
            _wait(table, goal)
            step = stop
            if read_shared(table, STOP) != 0:
                break
        if thread == 0:
            write_shared(table, REACHED, step)
        restore_denormals(setting)

    return enter


@cache
def _yield_address() -> int:
    """Address of the function by which a waiting thread gives its core to another one."""
    windows = sys.platform == "win32"
    library: Any = ctypes.WinDLL("kernel32") if windows else ctypes.CDLL(None)  # type: ignore[attr-defined,unused-ignore]
    function = library.SwitchToThread if windows else library.sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class Operations:
    """A list of kernels with their tables, as the driver reads it.

    Args:
        operations: (kernel, table) pairs in the order in which each step runs them.
    """

    def __init__(self, operations: Sequence[Operation]):
        self.operations = list(operations)
        pairs = [(each.kernel, each.table.ctypes.data) for each in operations]
        self.array = np.array(pairs, np.int64).reshape(len(pairs), 2)


class Driver:
    """Runs lists of operations over time.

    Attributes:
        control: the driver's own table; a kernel that is given its address may ask for the end with ``STOP``.
    """

    def __init__(self) -> None:
        self._memory = (ctypes.c_int64 * SIZE)()
        self.control = np.ctypeslib.as_array(self._memory)

    def run(self, advance: Operations, deliver: Operations, first: int, last: int, block: int, threads: int) -> int:
        """Runs steps ``first`` to ``last`` and returns the step reached: ``last``, unless a kernel asked to stop.

        Args:
            advance: what each step does to the neurons.
            deliver: what takes its spikes to their targets.
            first: first step.
            last: step before which to end.
            block: steps of a block: the shortest delay.
            threads: threads that run it, the calling one among them.
        """
        control = self.control
        control[:] = 0
        control[[THREADS, FIRST, LAST, BLOCK, YIELD]] = threads, first, last, block, _yield_address()
        control[[ADVANCE, ADVANCES]] = advance.array.ctypes.data, len(advance.array)
        control[[DELIVER, DELIVERS]] = deliver.array.ctypes.data, len(deliver.array)
        run_team(_driver().address, self._memory, threads)
        return int(control[REACHED])

"""What a compiled kernel needs so that any thread can run it without Python: arrays at addresses, and a shared counter.

A kernel's entry point takes one argument, the address of a table of whole numbers: two counters, sizes, and addresses
of memory. Each thread that enters claims pieces of the work until none is left.
"""

from __future__ import annotations

import ctypes
import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, types
from numba.extending import intrinsic, overload

logger = logging.getLogger("spikelab.kernels")

#: A C function that takes the address of a table.
ENTRY = types.void(types.CPointer(types.int64))
#: Places in every table: how many pieces of work are claimed, and how many threads have entered.
CLAIMED, ENTERED = 0, 1


def entry(what: str) -> Callable[[Callable[[Any], None]], Any]:
    """Compiles an entry point, or loads it, and says why that took so long.

    Args:
        what: the kernels are, for whoever waits.
    """

    def compile(function: Callable[[Any], None]) -> Any:
        started = time.perf_counter()
        made = cfunc(ENTRY, cache=True)(function)
        if not made.cache_hits:
            logger.warning("compiled %s in %.1f s, once", what, time.perf_counter() - started)
        return made

    return compile


def table_of(*numbers: int) -> Any:
    """A table: the two counters at zero, then the numbers."""
    return (ctypes.c_int64 * (2 + len(numbers)))(0, 0, *numbers)


def claim(table: Any, place: int) -> int:
    """Takes the next number of a counter, never the same one twice, whichever threads ask."""
    number: int = table[place]
    table[place] = number + 1
    return number


def array_at(address: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """The array [shape] that lies at an address."""
    element = ctypes.c_float if dtype is np.float32 else ctypes.c_double
    if 0 in shape:
        return np.empty(shape, dtype)
    return np.ctypeslib.as_array(ctypes.cast(address, ctypes.POINTER(element)), shape)


@intrinsic
def _pointer(typing: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.PointerType(ir.IntType(8)))

    return types.voidptr(types.int64), generate


@intrinsic
def _add_at(typing: Any, table: Any, place: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.gep(arguments[0], [arguments[1]])
        return builder.atomic_rmw("add", pointer, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(types.CPointer(types.int64), types.int64), generate


@overload(claim, strict=False)
def _claim(table: Any, place: Any) -> Any:
    return lambda table, place: _add_at(table, place)  # type: ignore[call-arg]


@overload(array_at, strict=False)
def _array_at(address: Any, shape: Any, dtype: Any) -> Any:
    return lambda address, shape, dtype: carray(_pointer(address), shape, dtype)  # type: ignore[call-arg]

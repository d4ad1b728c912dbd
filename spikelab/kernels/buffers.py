"""Keeps large buffers between training steps.

The system gives every large block of memory as fresh pages that it must clear first; at the sizes of a spiking layer
that costs several times the kernel itself. A buffer handed out here returns to the pool when the last tensor that
uses it is gone, and the next step takes it again.
"""

from __future__ import annotations

import math
import os
import threading
from collections import OrderedDict

import numpy as np
import torch
from torch import Tensor

#: Smaller tensors are left to torch, whose allocator reuses them anyway.
SMALLEST = 1 << 20
_ALIGNMENT = 64
_NUMPY = {torch.float32: np.dtype(np.float32).str, torch.float64: np.dtype(np.float64).str}


class _Loan:
    """A block while it is lent; its end gives the block back."""

    __slots__ = ("__array_interface__", "_block", "_pool")

    def __init__(self, pool: BufferPool, block: np.ndarray, shape: tuple[int, ...], dtype: str):
        self._pool, self._block = pool, block
        address = block.__array_interface__["data"][0]
        start = address + -address % _ALIGNMENT
        self.__array_interface__ = {"version": 3, "shape": tuple(shape), "typestr": dtype, "data": (start, False)}

    def __del__(self) -> None:
        self._pool._give_back(self._block)


class BufferPool:
    """Free blocks by size; the longest unused ones are given back when the limit is passed."""

    def __init__(self, limit: int):
        self.limit = limit
        # loans may end inside any allocation of the same thread, hence re-entrant
        self._lock = threading.RLock()
        self._free: OrderedDict[int, np.ndarray] = OrderedDict()
        self._kept = 0

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """An uninitialised CPU tensor [shape], from the pool where one fits."""
        count = math.prod(shape)
        size = count * dtype.itemsize
        if size < SMALLEST or dtype not in _NUMPY:
            return torch.empty(shape, dtype=dtype)
        # the tensor's storage holds the array, and that its loan
        return torch.from_numpy(np.asarray(_Loan(self, self._take(size), shape, _NUMPY[dtype])))

    def _take(self, size: int) -> np.ndarray:
        with self._lock:
            for key, block in self._free.items():
                # a block much larger than needed stays for whom it fits
                if size + _ALIGNMENT <= block.nbytes <= size + _ALIGNMENT + size // 8:
                    del self._free[key]
                    self._kept -= block.nbytes
                    return block
        return np.empty(size + _ALIGNMENT, np.uint8)

    def _give_back(self, block: np.ndarray) -> None:
        with self._lock:
            self._free[id(block)] = block
            self._kept += block.nbytes
            while self._kept > self.limit:
                _, oldest = self._free.popitem(last=False)
                self._kept -= oldest.nbytes

    @property
    def kept_bytes(self) -> int:
        """Bytes that lie ready in the pool."""
        return self._kept

    def clear(self) -> None:
        """Gives all free blocks back to the system."""
        with self._lock:
            self._free.clear()
            self._kept = 0

    def after_fork(self) -> None:
        """A child process must not wait for a lock that a thread of its parent held."""
        self._lock = threading.RLock()


def _limit_from_environment() -> int:
    text = os.environ.get("SPIKELAB_BUFFER_MIB", "2048")
    if not text.isdecimal():
        raise ValueError(f"SPIKELAB_BUFFER_MIB = {text!r} must be a whole number of MiB (0 keeps no buffers)")
    return int(text) << 20


def _teach_allocator() -> None:
    """Frees one large block that was never touched.

    The GNU C library learns from blocks that are freed: from then on it keeps blocks of that size, up to 32 MiB, and
    does not ask the system for fresh pages each time. A program whose large blocks lie in a pool frees none, and what
    torch allocates itself, for convolutions above all, would come as fresh pages in every step.
    """
    np.empty((32 << 20) - (1 << 16), np.uint8)


_teach_allocator()
#: The pool that the CPU kernels use. ``SPIKELAB_BUFFER_MIB`` limits what it keeps (default 2048).
pool = BufferPool(_limit_from_environment())
os.register_at_fork(after_in_child=pool.after_fork)

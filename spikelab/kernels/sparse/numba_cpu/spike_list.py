"""Which elements of a tensor are not zero: one bit each, and the values where they are not all the same.

Spikes take 32 times less memory that way than as float32, so this is what is kept for the backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import isfinite
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from spikelab.kernels.native import CLAIMED, array_at, claim, entry, table_of
from spikelab.kernels.numba_pipeline import NoAliasCompiler
from spikelab.kernels.sparse.numba_cpu.bits import bits_set, lowest_bit
from spikelab.kernels.threads import PARALLEL_FROM, run_on_threads

WORD = 64
DTYPES = {torch.float32: np.float32, torch.float64: np.float64}
#: Lists are filled up to a multiple of this, with a place that holds zero: so many rows are added at once.
GROUP = 8
#: Elements that a thread takes at once.
_GRAIN = 1 << 14
_INDEX: Any = np.uintp
_LONG: Any = np.uint64
_WORD, _ONE = _INDEX(WORD), _LONG(1)

_jit = njit(nogil=True, error_model="numpy", pipeline_class=NoAliasCompiler)


@_jit
def _pack(x: Any, bits: Any, counts: Any, seen: Any, first: int, last: int) -> None:
    """Bits and counts of rows; of each row the first value that is not zero, and whether there are others."""
    columns = _INDEX(x.shape[1])
    for r in range(first, last):
        count = _LONG(0)
        for w in range(_INDEX(bits.shape[1])):
            start = w * _WORD
            word = _LONG(0)
            if start + _WORD <= columns:
                # a fixed number of turns: the compiler makes a handful of vector instructions of it
                for j in range(_WORD):
                    word |= _LONG(x[r, start + j] != 0) << _LONG(j)
            else:
                for j in range(columns - start):
                    word |= _LONG(x[r, start + j] != 0) << _LONG(j)
            bits[r, w] = word
            if count == 0 and word != _LONG(0):
                seen[r, 0] = x[r, start + _INDEX(lowest_bit(word))]
            count += bits_set(word)
            while word != _LONG(0):
                # not a number differs from itself, and so counts as another value
                if x[r, start + _INDEX(lowest_bit(word))] != seen[r, 0]:
                    seen[r, 1] = 1
                word &= word - _ONE
        counts[r] = count


@_jit
def _collect(x: Any, bits: Any, starts: Any, values: Any, first: int, last: int) -> None:
    """The values that are not zero, row after row."""
    for r in range(first, last):
        at = _INDEX(starts[r])
        for w in range(_INDEX(bits.shape[1])):
            word = bits[r, w]
            while word != _LONG(0):
                values[at] = x[r, w * _WORD + _INDEX(lowest_bit(word))]
                at += _INDEX(1)
                word &= word - _ONE


@cache
def _pack_entry(dtype: Any) -> Any:
    @entry("the packing of spikes")
    def enter(table: Any) -> None:
        rows, columns, words, grain, collects = table[2], table[3], table[4], table[5], table[6]
        x = array_at(table[7], (rows, columns), dtype)
        bits = array_at(table[8], (rows, words), np.uint64)
        counts = array_at(table[9], (rows,), np.int64)
        while True:
            first = claim(table, CLAIMED) * grain
            if first >= rows:
                break
            last = min(rows, first + grain)
            if collects:
                _collect(x, bits, counts, array_at(table[10], (collects,), dtype), first, last)
            else:
                _pack(x, bits, counts, array_at(table[10], (rows, 2), dtype), first, last)

    return enter


@dataclass(frozen=True)
class SpikeList:
    """The elements of x [rows, columns] that are not zero.

    Attributes:
        columns: of x.
        bits: int64 [rows, words of 64 columns], the lowest bit first.
        counts: int64 [rows].
        count: of all rows.
        value: the first of them; 0 if there are none.
        values: [count], row after row, where they are not all the same; else empty.
    """

    columns: int
    bits: Tensor
    counts: Tensor
    count: int
    value: float
    values: Tensor

    @property
    def rows(self) -> int:
        """Of x."""
        return self.bits.shape[0]

    @property
    def varied(self) -> bool:
        """Whether they are not all the same."""
        return len(self.values) > 0

    @property
    def density(self) -> float:
        """Their share of all elements."""
        return self.count / max(1, self.rows * self.columns)


def can_list(x: Tensor) -> bool:
    """Whether ``list_spikes`` takes this tensor."""
    return x.device.type == "cpu" and x.dtype in DTYPES


def list_spikes(x: Tensor) -> SpikeList:
    """Lists what is not zero in x [rows, ...], float32 or float64; what follows the first dimension is one row."""
    x = x.detach().contiguous()
    rows = x.shape[0]
    columns = x.numel() // rows if rows else x.shape[1:].numel()
    words = -(-columns // WORD)
    bits = torch.empty((rows, words), dtype=torch.int64)
    counts = torch.empty(rows, dtype=torch.int64)
    seen = torch.zeros((rows, 2), dtype=x.dtype)
    _run_pack(x, bits, counts, seen, columns, 0)
    count = int(counts.sum())
    firsts = seen[counts > 0, 0]
    values = torch.empty(0, dtype=x.dtype)
    # infinity times the sum of no weights would not be zero
    alike = not count or (bool((firsts == firsts[0]).all()) and not bool(seen[:, 1].any()) and isfinite(firsts[0]))
    if not alike:
        values = torch.empty(count, dtype=x.dtype)
        _run_pack(x, bits, counts.cumsum(0) - counts, values, columns, count)
    return SpikeList(columns, bits, counts, count, float(firsts[0]) if count else 0.0, values)


def _run_pack(x: Tensor, bits: Tensor, counts: Tensor, last: Tensor, columns: int, collects: int) -> None:
    grain = max(1, _GRAIN // max(1, columns))
    threads = torch.get_num_threads() if x.numel() >= PARALLEL_FROM else 1
    sizes = (x.shape[0], columns, bits.shape[1], grain, collects)
    addresses = (x.data_ptr(), bits.data_ptr(), counts.data_ptr(), last.data_ptr())
    run_on_threads(_pack_entry(DTYPES[x.dtype]).address, table_of(*sizes, *addresses), threads)

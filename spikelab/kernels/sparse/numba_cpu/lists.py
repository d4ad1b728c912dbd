"""Where the spikes are, as lists: row by row for a product, column by column for the gradient of its weights.

Each list is filled up to a multiple of ``GROUP`` with the number after the last row of the table that it points into,
which holds zeros; so a kernel adds whole groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from spikelab.kernels.buffers import pool
from spikelab.kernels.native import CLAIMED, array_at, claim, entry, table_of
from spikelab.kernels.numba_pipeline import NoAliasCompiler
from spikelab.kernels.sparse.numba_cpu.bits import lowest_bit
from spikelab.kernels.sparse.numba_cpu.spike_list import DTYPES, GROUP, WORD, SpikeList
from spikelab.kernels.threads import PARALLEL_FROM, run_on_threads

_INDEX: Any = np.uintp
_LONG: Any = np.uint64
_WORD, _ONE = _INDEX(WORD), _LONG(1)

_jit = njit(nogil=True, error_model="numpy", pipeline_class=NoAliasCompiler)


@dataclass(frozen=True)
class Lists:
    """Lists that point into a table.

    Attributes:
        starts: int64 [lists + 1], where each begins.
        places: int32 [length of all], rows of the table.
        values: [length of all], what each row is multiplied with; empty where that is the same for all.
    """

    starts: Tensor
    places: Tensor
    values: Tensor


@_jit
def _by_row(bits: Any, compact: Any, values: Any, starts: Any, places: Any, spread: Any, empty: int, r: int) -> None:
    at, source = _INDEX(starts[r]), _INDEX(compact[r])
    for w in range(_INDEX(bits.shape[1])):
        word = bits[r, w]
        while word != _LONG(0):
            places[at] = w * _WORD + _INDEX(lowest_bit(word))
            if spread.shape[0]:
                spread[at] = values[source]
                source += _INDEX(1)
            at += _INDEX(1)
            word &= word - _ONE
    for rest in range(at, _INDEX(starts[r + 1])):
        places[rest] = empty
        if spread.shape[0]:
            spread[rest] = 0


@_jit
def _by_column(
    bits: Any, compact: Any, values: Any, starts: Any, places: Any, spread: Any, empty: int, block: int, p: int
) -> None:
    """Lists of part p, which has up to ``block`` rows; ``starts`` [parts, columns] are moved to the lists' ends."""
    first, last = p * block, min((p + 1) * block, bits.shape[0])
    for r in range(first, last):
        source = _INDEX(compact[r])
        for w in range(_INDEX(bits.shape[1])):
            word = bits[r, w]
            while word != _LONG(0):
                column = w * _WORD + _INDEX(lowest_bit(word))
                at = _INDEX(starts[p, column])
                starts[p, column] = at + _INDEX(1)
                places[at] = r - first
                if spread.shape[0]:
                    spread[at] = values[source]
                    source += _INDEX(1)
                word &= word - _ONE
    for column in range(starts.shape[1]):
        at = starts[p, column]
        while at % GROUP != 0:
            places[at] = empty
            if spread.shape[0]:
                spread[at] = 0
            at += 1


@_jit
def _count_columns(bits: Any, counts: Any, block: int, p: int) -> None:
    for column in range(counts.shape[1]):
        counts[p, column] = 0
    for r in range(p * block, min((p + 1) * block, bits.shape[0])):
        for w in range(_INDEX(bits.shape[1])):
            word = bits[r, w]
            while word != _LONG(0):
                counts[p, w * _WORD + _INDEX(lowest_bit(word))] += 1
                word &= word - _ONE


@cache
def _entry(dtype: Any) -> Any:
    @entry("lists of spikes")
    def enter(table: Any) -> None:
        what, rows, words, columns, block, pieces = table[2], table[3], table[4], table[5], table[6], table[7]
        count, length, spread_length, empty = table[8], table[9], table[10], table[11]
        bits = array_at(table[12], (rows, words), np.uint64)
        compact = array_at(table[13], (rows,), np.int64)
        values = array_at(table[14], (count,), dtype)
        places = array_at(table[16], (length,), np.uint32)
        spread = array_at(table[17], (spread_length,), dtype)
        while True:
            piece = claim(table, CLAIMED)
            if piece >= pieces:
                break
            if what == 0:
                starts = array_at(table[15], (rows + 1,), np.int64)
                for r in range(piece * block, min(rows, (piece + 1) * block)):
                    _by_row(bits, compact, values, starts, places, spread, empty, r)
            elif what == 1:
                _count_columns(bits, array_at(table[15], (pieces, columns), np.int64), block, piece)
            else:
                starts2 = array_at(table[15], (pieces, columns), np.int64)
                _by_column(bits, compact, values, starts2, places, spread, empty, block, piece)

    return enter


def _run(what: int, spikes: SpikeList, starts: Tensor, places: Tensor, spread: Tensor, empty: int, block: int) -> None:
    compact = spikes.counts.cumsum(0) - spikes.counts
    pieces = -(-spikes.rows // block)
    sizes = (what, spikes.rows, spikes.bits.shape[1], spikes.columns, block, pieces)
    lengths = (len(spikes.values), len(places), len(spread), empty)
    arrays = (spikes.bits, compact, spikes.values, starts, places, spread)
    threads = torch.get_num_threads() if spikes.count >= PARALLEL_FROM else 1
    entry = _entry(DTYPES[spikes.values.dtype])
    run_on_threads(entry.address, table_of(*sizes, *lengths, *(a.data_ptr() for a in arrays)), threads)


def _starts(counts: Tensor) -> Tensor:
    """Where lists of these lengths begin once they are filled up, and where the last one ends."""
    lengths = (counts + (GROUP - 1)).div(GROUP, rounding_mode="floor") * GROUP
    return torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])


def _room(spikes: SpikeList, length: int) -> tuple[Tensor, Tensor]:
    places = pool.empty((length,), torch.float32).view(torch.int32)
    spread = pool.empty((length,), spikes.values.dtype) if spikes.varied else spikes.values
    return places, spread


def lists_by_row(spikes: SpikeList) -> Lists:
    """For each row, the columns that are not zero."""
    starts = _starts(spikes.counts)
    places, spread = _room(spikes, int(starts[-1]))
    _run(0, spikes, starts, places, spread, spikes.columns, 64)
    return Lists(starts, places, spread)


def lists_by_column(spikes: SpikeList, block: int) -> Lists:
    """For each part of up to ``block`` rows and each column in it, the rows that are not zero, counted from the part's.

    List ``part * columns + column`` is that of a column.
    """
    parts = -(-spikes.rows // block)
    counts = torch.empty((parts, spikes.columns), dtype=torch.int64)
    places = torch.empty(0, dtype=torch.int32)
    _run(1, spikes, counts, places, spikes.values[:0], block, block)
    starts = _starts(counts.flatten())
    places, spread = _room(spikes, int(starts[-1]))
    # these move as lists are filled
    _run(2, spikes, starts[:-1].clone(), places, spread, block, block)
    return Lists(starts, places, spread)

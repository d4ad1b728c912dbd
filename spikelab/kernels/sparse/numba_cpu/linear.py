"""A product with spikes, [rows, K] times [N, K], and the gradient of its weights: only active rows are added.

The weights are taken in strips of ``STRIP`` outputs, turned so that what one spike adds lies side by side, and short
enough for the second-level cache. A group of eight rows is added at once, so that sums seldom leave the registers.
The gradient of the weights is the same sum with lists by column and the output's gradient as the table.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from spikelab.kernels.buffers import pool
from spikelab.kernels.native import CLAIMED, ENTERED, array_at, claim, entry, table_of
from spikelab.kernels.numba_pipeline import NoAliasCompiler
from spikelab.kernels.sparse.numba_cpu.lists import Lists, lists_by_column, lists_by_row
from spikelab.kernels.sparse.numba_cpu.spike_list import DTYPES, SpikeList
from spikelab.kernels.threads import run_on_threads

#: Outputs that are computed at once.
STRIP = 64
#: Rows of the output's gradient that are a table at once.
BLOCK = 1024
#: Rows of sums that a thread holds.
_SUMS = 64
_INDEX: Any = np.uintp
_STRIP = _INDEX(STRIP)

# contract: a product and a sum may be rounded once
_jit = njit(nogil=True, error_model="numpy", pipeline_class=NoAliasCompiler, fastmath={"contract"})


@_jit
def _add_equal(starts: Any, places: Any, first: int, last: int, rows: Any, sums: Any) -> None:
    """Adds to each row of sums the rows of a table that its list names."""
    for k in range(_INDEX(first), _INDEX(last)):
        into = (k - _INDEX(first)) * _STRIP
        for at in range(_INDEX(starts[k]), _INDEX(starts[k + _INDEX(1)]), _INDEX(8)):
            a, b = _INDEX(places[at]) * _STRIP, _INDEX(places[at + _INDEX(1)]) * _STRIP
            c, d = _INDEX(places[at + _INDEX(2)]) * _STRIP, _INDEX(places[at + _INDEX(3)]) * _STRIP
            e, f = _INDEX(places[at + _INDEX(4)]) * _STRIP, _INDEX(places[at + _INDEX(5)]) * _STRIP
            g, h = _INDEX(places[at + _INDEX(6)]) * _STRIP, _INDEX(places[at + _INDEX(7)]) * _STRIP
            for j in range(_STRIP):
                sums[into + j] += ((rows[a + j] + rows[b + j]) + (rows[c + j] + rows[d + j])) + (
                    (rows[e + j] + rows[f + j]) + (rows[g + j] + rows[h + j])
                )


@_jit
def _add_varied(starts: Any, places: Any, values: Any, first: int, last: int, rows: Any, sums: Any) -> None:
    """As ``_add_equal``, each row times a value of its own."""
    for k in range(_INDEX(first), _INDEX(last)):
        into = (k - _INDEX(first)) * _STRIP
        for at in range(_INDEX(starts[k]), _INDEX(starts[k + _INDEX(1)]), _INDEX(8)):
            a, b = _INDEX(places[at]) * _STRIP, _INDEX(places[at + _INDEX(1)]) * _STRIP
            c, d = _INDEX(places[at + _INDEX(2)]) * _STRIP, _INDEX(places[at + _INDEX(3)]) * _STRIP
            e, f = _INDEX(places[at + _INDEX(4)]) * _STRIP, _INDEX(places[at + _INDEX(5)]) * _STRIP
            g, h = _INDEX(places[at + _INDEX(6)]) * _STRIP, _INDEX(places[at + _INDEX(7)]) * _STRIP
            va, vb, vc, vd = values[at], values[at + _INDEX(1)], values[at + _INDEX(2)], values[at + _INDEX(3)]
            ve, vf, vg, vh = (
                values[at + _INDEX(4)],
                values[at + _INDEX(5)],
                values[at + _INDEX(6)],
                values[at + _INDEX(7)],
            )
            for j in range(_STRIP):
                sums[into + j] += ((va * rows[a + j] + vb * rows[b + j]) + (vc * rows[c + j] + vd * rows[d + j])) + (
                    (ve * rows[e + j] + vf * rows[f + j]) + (vg * rows[g + j] + vh * rows[h + j])
                )


@_jit
def _turn(matrix: Any, first: int, width: int, turned: Any) -> None:
    """Rows first ... first + width of a matrix [N, K] as columns of ``turned`` [K, STRIP]; the rest is not touched."""
    columns = _INDEX(matrix.shape[1])
    for start in range(_INDEX(0), columns, _INDEX(16)):
        stop = min(columns, start + _INDEX(16))
        for j in range(_INDEX(width)):
            for i in range(start, stop):
                turned[i * _STRIP + j] = matrix[_INDEX(first) + j, i]


@_jit
def _turn_back(turned: Any, scale: Any, first: int, width: int, matrix: Any) -> None:
    """The opposite of ``_turn``, times a factor."""
    columns = _INDEX(matrix.shape[1])
    for start in range(_INDEX(0), columns, _INDEX(16)):
        stop = min(columns, start + _INDEX(16))
        for j in range(_INDEX(width)):
            for i in range(start, stop):
                matrix[_INDEX(first) + j, i] = scale * turned[i * _STRIP + j]


@_jit
def _clear(values: Any, start: int, stop: int) -> None:
    zero = values.dtype.type(0)
    for i in range(_INDEX(start), _INDEX(stop)):
        values[i] = zero


@_jit
def _product(
    starts: Any, places: Any, values: Any, weight: Any, bias: Any, scale: Any, out: Any, strip: int, part: int,
    rows_a_part: int, rows: Any, sums: Any,
) -> None:  # fmt: skip
    """One strip of outputs of some rows of x."""
    first = strip * STRIP
    width = min(STRIP, out.shape[1] - first)
    if width < STRIP:
        _clear(rows, 0, weight.shape[1] * STRIP)
    _turn(weight, first, width, rows)
    _clear(rows, weight.shape[1] * STRIP, (weight.shape[1] + 1) * STRIP)
    for start in range(part * rows_a_part, min(out.shape[0], (part + 1) * rows_a_part), _SUMS):
        stop = min(start + _SUMS, out.shape[0], (part + 1) * rows_a_part)
        _clear(sums, 0, (stop - start) * STRIP)
        if values.shape[0]:
            _add_varied(starts, places, values, start, stop, rows, sums)
        else:
            _add_equal(starts, places, start, stop, rows, sums)
        for r in range(_INDEX(stop - start)):
            for j in range(_INDEX(width)):
                out[_INDEX(start) + r, _INDEX(first) + j] = bias[_INDEX(first) + j] + scale * sums[r * _STRIP + j]


@_jit
def _gradient(
    starts: Any, places: Any, values: Any, grad: Any, scale: Any, grad_weight: Any, grad_bias: Any, strip: int,
    block: int, rows: Any, sums: Any, totals: Any,
) -> None:  # fmt: skip
    """One strip of the gradient of the weights, and of the biases'."""
    first = strip * STRIP
    width = min(STRIP, grad.shape[1] - first)
    columns = grad_weight.shape[1]
    _clear(sums, 0, columns * STRIP)
    for j in range(width):
        grad_bias[first + j] = 0
    if width < STRIP:
        _clear(rows, 0, block * STRIP)
    for part in range((grad.shape[0] + block - 1) // block):
        start, stop = part * block, min((part + 1) * block, grad.shape[0])
        for r in range(_INDEX(stop - start)):
            for j in range(_INDEX(width)):
                rows[r * _STRIP + j] = grad[_INDEX(start) + r, _INDEX(first) + j]
        _clear(rows, block * STRIP, (block + 1) * STRIP)
        _clear(totals, 0, STRIP)
        for r in range(_INDEX(stop - start)):
            for j in range(_STRIP):
                totals[j] += rows[r * _STRIP + j]
        for j in range(width):
            grad_bias[first + j] += totals[j]
        if values.shape[0]:
            _add_varied(starts, places, values, part * columns, (part + 1) * columns, rows, sums)
        else:
            _add_equal(starts, places, part * columns, (part + 1) * columns, rows, sums)
    _turn_back(sums, scale, first, width, grad_weight)


@cache
def _entry(dtype: Any) -> Any:
    """Both kernels; in its table: which of them, sizes, then addresses."""

    @entry("sparse linear layers")
    def enter(table: Any) -> None:
        backward, rows, inputs, outputs, lists = table[2], table[3], table[4], table[5], table[6]
        length, varied, pieces, part, threads, room = table[7], table[8], table[9], table[10], table[11], table[12]
        starts = array_at(table[13], (lists + 1,), np.int64)
        places = array_at(table[14], (length,), np.uint32)
        values = array_at(table[15], (varied,), dtype)
        matrix = array_at(table[16], (outputs, inputs), dtype)
        vector = array_at(table[17], (outputs,), dtype)
        scale = array_at(table[18], (1,), dtype)[0]
        many = array_at(table[19], (rows, outputs), dtype)
        own = array_at(table[20], (threads, room), dtype)[claim(table, ENTERED)]
        while True:
            piece = claim(table, CLAIMED)
            if piece >= pieces:
                break
            if backward:
                held = (part + 1) * STRIP
                _gradient(
                    starts, places, values, many, scale, matrix, vector, piece, part,
                    own[:held], own[held : held + inputs * STRIP], own[held + inputs * STRIP :],
                )  # fmt: skip
            else:
                strips = (outputs + STRIP - 1) // STRIP
                held = (inputs + 1) * STRIP
                _product(
                    starts, places, values, matrix, vector, scale, many, piece % strips, piece // strips, part,
                    own[:held], own[held:],
                )  # fmt: skip

    return enter


def _run(
    backward: bool, spikes: SpikeList, lists: Lists, matrix: Tensor, vector: Tensor, many: Tensor, part: int, room: int,
    pieces: int,
) -> None:  # fmt: skip
    dtype = many.dtype
    threads = torch.get_num_threads()
    own = pool.empty((threads, room), dtype)
    scale = torch.tensor([1.0 if spikes.varied else spikes.value], dtype=dtype)
    sizes = (int(backward), spikes.rows, spikes.columns, many.shape[1], len(lists.starts) - 1)
    more = (len(lists.places), len(lists.values), pieces, part, threads, room)
    arrays = (lists.starts, lists.places, lists.values, matrix, vector, scale, many, own)
    table = table_of(*sizes, *more, *(array.data_ptr() for array in arrays))
    run_on_threads(_entry(DTYPES[dtype]).address, table, threads)


def spike_product(spikes: SpikeList, weight: Tensor, bias: Tensor | None) -> Tensor:
    """X [rows, K] times weight [N, K], plus a bias [N]: [rows, N]. All of one dtype, contiguous."""
    outputs, inputs = weight.shape
    out = pool.empty((spikes.rows, outputs), weight.dtype)
    strips = -(-outputs // STRIP)
    # few outputs: threads share the rows as well
    parts = min(-(-2 * torch.get_num_threads() // max(1, strips)), -(-spikes.rows // _SUMS)) or 1
    part = -(-spikes.rows // parts)
    bias = weight.new_zeros(outputs) if bias is None else bias.contiguous()
    room = (inputs + 1 + _SUMS) * STRIP
    _run(False, spikes, lists_by_row(spikes), weight.contiguous(), bias, out, part, room, strips * parts)
    return out


def weight_gradient(spikes: SpikeList, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of the weights [N, K] and of the bias [N] of ``spike_product``, from that of its result [rows, N]."""
    outputs = grad.shape[1]
    block = max(1, min(BLOCK, spikes.rows))
    grad_weight = torch.empty((outputs, spikes.columns), dtype=grad.dtype)
    grad_bias = torch.empty(outputs, dtype=grad.dtype)
    room = (block + 1 + spikes.columns + 1) * STRIP
    strips = -(-outputs // STRIP)
    lists = lists_by_column(spikes, block)
    _run(True, spikes, lists, grad_weight, grad_bias, grad.contiguous(), block, room, strips)
    return grad_weight, grad_bias

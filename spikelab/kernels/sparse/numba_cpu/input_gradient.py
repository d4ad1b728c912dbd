"""The gradient of a product's input at some elements alone, the others being zero: one sum of products for each.

For a linear layer that is a row of the output's gradient times a column of the weights. The columns are taken one after
the other for a few rows at a time, so that those rows stay in the second-level cache. For a convolution it is what a
spike there would add, the other way round: the same runs of numbers as in ``convolution``, multiplied and summed.
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
from spikelab.kernels.sparse.numba_cpu.convolution import arrange, columns_reached, lanes_of, numbers_of, row_of
from spikelab.kernels.sparse.numba_cpu.costs import GRADIENT_BYTES
from spikelab.kernels.sparse.numba_cpu.lists import lists_by_column
from spikelab.kernels.sparse.numba_cpu.spike_list import DTYPES, SpikeList
from spikelab.kernels.sparse.numba_cpu.vectors import turn
from spikelab.kernels.sparse.window import Window
from spikelab.kernels.threads import run_on_threads

_INDEX: Any = np.uintp

_jit = njit(nogil=True, error_model="numpy", pipeline_class=NoAliasCompiler)


# contract, reassoc: a sum may be taken in any order, sixteen numbers at a time
@njit(nogil=True, error_model="numpy", pipeline_class=NoAliasCompiler, fastmath={"contract", "reassoc", "nsz"})
def _dot(a: Any, i: Any, b: Any, j: Any, length: Any) -> Any:
    total = a.dtype.type(0)
    for k in range(length):
        total += a[i + k] * b[j + k]
    return total


@_jit
def _linear(starts: Any, places: Any, grad: Any, columns: Any, out: Any, part: int, block: int, width: int) -> None:
    """The rows of one part: ``grad`` [rows * N], ``columns`` [K * N] of the weights, ``out`` [rows * K]."""
    size, outputs = _INDEX(width), _INDEX(columns.shape[0] // width)
    first = _INDEX(part * block)
    last = min(_INDEX(out.shape[0]) // outputs, first + _INDEX(block))
    zero = out.dtype.type(0)
    for i in range(first * outputs, last * outputs):
        out[i] = zero
    for column in range(outputs):
        line = _INDEX(part) * outputs + column
        for at in range(_INDEX(starts[line]), _INDEX(starts[line + _INDEX(1)])):
            # lists are filled up with the number after the last row
            if places[at] < block:
                row = first + _INDEX(places[at])
                out[row * outputs + column] = _dot(grad, row * size, columns, column * size, size)


@cache
def _linear_entry(dtype: Any) -> Any:
    @entry("gradients of a sparse linear layer")
    def enter(table: Any) -> None:
        rows, inputs, outputs, lists, length, parts, block = (
            *(table[2], table[3], table[4], table[5]),
            *(table[6], table[7], table[8]),
        )
        starts = array_at(table[9], (lists + 1,), np.int64)
        places = array_at(table[10], (length,), np.uint32)
        grad = array_at(table[11], (rows * outputs,), dtype)
        columns = array_at(table[12], (inputs * outputs,), dtype)
        out = array_at(table[13], (rows * inputs,), dtype)
        while True:
            part = claim(table, CLAIMED)
            if part >= parts:
                break
            _linear(starts, places, grad, columns, out, part, block, outputs)

    return enter


def linear_input_gradient(wanted: SpikeList, weight: Tensor, grad: Tensor) -> Tensor:
    """Gradient of x [rows, K] in x times weight [N, K], from that of the result [rows, N], where it is wanted."""
    outputs, inputs = weight.shape
    grad, columns = grad.contiguous(), weight.t().contiguous()
    out = pool.empty((wanted.rows, inputs), grad.dtype)
    block = max(8, min(1024, GRADIENT_BYTES // (outputs * grad.dtype.itemsize)))
    lists = lists_by_column(wanted, block)
    parts = -(-wanted.rows // block)
    numbers = (wanted.rows, inputs, outputs, len(lists.starts) - 1, len(lists.places), parts, block)
    arrays = (lists.starts, lists.places, grad, columns, out)
    table = table_of(*numbers, *(array.data_ptr() for array in arrays))
    run_on_threads(_linear_entry(DTYPES[grad.dtype]).address, table, torch.get_num_threads())
    return out


@_jit
def _feel(
    bits: Any, before: Any, values: Any, channels: int, sizes: Any, columns: Any, weights: Any, picture: Any, out: Any,
    places: Any, found: Any,
) -> None:  # fmt: skip
    """All wanted elements of a picture: ``out`` [channels * height * width], which holds zeros."""
    height, width, lanes, kh, _, sh, sw, ph, _, oh, ow, run = sizes
    size = sw * run * lanes
    for row in range(height):
        lowest, highest = (row + ph) % sh, min(kh - 1, row + ph)
        # rows of weights that reach an output
        while lowest <= highest and (row + ph - lowest) // sh >= oh:
            lowest += sh
        for channel in range(channels):
            first = _INDEX((channel * height + row) * width)
            for n in range(row_of(bits, before, values, out.dtype.type(1), first, width, places, found)):
                x = places[n]
                total, length = out.dtype.type(0), _INDEX(columns[x, 2])
                for ky in range(lowest, highest + 1, sh):
                    here = _INDEX((row + ph - ky) // sh * ow * lanes + columns[x, 0])
                    start = _INDEX((channel * kh + ky) * size + columns[x, 1])
                    total += _dot(weights, start, picture, here, length)
                out[first + _INDEX(x)] = total


@cache
def _convolution_entry(dtype: Any) -> Any:
    @entry("gradients of a sparse convolution")
    def enter(table: Any) -> None:
        pictures, words, threads = table[2], table[3], table[4]
        channels, height, width, outputs, lanes = table[5], table[6], table[7], table[8], table[9]
        kh, kw, sh, sw, ph, pw = table[10], table[11], table[12], table[13], table[14], table[15]
        oh, ow, run = table[16], table[17], table[18]
        sizes = (height, width, lanes, kh, kw, sh, sw, ph, pw, oh, ow, run)
        area = oh * ow
        bits = array_at(table[19], (pictures, words), np.uint64)
        weights = array_at(table[20], (channels * kh * sw * run * lanes,), dtype)
        grad = array_at(table[21], (pictures, outputs * area), dtype)
        out = array_at(table[22], (pictures, channels * height * width), dtype)
        own = array_at(table[23], (threads, lanes * area), dtype)[claim(table, ENTERED)]
        own[:] = 0
        columns, before = np.empty((width, 3), np.int64), np.empty(words, np.int64)
        columns_reached(sizes, columns)
        places, found, none = np.empty(width, np.int64), np.empty(width, dtype), np.empty(0, dtype)
        while True:
            n = claim(table, CLAIMED)
            if n >= pictures:
                break
            turn(grad[n], outputs, area, area, own, lanes)
            out[n, :] = 0
            _feel(bits[n], before, none, channels, sizes, columns, weights, own, out[n], places, found)

    return enter


def convolution_input_gradient(wanted: SpikeList, window: Window, weight: Tensor, grad: Tensor) -> Tensor:
    """Gradient of the pictures [n, C, H, W], from that of the result [n, O, H', W'], where it is wanted."""
    grad, weights = grad.contiguous(), arrange(weight, window)
    out = pool.empty((wanted.rows, window.channels, window.height, window.width), grad.dtype)
    threads = torch.get_num_threads()
    own = pool.empty((threads, lanes_of(window) * grad[0, 0].numel()), grad.dtype)
    arrays = (wanted.bits, weights, grad, out, own)
    numbers = (wanted.rows, wanted.bits.shape[1], threads)
    table = table_of(*numbers, *numbers_of(window), *(array.data_ptr() for array in arrays))
    run_on_threads(_convolution_entry(DTYPES[grad.dtype]).address, table, threads)
    return out

"""A convolution of spikes, and the gradient of its weights: each spike is added where it reaches.

What one spike in column x adds to one row of the output is a run of numbers that lie side by side, in the output with
channels last and in weights whose columns are reversed: outputs at x' see it through the weight at x - stride x'. So
the innermost loop is long whatever the window is. Pictures are turned to channels last and back one at a time, in the
cache. The gradient of the weights takes the same runs the other way round.
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
from spikelab.kernels.sparse.numba_cpu.bits import bits_set, lowest_bit
from spikelab.kernels.sparse.numba_cpu.spike_list import DTYPES, WORD, SpikeList
from spikelab.kernels.sparse.numba_cpu.vectors import TILE, add_four, add_multiple, turn
from spikelab.kernels.sparse.window import Window
from spikelab.kernels.threads import run_on_threads

#: Sums of the weights' gradient are kept apart for so many groups of pictures, or as many as this memory holds. Both do
#: not depend on the number of threads, and so neither does the result.
_GROUPS, _GROUP_BYTES = 16, 1 << 24
_INDEX: Any = np.uintp
_LONG: Any = np.uint64
_WORD, _ONE, _TILE = _INDEX(WORD), _LONG(1), _INDEX(TILE)

_jit = njit(nogil=True, error_model="numpy", pipeline_class=NoAliasCompiler, fastmath={"contract"})


def run_of(window: Window) -> int:
    """Columns of weights with the same remainder by the stride, at most."""
    return -(-window.kernel[1] // window.stride[1])


def lanes_of(window: Window) -> int:
    """Channels of the output that are computed: a multiple of what a processor adds at once."""
    return -(-window.outputs // TILE) * TILE


def numbers_of(window: Window) -> tuple[int, ...]:
    """Its sizes for a kernel's table."""
    sizes = (window.channels, window.height, window.width, window.outputs, lanes_of(window))
    return (*sizes, *window.kernel, *window.stride, *window.padding, *window.out_size, run_of(window))


def arrange(weight: Tensor, window: Window) -> Tensor:
    """Weights [O, C, kh, kw] as [C, kh, remainder, run, lanes], each run from its last column to its first."""
    (kh, kw), across, run = window.kernel, window.stride[1], run_of(window)
    padded = torch.nn.functional.pad(weight, (0, run * across - kw)) if run * across > kw else weight
    parts = padded.reshape(window.outputs, window.channels, kh, run, across)
    arranged = parts.flip(3).permute(1, 2, 4, 3, 0)
    return torch.nn.functional.pad(arranged, (0, lanes_of(window) - window.outputs)).contiguous()


def _rearrange(arranged: Tensor, window: Window) -> Tensor:
    """The opposite of ``arrange``."""
    (kh, kw), across, run = window.kernel, window.stride[1], run_of(window)
    parts = arranged[..., : window.outputs].permute(4, 0, 1, 3, 2).flip(3)
    return parts.reshape(window.outputs, window.channels, kh, run * across)[..., :kw].contiguous()


@_jit
def _add(into: Any, at: int, what: Any, start: int, value: Any, length: int) -> None:
    for i in range(_INDEX(0), length, _TILE):
        add_multiple(into, at + i, value, what, start + i)


@_jit
def columns_reached(sizes: Any, columns: Any) -> None:
    """For each column of the input: where its runs begin in a row of outputs and of weights, and how long they are."""
    _, width, lanes, _, kw, _, sw, _, pw, _, ow, run = sizes
    for x in range(width):
        q, remainder = (x + pw) // sw, (x + pw) % sw
        # weights with this remainder are remainder, remainder + sw, ...: the m-th of them reaches column q - m
        fewest, most = max(0, q - ow + 1), min((kw - remainder + sw - 1) // sw - 1, q)
        columns[x, 0] = (q - most) * lanes
        columns[x, 1] = (remainder * run + run - 1 - most) * lanes
        columns[x, 2] = max(0, most - fewest + 1) * lanes


@_jit
def row_of(bits: Any, before: Any, values: Any, same: Any, first: Any, width: int, places: Any, found: Any) -> int:
    """The spikes among ``width`` bits from ``first``: their places and values; gives their number."""
    stop, w, count = first + _INDEX(width), first // _WORD, 0
    while w * _WORD < stop:
        word, base = bits[w], w * _WORD
        if base < first:
            word &= ~_LONG(0) << _LONG(first - base)
        if base + _WORD > stop:
            word &= ~_LONG(0) >> _LONG(base + _WORD - stop)
        while word != _LONG(0):
            place = _INDEX(lowest_bit(word))
            found[count] = same
            if values.shape[0]:
                lower = bits[w] & ((_ONE << _LONG(place)) - _ONE)
                found[count] = values[before[w] + np.int64(bits_set(lower))]
            places[count] = base + place - first
            count += 1
            word &= word - _ONE
        w += _INDEX(1)
    return count


@_jit
def _see(
    bits: Any, before: Any, values: Any, same: Any, channels: int, sizes: Any, columns: Any, row: int, lowest: int,
    highest: int, weights: Any, picture: Any, places: Any, found: Any, numbers: Any, met: Any, met_values: Any,
) -> None:  # fmt: skip
    """Adds weights to a picture [h, w, lanes] for each spike of a row; spikes of one place are taken together."""
    height, width, lanes, kh, _, sh, sw, ph, _, _, ow, run = sizes
    size = sw * run * lanes
    for x in range(width):
        numbers[x] = x * channels
    for channel in range(channels):
        first = _INDEX((channel * height + row) * width)
        for n in range(row_of(bits, before, values, same, first, width, places, found)):
            x = places[n]
            at = numbers[x]
            met[at] = channel * kh * size
            met_values[at] = found[n]
            numbers[x] = at + 1
    for x in range(width):
        n, end, length = _INDEX(x * channels), _INDEX(numbers[x]), _INDEX(columns[x, 2])
        # rows of weights inside, not outside: how many spikes there are is then guessed wrong once, not in each
        while n + _INDEX(3) < end:
            for ky in range(lowest, highest + 1, sh):
                here = _INDEX((row + ph - ky) // sh * ow * lanes + columns[x, 0])
                start = _INDEX(ky * size + columns[x, 1])
                a, b = start + met[n], start + met[n + _INDEX(1)]
                c, d = start + met[n + _INDEX(2)], start + met[n + _INDEX(3)]
                for i in range(_INDEX(0), length, _TILE):
                    add_four(
                        picture, here + i, met_values[n], met_values[n + _INDEX(1)], met_values[n + _INDEX(2)],
                        met_values[n + _INDEX(3)], weights, a + i, b + i, c + i, d + i,
                    )  # fmt: skip
            n += _INDEX(4)
        while n < end:
            for ky in range(lowest, highest + 1, sh):
                here = _INDEX((row + ph - ky) // sh * ow * lanes + columns[x, 0])
                _add(picture, here, weights, _INDEX(ky * size + columns[x, 1]) + met[n], met_values[n], length)
            n += _INDEX(1)


@_jit
def _learn(
    bits: Any, before: Any, values: Any, same: Any, channels: int, sizes: Any, columns: Any, row: int, lowest: int,
    highest: int, weights: Any, picture: Any, places: Any, found: Any,
) -> None:  # fmt: skip
    """Adds parts of the picture to the gradient of the weights for each spike of a row, four of a channel together."""
    height, width, lanes, kh, _, sh, sw, ph, _, _, ow, run = sizes
    for channel in range(channels):
        first = _INDEX((channel * height + row) * width)
        count = row_of(bits, before, values, same, first, width, places, found)
        n = 0
        while n < count:
            x = places[n]
            start, length = columns[x, 1], columns[x, 2]
            together = n + 3 < count
            if together:
                for other in (places[n + 1], places[n + 2], places[n + 3]):
                    together = together and columns[other, 1] == start and columns[other, 2] == length
            for ky in range(lowest, highest + 1, sh):
                line = (row + ph - ky) // sh * ow * lanes
                into = _INDEX((channel * kh + ky) * sw * run * lanes + start)
                here = _INDEX(line + columns[x, 0])
                if together:
                    b, c = _INDEX(line + columns[places[n + 1], 0]), _INDEX(line + columns[places[n + 2], 0])
                    d = _INDEX(line + columns[places[n + 3], 0])
                    for i in range(_INDEX(0), _INDEX(length), _TILE):
                        add_four(
                            weights, into + i, found[n], found[n + 1], found[n + 2], found[n + 3],
                            picture, here + i, b + i, c + i, d + i,
                        )  # fmt: skip
                else:
                    _add(weights, into, picture, here, found[n], _INDEX(length))
            n += 4 if together else 1


@_jit
def _reach(
    bits: Any, before: Any, values: Any, source: Any, same: Any, channels: int, sizes: Any, columns: Any, weights: Any,
    picture: Any, learns: bool, places: Any, found: Any, numbers: Any, met: Any, met_values: Any,
) -> None:  # fmt: skip
    """All rows of a picture, one after the other: the part that is reached stays in the first-level cache."""
    height, _, _, kh, _, sh, _, ph, _, oh, _, _ = sizes
    if values.shape[0]:
        for w in range(bits.shape[0]):
            before[w] = source
            source += np.int64(bits_set(bits[w]))
    for row in range(height):
        lowest, highest = (row + ph) % sh, min(kh - 1, row + ph)
        # rows of weights that reach an output
        while lowest <= highest and (row + ph - lowest) // sh >= oh:
            lowest += sh
        if learns:
            _learn(
                bits, before, values, same, channels, sizes, columns, row, lowest, highest, weights, picture, places,
                found,
            )  # fmt: skip
        else:
            _see(
                bits, before, values, same, channels, sizes, columns, row, lowest, highest, weights, picture, places,
                found, numbers, met, met_values,
            )  # fmt: skip


@_jit
def _fill(picture: Any, bias: Any) -> None:
    lanes = _INDEX(bias.shape[0])
    for i in range(_INDEX(0), _INDEX(picture.shape[0]), lanes):
        for c in range(lanes):
            picture[i + c] = bias[c]


@_jit
def _sum_pixels(picture: Any, sums: Any) -> None:
    lanes = _INDEX(sums.shape[0])
    for i in range(_INDEX(0), _INDEX(picture.shape[0]), lanes):
        for c in range(lanes):
            sums[c] += picture[i + c]


@cache
def _entry(dtype: Any) -> Any:
    """Both kernels; in its table: which of them, sizes, then addresses."""

    @entry("sparse convolutions")
    def enter(table: Any) -> None:
        learns, pictures, words, varied, pieces, piece_size, threads = (
            *(table[2], table[3], table[4], table[5], table[6]),
            *(table[7], table[8]),
        )
        channels, height, width, outputs, lanes = table[9], table[10], table[11], table[12], table[13]
        kh, kw, sh, sw, ph, pw = table[14], table[15], table[16], table[17], table[18], table[19]
        oh, ow, run = table[20], table[21], table[22]
        sizes = (height, width, lanes, kh, kw, sh, sw, ph, pw, oh, ow, run)
        size, area = channels * kh * sw * run * lanes, oh * ow
        bits = array_at(table[23], (pictures, words), np.uint64)
        compact = array_at(table[24], (pictures,), np.int64)
        values = array_at(table[25], (varied,), dtype)
        weights = array_at(table[26], (pieces if learns else 1, size), dtype)
        vector = array_at(table[27], (pieces if learns else 1, lanes), dtype)
        same = array_at(table[28], (1,), dtype)[0]
        many = array_at(table[29], (pictures, outputs * area), dtype)
        own = array_at(table[30], (threads, lanes * area), dtype)[claim(table, ENTERED)]
        own[:] = 0
        columns, before = np.empty((width, 3), np.int64), np.empty(words, np.int64)
        columns_reached(sizes, columns)
        places, found, numbers = np.empty(width, np.int64), np.empty(width, dtype), np.empty(width, np.int64)
        met, met_values = np.empty(width * channels, np.uintp), np.empty(width * channels, dtype)
        while True:
            piece = claim(table, CLAIMED)
            if piece >= pieces:
                break
            if learns:
                weights[piece, :] = 0
                vector[piece, :] = 0
            for n in range(piece * piece_size, min(pictures, (piece + 1) * piece_size)):
                if learns:
                    turn(many[n], outputs, area, area, own, lanes)
                    _sum_pixels(own, vector[piece])
                    _reach(
                        bits[n], before, values, compact[n], same, channels, sizes, columns, weights[piece], own, True,
                        places, found, numbers, met, met_values,
                    )  # fmt: skip
                else:
                    _fill(own, vector[0])
                    _reach(
                        bits[n], before, values, compact[n], same, channels, sizes, columns, weights[0], own, False,
                        places, found, numbers, met, met_values,
                    )  # fmt: skip
                    turn(own, area, outputs, lanes, many[n], area)

    return enter


def _run(
    learns: bool, spikes: SpikeList, window: Window, weights: Tensor, vector: Tensor, many: Tensor, pieces: int
) -> None:
    dtype = many.dtype
    threads = torch.get_num_threads()
    own = pool.empty((threads, lanes_of(window) * many[0, 0].numel()), dtype)
    same = torch.tensor([spikes.value], dtype=dtype)
    compact = spikes.counts.cumsum(0) - spikes.counts
    piece_size = -(-spikes.rows // pieces)
    numbers = (int(learns), spikes.rows, spikes.bits.shape[1], len(spikes.values), pieces, piece_size, threads)
    arrays = (spikes.bits, compact, spikes.values, weights, vector, same, many, own)
    table = table_of(*numbers, *numbers_of(window), *(array.data_ptr() for array in arrays))
    run_on_threads(_entry(DTYPES[dtype]).address, table, threads)


def spike_convolution(spikes: SpikeList, window: Window, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Pictures [n, C, H, W] convolved with weight [O, C, kh, kw], plus a bias [O]: [n, O, H', W']. All of one dtype."""
    out = pool.empty((spikes.rows, window.outputs, *window.out_size), weight.dtype)
    full = weight.new_zeros(lanes_of(window))
    if bias is not None:
        full[: window.outputs] = bias
    _run(False, spikes, window, arrange(weight, window), full, out, spikes.rows)
    return out


def convolution_weight_gradient(spikes: SpikeList, window: Window, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of the weights [O, C, kh, kw] and of the bias [O] from that of the result [n, O, H', W']."""
    (kh, _), across, run = window.kernel, window.stride[1], run_of(window)
    shape = (window.channels, kh, across, run, lanes_of(window))
    size = torch.Size(shape).numel() * grad.dtype.itemsize
    groups = max(1, min(_GROUPS, _GROUP_BYTES // max(1, size), spikes.rows))
    sums = torch.empty((groups, *shape), dtype=grad.dtype)
    bias_sums = torch.empty((groups, lanes_of(window)), dtype=grad.dtype)
    _run(True, spikes, window, sums, bias_sums, grad.contiguous(), groups)
    return _rearrange(sums.sum(0), window), bias_sums.sum(0)[: window.outputs]

"""The loops of ``synaptic_sums``. Each gives False, with nothing more added, where a sum might reach 2^53."""

from typing import Any

import numpy as np
from numba import njit

_EXACT = 2.0**53
_NARROW = 2.0**31

_compiled: Any = njit(nogil=True, cache=True, error_model="numpy")
_inline: Any = njit(inline="always", error_model="numpy")


@_inline
def _finished(total: int, left: int, right: int, half: int) -> int:
    """A sum, shifted and wrapped as the connection says; without branches, so that loops over it vectorise."""
    return ((((total << left) >> right) + half) & (2 * half - 1)) - half


@_inline
def _half(wrap_bits: int) -> int:
    # no wrap is a wrap to more bits than any sum has
    return 1 << (wrap_bits - 1 if wrap_bits else 62)


@_inline
def _add_row(total: np.ndarray, row: np.ndarray, message: int) -> None:
    if message == 1:
        for j in range(row.shape[0]):
            total[j] += row[j]
    else:
        for j in range(row.shape[0]):
            total[j] += message * row[j]


@_compiled
def _add_rows(total: np.ndarray, rows: np.ndarray, sent: np.ndarray) -> None:
    total[:] = 0
    for s in range(sent.shape[0]):
        if sent[s] != 0:
            _add_row(total, rows[s], sent[s])


@_compiled
def _add_finished(total: np.ndarray, exponent: int, wrap_bits: int, sums: np.ndarray) -> None:
    left, right, half = max(exponent, 0), max(-exponent, 0), _half(wrap_bits)
    for j in range(total.shape[0]):
        sums[j] += _finished(np.int64(total[j]), left, right, half)


@_compiled
def add_dense(
    line: np.ndarray,
    start: int,
    first: int,
    last: int,
    rows: np.ndarray,
    largest: float,
    exponent: int,
    wrap_bits: int,
    narrow: np.ndarray,
    wide: np.ndarray,
    sums: np.ndarray,
) -> bool:
    """Adds rows [sources, targets] of weights, one for each message."""
    for t in range(first, last):
        for b in range(line.shape[1]):
            sent = line[start + t, b]
            magnitude = 0.0
            for s in range(sent.shape[0]):
                magnitude += abs(sent[s])
            if magnitude == 0:
                continue
            if magnitude * largest >= _EXACT:
                return False
            if magnitude * largest < _NARROW:
                _add_rows(narrow, rows, sent)
                _add_finished(narrow, exponent, wrap_bits, sums[t, b])
            else:
                _add_rows(wide, rows, sent)
                _add_finished(wide, exponent, wrap_bits, sums[t, b])
    return True


@_compiled
def add_listed(
    line: np.ndarray,
    start: int,
    first: int,
    last: int,
    targets: np.ndarray,
    weights: np.ndarray,
    pointers: np.ndarray,
    delays: int,
    largest: float,
    exponent: int,
    wrap_bits: int,
    sums: np.ndarray,
) -> bool:
    """Adds single weights, listed by source and delay; pointers [sources * delays + 1] say where a list begins."""
    sources = line.shape[2]
    total = np.zeros((last - first, line.shape[1], sums.shape[2]), np.int64)
    most = 0.0
    for t in range(first - delays + 1, last):
        soonest, latest = max(0, first - t), min(delays - 1, last - 1 - t)
        for b in range(line.shape[1]):
            for s in range(sources):
                message = line[start + t, b, s]
                if message == 0:
                    continue
                most = max(most, abs(message) * largest * sources)
                if most >= _EXACT:
                    return False
                for d in range(soonest, latest + 1):
                    for k in range(pointers[s * delays + d], pointers[s * delays + d + 1]):
                        total[t + d - first, b, targets[k]] += weights[k] * message
    for t in range(first, last):
        for b in range(line.shape[1]):
            _add_finished(total[t - first, b], exponent, wrap_bits, sums[t, b])
    return True


@_inline
def _window(place: int, stride: int, count: int) -> int:
    """Number of the window that starts at a place; -1 where none does."""
    # most strides are 1, and a division costs more than all else here
    if stride != 1:
        if place % stride != 0:
            return -1
        place //= stride
    return place if 0 <= place < count else -1


@_compiled
def _add_kernels(
    total: np.ndarray,
    kernels: np.ndarray,
    sent: np.ndarray,
    channels: int,
    height: int,
    width: int,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> None:
    """Adds to total [H_out, W_out, C_out] what each message reaches."""
    total[:] = 0
    each = kernels.shape[3]
    per_group = channels // (total.shape[2] // each)
    for c in range(channels):
        lowest = c // per_group * each
        for y in range(height):
            for x in range(width):
                message = sent[(c * height + y) * width + x]
                if message == 0:
                    continue
                for row in range(kernels.shape[1]):
                    down = _window(y + padding[0] - row * dilation[0], stride[0], total.shape[0])
                    if down < 0:
                        continue
                    for column in range(kernels.shape[2]):
                        right = _window(x + padding[1] - column * dilation[1], stride[1], total.shape[1])
                        if right >= 0:
                            _add_row(total[down, right, lowest : lowest + each], kernels[c, row, column], message)


@_compiled
def _add_pictures(total: np.ndarray, exponent: int, wrap_bits: int, sums: np.ndarray) -> None:
    """Adds total [H, W, C] to sums [C * H * W]."""
    height, width, channels = total.shape
    left, right, half = max(exponent, 0), max(-exponent, 0), _half(wrap_bits)
    for y in range(height):
        for c in range(channels):
            line = sums[(c * height + y) * width : (c * height + y + 1) * width]
            for x in range(width):
                line[x] += _finished(np.int64(total[y, x, c]), left, right, half)


@_compiled
def add_convolution(
    line: np.ndarray,
    start: int,
    first: int,
    last: int,
    kernels: np.ndarray,
    channels: int,
    height: int,
    width: int,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    largest: float,
    exponent: int,
    wrap_bits: int,
    narrow: np.ndarray,
    wide: np.ndarray,
    sums: np.ndarray,
) -> bool:
    """Adds kernels [C_in, rows, columns, C_out of the group], one for each message of a picture [C_in, H, W]."""
    most = largest * kernels.shape[1] * kernels.shape[2] * (channels // (narrow.shape[2] // kernels.shape[3]))
    form = (channels, height, width, stride, padding, dilation)
    for t in range(first, last):
        for b in range(line.shape[1]):
            sent = line[start + t, b]
            magnitude = 0
            for s in range(sent.shape[0]):
                magnitude = max(magnitude, abs(sent[s]))
            if magnitude == 0:
                continue
            if magnitude * most >= _EXACT:
                return False
            if magnitude * most < _NARROW:
                _add_kernels(narrow, kernels, sent, *form)
                _add_pictures(narrow, exponent, wrap_bits, sums[t, b])
            else:
                _add_kernels(wide, kernels, sent, *form)
                _add_pictures(wide, exponent, wrap_bits, sums[t, b])
    return True

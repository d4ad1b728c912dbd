"""Pooling over windows that do not overlap, on the CPU, where torch's general kernel is several times slower."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from spikelab.kernels.buffers import pool
from spikelab.kernels.native import CLAIMED, array_at, claim, entry, table_of
from spikelab.kernels.numba_pipeline import NoAliasCompiler
from spikelab.kernels.threads import PARALLEL_FROM, run_on_threads

_jit = njit(nogil=True, error_model="numpy", pipeline_class=NoAliasCompiler)
#: Pictures that a thread takes at once.
_GRAIN = 16


@njit(nogil=True)
def _clear_rest(out: Any, n: int, height: int, width: int) -> None:
    """What no window reaches, at the lower and right border, has no gradient."""
    zero = out.dtype.type(0)
    for y in range(out.shape[1]):
        for x in range(width if y < height else 0, out.shape[2]):
            out[n, y, x] = zero


@_jit
def _pool(x: Any, out: Any, height: int, width: int, divisor: float, start: int, stop: int) -> None:
    divisor = x.dtype.type(divisor)
    for n in range(start, stop):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                total = x.dtype.type(0)
                for a in range(height):
                    for b in range(width):
                        total += x[n, i * height + a, j * width + b]
                out[n, i, j] = total / divisor


@_jit
def _pool_pairs(x: Any, out: Any, height: int, width: int, divisor: float, start: int, stop: int) -> None:
    divisor = x.dtype.type(divisor)
    for n in range(start, stop):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                total = (
                    x[n, 2 * i, 2 * j] + x[n, 2 * i, 2 * j + 1] + x[n, 2 * i + 1, 2 * j] + x[n, 2 * i + 1, 2 * j + 1]
                )
                out[n, i, j] = total / divisor


@_jit
def _spread(grad: Any, out: Any, height: int, width: int, divisor: float, start: int, stop: int) -> None:
    divisor = grad.dtype.type(divisor)
    for n in range(start, stop):
        for i in range(grad.shape[1]):
            for a in range(height):
                for j in range(grad.shape[2]):
                    for b in range(width):
                        out[n, i * height + a, j * width + b] = grad[n, i, j] / divisor
        _clear_rest(out, n, grad.shape[1] * height, grad.shape[2] * width)


@_jit
def _spread_pairs(grad: Any, out: Any, height: int, width: int, divisor: float, start: int, stop: int) -> None:
    divisor = grad.dtype.type(divisor)
    for n in range(start, stop):
        for i in range(grad.shape[1]):
            for j in range(grad.shape[2]):
                value = grad[n, i, j] / divisor
                out[n, 2 * i, 2 * j] = value
                out[n, 2 * i, 2 * j + 1] = value
            for x in range(2 * grad.shape[2]):
                out[n, 2 * i + 1, x] = out[n, 2 * i, x]
        _clear_rest(out, n, 2 * grad.shape[1], 2 * grad.shape[2])


@cache
def _entry(dtype: Any) -> Any:
    """The compiled entry point of all four; in its table: spread or pool, then sizes, then addresses."""

    @entry("sums over windows")
    def enter(table: Any) -> None:
        spreads, count, large, small, height, width, divisor = (
            *(table[2], table[3], (table[4], table[5])),
            *((table[6], table[7]), table[8], table[9], table[10]),
        )
        many = array_at(table[11], (count, large[0], large[1]), dtype)
        few = array_at(table[12], (count, small[0], small[1]), dtype)
        while True:
            start = claim(table, CLAIMED) * _GRAIN
            if start >= count:
                break
            stop = min(count, start + _GRAIN)
            if height == 2 and width == 2:
                if spreads:
                    _spread_pairs(few, many, height, width, divisor, start, stop)
                else:
                    _pool_pairs(many, few, height, width, divisor, start, stop)
            elif spreads:
                _spread(few, many, height, width, divisor, start, stop)
            else:
                _pool(many, few, height, width, divisor, start, stop)

    return enter


def _run(spreads: bool, many: Tensor, few: Tensor, window: tuple[int, int], divisor: int) -> None:
    """Pools ``many`` [n, H, W] into ``few`` [n, H // h, W // w], or spreads ``few`` over ``many``."""
    entry = _entry(np.float32 if many.dtype == torch.float32 else np.float64)
    sizes = (int(spreads), len(many), *many.shape[1:], *few.shape[1:], *window, divisor)
    threads = torch.get_num_threads() if many.numel() >= PARALLEL_FROM else 1
    run_on_threads(entry.address, table_of(*sizes, many.data_ptr(), few.data_ptr()), threads)


def can_pool(x: Tensor, window: tuple[int, int]) -> bool:
    """Whether ``window_mean`` and ``window_sum`` serve this input [..., H, W]; torch's own pooling serves the rest."""
    fits = x.shape[-2] >= window[0] and x.shape[-1] >= window[1]
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64) and fits and x.numel() > 0


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, window: tuple[int, int], divisor: int) -> Tensor:
        ctx.window, ctx.divisor, ctx.shape = window, divisor, x.shape
        flat = x.contiguous().view(-1, *x.shape[-2:])
        out = pool.empty((flat.shape[0], flat.shape[1] // window[0], flat.shape[2] // window[1]), x.dtype)
        _run(False, flat, out, window, divisor)
        return out.view(*x.shape[:-2], *out.shape[1:])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        flat = grad.contiguous().view(-1, *grad.shape[-2:])
        out = pool.empty((flat.shape[0], *ctx.shape[-2:]), grad.dtype)
        _run(True, out, flat, ctx.window, ctx.divisor)
        return out.view(ctx.shape), None, None


def window_sum(x: Tensor, window: tuple[int, int]) -> Tensor:
    """Sum over windows: [..., H, W] to [..., H // h, W // w]; rows and columns left over are dropped."""
    out: Tensor = _Pool.apply(x, window, 1)
    return out


def window_mean(x: Tensor, window: tuple[int, int]) -> Tensor:
    """Mean over windows: [..., H, W] to [..., H // h, W // w]; rows and columns left over are dropped."""
    out: Tensor = _Pool.apply(x, window, window[0] * window[1])
    return out

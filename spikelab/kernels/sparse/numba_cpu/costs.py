"""What products with spikes cost on the CPU, sparse and dense: estimates from sizes and the number of spikes.

The constants are nanoseconds on one core of an AMD EPYC with AVX-512 (benchmarks/results/sparse_products.md); what
matters is their ratio. They are numbers and not measurements of the moment, so that a run can be repeated exactly.
"""

from __future__ import annotations

import math

import torch

from spikelab.kernels.sparse.numba_cpu.convolution import lanes_of
from spikelab.kernels.sparse.window import Window

#: Whether a sample tells of the density before all is looked at.
SAMPLED = True
#: A dense multiplication and addition; one of a sparse linear layer; one weight laid out for it.
_DENSE, _LINEAR, _LAID_OUT = 0.0205, 0.052, 1.0
#: An element of a dense convolution's output.
_WRITTEN = 0.6
#: Channels of an input whose gradient is computed at once.
_CHANNELS = 16
#: A run of a sparse convolution, and 16 numbers of it; an element of its output that is cleared and turned.
_RUN, _VECTOR, _TURNED = 6.0, 0.75, 0.7
#: An element that is looked at, and what a call costs at least.
_LISTED, _CALL = 0.35, 1e5
#: A multiplication and addition of an input's gradient where it is wanted alone; a weight that is read, once for so
#: many bytes of the output's gradient; an element of which it is found out whether it is wanted.
_DOT, _READ, GRADIENT_BYTES, SUPPORT_FOUND = 0.067, 0.09, 1 << 18, 1.5


def linear_cost(rows: int, inputs: int, outputs: int, count: float, dtype: torch.dtype) -> tuple[float, float]:
    """(sparse, dense) in nanoseconds, of x [rows, inputs] with so many elements that are not zero."""
    sparse = _CALL + count * outputs * _LINEAR + inputs * outputs * _LAID_OUT + rows * inputs * _LISTED
    return sparse, rows * inputs * outputs * _DENSE


def convolution_cost(pictures: int, window: Window, count: float, dtype: torch.dtype) -> tuple[float, float]:
    """(sparse, dense) in nanoseconds, of so many pictures with so many elements together that are not zero."""
    sparse, multiplications = _reached(pictures, window, count)
    results = pictures * math.prod(window.out_size)
    return sparse, multiplications * _DENSE + results * window.outputs * _WRITTEN


def linear_input_cost(rows: int, inputs: int, outputs: int, count: float, dtype: torch.dtype) -> tuple[float, float]:
    """(where wanted, everywhere) in nanoseconds, of the gradient of x [rows, inputs], wanted for so many elements."""
    times_read = 4 * rows * outputs / GRADIENT_BYTES
    found = (
        _CALL + count * outputs * _DOT + inputs * outputs * (_LAID_OUT + times_read * _READ) + rows * inputs * _LISTED
    )
    return found, rows * inputs * outputs * _DENSE


def convolution_input_cost(pictures: int, window: Window, count: float, dtype: torch.dtype) -> tuple[float, float]:
    """(where wanted, everywhere) in nanoseconds, of the gradient of so many pictures, wanted for so many elements."""
    found, multiplications = _reached(pictures, window, count)
    # torch computes whole vectors of channels, however few there are
    channels = max(window.channels, _CHANNELS)
    dense = multiplications / window.channels * channels * _DENSE
    return found, dense + pictures * channels * window.height * window.width * _WRITTEN


def _reached(pictures: int, window: Window, count: float) -> tuple[float, float]:
    """Nanoseconds of reaching from so many elements of the pictures, and multiplications of reaching from all."""
    (kh, kw), (sh, sw) = window.kernel, window.stride
    runs = count * kh / sh
    results = pictures * math.prod(window.out_size)
    inputs = pictures * window.channels * window.height * window.width
    weights = window.outputs * window.channels * kh * kw
    added = runs * (_RUN + _VECTOR * kw / sw * lanes_of(window) / 16) + results * lanes_of(window) * _TURNED
    return _CALL + added + inputs * _LISTED + weights, results * weights

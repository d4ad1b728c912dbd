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
#: The gradient of the weights takes the dense path 1.15 times as long as the product, and the sparse path 0.7 to 1.2.
DENSE_LEARNING = 2.15 / 2
#: A dense multiplication and addition; one of a sparse linear layer; one weight laid out for it.
_DENSE, _LINEAR, _LAID_OUT = 0.0205, 0.052, 1.0
#: A multiplication and addition of a dense convolution, an element of its output, one of its input.
_CONVOLVED, _WRITTEN, _TAKEN = 0.0186, 0.5, 0.12
#: Channels of its input of which a dense convolution computes the gradient at once, however few there are.
_CHANNELS = 16
#: A run of a sparse convolution, and 16 numbers of it; an element of its output that is cleared and turned.
_RUN, _VECTOR, _TURNED = 1.2, 0.65, 0.62
#: A place with spikes in any channel: processors guess wrong how many there are. What a convolution costs at least.
_PLACE, _CONVOLUTION_CALL = 27.0, 3.5e5
#: A run of its input's gradient, and 16 numbers of it; an element of the output's gradient that is turned.
_INPUT_RUN, _INPUT_VECTOR, _INPUT_TURNED = 6.0, 0.75, 0.7
#: An element that is looked at, and what another call costs at least.
_LISTED, _CALL = 0.37, 1e5
#: A multiplication and addition of an input's gradient where it is wanted alone; a weight that is read, once for so
#: many bytes of the output's gradient; an element of which it is found out whether it is wanted.
_DOT, _READ, GRADIENT_BYTES, SUPPORT_FOUND = 0.067, 0.09, 1 << 18, 1.5


def linear_cost(rows: int, inputs: int, outputs: int, count: float, dtype: torch.dtype) -> tuple[float, float]:
    """(sparse, dense) in nanoseconds, of x [rows, inputs] with so many elements that are not zero."""
    sparse = _CALL + count * outputs * _LINEAR + inputs * outputs * _LAID_OUT + rows * inputs * _LISTED
    return sparse, rows * inputs * outputs * _DENSE


def convolution_cost(pictures: int, window: Window, count: float, dtype: torch.dtype) -> tuple[float, float]:
    """(sparse, dense) in nanoseconds, of so many pictures with so many elements together that are not zero."""
    places, results = pictures * window.height * window.width, pictures * math.prod(window.out_size)
    occupied = -places * math.expm1(-count / max(1, places))  # as if they lay anywhere
    sparse = _CONVOLUTION_CALL + occupied * _PLACE + _runs(pictures, window, count, _RUN, _VECTOR, _TURNED)
    weights = window.channels * math.prod(window.kernel)
    return sparse, results * lanes_of(window) * (weights * _CONVOLVED + _WRITTEN) + places * window.channels * _TAKEN


def linear_input_cost(rows: int, inputs: int, outputs: int, count: float, dtype: torch.dtype) -> tuple[float, float]:
    """(where wanted, everywhere) in nanoseconds, of the gradient of x [rows, inputs], wanted for so many elements."""
    times_read = 4 * rows * outputs / GRADIENT_BYTES
    found = (
        _CALL + count * outputs * _DOT + inputs * outputs * (_LAID_OUT + times_read * _READ) + rows * inputs * _LISTED
    )
    return found, rows * inputs * outputs * _DENSE


def convolution_input_cost(pictures: int, window: Window, count: float, dtype: torch.dtype) -> tuple[float, float]:
    """(where wanted, everywhere) in nanoseconds, of the gradient of so many pictures, wanted for so many elements."""
    found = _CALL + _runs(pictures, window, count, _INPUT_RUN, _INPUT_VECTOR, _INPUT_TURNED)
    reached = math.prod(window.out_size) * window.outputs * math.prod(window.kernel)
    everywhere = reached * _CONVOLVED + window.height * window.width * _WRITTEN
    return found, pictures * max(window.channels, _CHANNELS) * everywhere


def _runs(pictures: int, window: Window, count: float, run: float, vector: float, turned: float) -> float:
    """Nanoseconds of listing so many elements of the pictures, and of all that they reach."""
    (kh, kw), (sh, sw), lanes = window.kernel, window.stride, lanes_of(window)
    listed = pictures * window.channels * window.height * window.width * _LISTED
    reached = count * kh / sh * (run + vector * kw / sw * lanes / 16)
    weights = window.outputs * window.channels * kh * kw
    return listed + reached + pictures * math.prod(window.out_size) * lanes * turned + weights

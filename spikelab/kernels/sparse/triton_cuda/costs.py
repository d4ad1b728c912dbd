"""What products with spikes cost on a CUDA device, sparse and dense: from sizes, the number of spikes and the dtype.

Nothing was measured: the constants are what the data sheet of an H100 (SXM5) lets expect, in nanoseconds. It names 67
trillion float32 operations a second, 495 in TF32 and 989 in half precision on tensor cores, 67 in float64; of these a
product gets three quarters. What is added for one spike comes from the second-level cache, of which 3 TB/s are assumed.
So dense products are hard to beat: by less than 3 % of spikes in float32, and by less than 0.4 % with TF32.
"""

from __future__ import annotations

import math

import torch

from spikelab.kernels.sparse.window import Window

#: Whether a sample tells of the density before all is looked at: listing costs less than asking twice.
SAMPLED = False
#: The gradient of the weights is supposed to cost both paths what the product does.
DENSE_LEARNING = 1.0
#: An element of which it is found out whether its gradient is wanted.
SUPPORT_FOUND = 2e-3
#: A call: three launches, and the wait for a number.
_CALL = 5e4
#: An operation of a dense product, by dtype; in float32 with TF32.
_DENSE = {torch.float32: 2.0e-5, torch.float16: 1.35e-6, torch.bfloat16: 1.35e-6, torch.float64: 2.0e-5}
_TF32 = 2.7e-6
#: A byte of the second-level cache, and of the memory.
_CACHED, _READ = 1 / 3000, 1 / 2500


def linear_cost(rows: int, inputs: int, outputs: int, count: float, dtype: torch.dtype) -> tuple[float, float]:
    """(sparse, dense) in nanoseconds, of x [rows, inputs] with so many elements that are not zero."""
    elements, operations = rows * (inputs + outputs), 2 * rows * inputs * outputs
    return _sparse(elements, count * outputs, dtype), operations * _operation(dtype, _tf32_in_matrices())


def convolution_cost(pictures: int, window: Window, count: float, dtype: torch.dtype) -> tuple[float, float]:
    """(sparse, dense) in nanoseconds, of so many pictures with so many elements together that are not zero."""
    results = pictures * math.prod(window.out_size) * window.outputs
    inputs = pictures * window.channels * window.height * window.width
    additions = count * window.outputs * math.prod(window.kernel) / math.prod(window.stride)
    operations = 2 * results * window.channels * math.prod(window.kernel)
    return _sparse(inputs + results, additions, dtype), operations * _operation(dtype, tf32=True)


def linear_input_cost(rows: int, inputs: int, outputs: int, count: float, dtype: torch.dtype) -> tuple[float, float]:
    """(where wanted, everywhere) in nanoseconds, of the gradient of x [rows, inputs], wanted for so many elements."""
    sparse, dense = linear_cost(rows, inputs, outputs, count, dtype)
    # a row of the weights and one of the gradient are read for each
    return sparse + _sparse(0, count * outputs, dtype) - _CALL, dense


def convolution_input_cost(pictures: int, window: Window, count: float, dtype: torch.dtype) -> tuple[float, float]:
    """(where wanted, everywhere) in nanoseconds, of the gradient of so many pictures, wanted for so many elements."""
    sparse, dense = convolution_cost(pictures, window, count, dtype)
    reached = count * window.outputs * math.prod(window.kernel) / math.prod(window.stride)
    return sparse + _sparse(0, reached, dtype) - _CALL, dense


def _sparse(elements: float, additions: float, dtype: torch.dtype) -> float:
    return _CALL + dtype.itemsize * (elements * _READ + additions * _CACHED)


def _operation(dtype: torch.dtype, tf32: bool) -> float:
    return _TF32 if tf32 and dtype == torch.float32 else _DENSE[dtype]


def _tf32_in_matrices() -> bool:
    """Convolutions have it unless it is forbidden, products of matrices only where it is allowed."""
    return torch.get_float32_matmul_precision() != "highest"

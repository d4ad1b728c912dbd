"""Whether a product with spikes is cheaper than the dense one: an estimate from sizes and the measured density.

The constants are nanoseconds on one core of an AMD EPYC with AVX-512 (benchmarks/results/sparse_products.md); what
matters is their ratio. They are numbers and not measurements of the moment, so that a run can be repeated exactly.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import Tensor

from spikelab.kernels.sparse.convolution import Window
from spikelab.kernels.sparse.spike_list import can_list

logger = logging.getLogger("spikelab.kernels")

CHOICES = ("auto", "sparse", "dense")
#: A dense multiplication and addition; one of a sparse linear layer; one weight laid out for it.
_DENSE, _LINEAR, _LAID_OUT = 0.0205, 0.052, 1.0
#: An element of a dense convolution's output.
_WRITTEN = 0.6
#: A run of a sparse convolution, and 16 numbers of it; an element of its output that is cleared and turned.
_RUN, _VECTOR, _TURNED = 6.0, 0.75, 0.7
#: An element that is looked at, and what a call costs at least.
_LISTED, _CALL = 0.35, 1e5
#: A multiplication and addition of an input's gradient where it is wanted alone; a weight that is read, once for so
#: many bytes of the output's gradient; an element of which it is found out whether it is wanted.
_DOT, _READ, GRADIENT_BYTES, SUPPORT_FOUND = 0.067, 0.09, 1 << 18, 1.5
#: The sparse path must promise to be so much faster.
_MARGIN = 0.9
#: Stretches of elements that are looked at before all are.
_STRETCHES, _STRETCH = 256, 16
_forced: str | None = None
_said: set[tuple[str, bool]] = set()


@contextmanager
def spike_products(choice: str) -> Iterator[None]:
    """Within it, every layer that would choose takes "sparse" or "dense" products; for comparisons.

    Raises:
        ValueError: for an unknown choice.
    """
    global _forced
    require_choice(choice, "spike_products")
    before, _forced = _forced, choice
    try:
        yield
    finally:
        _forced = before


def require_choice(choice: str, what: str) -> None:
    """Refuses an unknown choice by name.

    Raises:
        ValueError: if it is one.
    """
    if choice not in CHOICES:
        raise ValueError(f"{what}: products = {choice!r} must be one of {', '.join(CHOICES)}")


def linear_cost(rows: int, inputs: int, outputs: int, count: float) -> tuple[float, float]:
    """(sparse, dense) in nanoseconds, of x [rows, inputs] with so many elements that are not zero."""
    sparse = _CALL + count * outputs * _LINEAR + inputs * outputs * _LAID_OUT + rows * inputs * _LISTED
    return sparse, rows * inputs * outputs * _DENSE


def convolution_cost(pictures: int, window: Window, count: float) -> tuple[float, float]:
    """(sparse, dense) in nanoseconds, of so many pictures with so many elements together that are not zero."""
    sparse, multiplications = _reached(pictures, window, count)
    results = pictures * math.prod(window.out_size)
    return sparse, multiplications * _DENSE + results * window.outputs * _WRITTEN


def linear_input_cost(rows: int, inputs: int, outputs: int, count: float) -> tuple[float, float]:
    """(where wanted, everywhere) in nanoseconds, of the gradient of x [rows, inputs], wanted for so many elements."""
    times_read = 4 * rows * outputs / GRADIENT_BYTES
    found = (
        _CALL + count * outputs * _DOT + inputs * outputs * (_LAID_OUT + times_read * _READ) + rows * inputs * _LISTED
    )
    return found, rows * inputs * outputs * _DENSE


def convolution_input_cost(pictures: int, window: Window, count: float) -> tuple[float, float]:
    """(where wanted, everywhere) in nanoseconds, of the gradient of so many pictures, wanted for so many elements."""
    found, multiplications = _reached(pictures, window, count)
    return found, multiplications * _DENSE + pictures * window.channels * window.height * window.width * _WRITTEN


def _reached(pictures: int, window: Window, count: float) -> tuple[float, float]:
    """Nanoseconds of reaching from so many elements of the pictures, and multiplications of reaching from all."""
    (kh, kw), (sh, sw) = window.kernel, window.stride
    runs = count * kh / sh
    results = pictures * math.prod(window.out_size)
    inputs = pictures * window.channels * window.height * window.width
    weights = window.outputs * window.channels * kh * kw
    added = runs * (_RUN + _VECTOR * kw / sw * window.lanes / 16) + results * window.lanes * _TURNED
    return _CALL + added + inputs * _LISTED + weights, results * weights


def is_worth(sparse: float, dense: float) -> bool:
    """Whether the sparse path is taken at these costs."""
    return sparse < _MARGIN * dense


def may_be_sparse(x: Tensor, weight: Tensor, choice: str) -> str:
    """What of a choice remains: "dense", "sparse", or "auto" where the density decides.

    The dense path is taken wherever the sparse one does not exist: on a GPU, in half precision, under autocast,
    ``torch.compile`` and the transformations of ``torch.func``.
    """
    if _forced is not None and choice == "auto":
        choice = _forced
    if choice == "dense" or not can_list(x) or weight.dtype != x.dtype or not x.numel():
        return "dense"
    if torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu") or torch._C._are_functorch_transforms_active():
        return "dense"
    return choice


@lru_cache(maxsize=64)
def _sample_of(count: int) -> Tensor:
    """Where to look among so many elements: stretches that lie in golden sections, which no pattern of sizes meets."""
    begins = torch.frac(torch.arange(_STRETCHES, dtype=torch.float64) * ((5**0.5 - 1) / 2)) * (count - _STRETCH)
    return (begins.long()[:, None] + torch.arange(_STRETCH)).flatten()


def sampled_density(x: Tensor) -> float:
    """The share of x that is not zero, from ``_STRETCHES`` stretches of it."""
    flat = x.detach().reshape(-1)
    if len(flat) > 4 * _STRETCHES * _STRETCH:
        flat = flat[_sample_of(len(flat))]
    return int(flat.count_nonzero()) / flat.numel()


def tell(what: str, density: float, sparse: bool) -> None:
    """Says once which path a layer takes."""
    if (what, sparse) not in _said:
        _said.add((what, sparse))
        logger.info("%s: %s product, %.3g of the input is not zero", what, "sparse" if sparse else "dense", density)

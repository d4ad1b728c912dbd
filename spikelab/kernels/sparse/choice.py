"""Whether a product with spikes is taken, or the dense one: by what is estimated to be cheaper, and can be computed."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import Tensor

logger = logging.getLogger("spikelab.kernels")

CHOICES = ("auto", "sparse", "dense")
#: The sparse path must promise to be so much faster.
_MARGIN = 0.9
#: Stretches of elements that are looked at before all are.
_STRETCHES, _STRETCH = 256, 16
_forced: str | None = None
_said: set[tuple[str, ...]] = set()


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


def is_worth(sparse: float, dense: float) -> bool:
    """Whether the sparse path is taken at these costs."""
    return sparse < _MARGIN * dense


def asked(choice: str) -> str:
    """The choice of a layer, or that of ``spike_products`` where the layer leaves it open."""
    return _forced if _forced is not None and choice == "auto" else choice


def only_dense(x: Tensor, weight: Tensor) -> str:
    """Why the product of these cannot be sparse, whatever was asked for; "" if it can."""
    if torch.compiler.is_compiling():
        return "torch.compile sees dense products alone"
    if torch.jit.is_tracing():
        return "torch.jit.trace sees dense products alone"
    if x.device.type == "meta":
        return "there are no values on the device meta"
    if torch.is_autocast_enabled(x.device.type):
        return "autocast is on"
    if (weight.dtype, weight.device) != (x.dtype, x.device):
        return f"the input is {x.dtype} on {x.device}, the weights are {weight.dtype} on {weight.device}"
    if torch._C._are_functorch_transforms_active():
        return "transformations of torch.func see dense products alone"
    return ""


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


def least_likely(sampled: float) -> float:
    """The least density that a sample leaves likely: two standard deviations less, were all of a stretch alike."""
    return max(0.0, sampled - 2 * math.sqrt(sampled * (1 - sampled) / _STRETCHES))


def tell(what: str, choice: str, density: float, sparse: bool) -> None:
    """Says once which path is taken for products of these sizes."""
    path = "sparse" if sparse else "dense"
    if (what, choice, path) not in _said:
        _said.add((what, choice, path))
        logger.info("%s: %s product (products = %s), %.3g of the input is not zero", what, path, choice, density)


def tell_only_dense(name: Callable[[], str], reason: str) -> None:
    """Says once that sparse products were asked for in vain; a compiler and a tracer could not follow that."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return
    what = name()
    if (what, reason) not in _said:
        _said.add((what, reason))
        logger.warning("%s: dense product, although products = sparse: %s", what, reason)

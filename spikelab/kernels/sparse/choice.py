"""Whether a product with spikes is taken, or the dense one: by what is estimated to be cheaper, and can be computed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
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


def is_worth(sparse: float, dense: float) -> bool:
    """Whether the sparse path is taken at these costs."""
    return sparse < _MARGIN * dense


def may_be_sparse(x: Tensor, weight: Tensor, choice: str) -> str:
    """What of a choice remains: "dense", "sparse", or "auto" where the density decides.

    The dense path is taken where the sparse one does not exist: under autocast, ``torch.compile`` and the
    transformations of ``torch.func``.
    """
    if _forced is not None and choice == "auto":
        choice = _forced
    if choice == "dense" or (weight.dtype, weight.device) != (x.dtype, x.device) or not x.numel():
        return "dense"
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return "dense"
    return "dense" if torch.is_autocast_enabled(x.device.type) else choice


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

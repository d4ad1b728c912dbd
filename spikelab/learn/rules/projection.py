"""Fixed matrices onto which a layer's activity is projected to see how well it tells classes apart."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

#: Frequencies of the rows, in radians a place; far above pi, so that they fold back and rows are nearly orthogonal.
_FREQUENCIES = (50.0, 512.0)


def projection_basis(kind: str, rows: int, places: int, generator: torch.Generator | None = None) -> Tensor:
    """A fixed matrix [rows, places].

    Args:
        kind: "square" (square waves of many frequencies), "sine", or "random" (normal, of standard deviation 0.1).
        rows: usually one a class.
        places: length of what is projected.
        generator: of the random one.

    Raises:
        ValueError: For another kind.

    Source: Apolinario, Roy and Roy 2025, WACV, and the authors' code, whose frequencies these are.
    """
    if kind == "random":
        return 0.1 * torch.randn(rows, places, generator=generator)
    if kind not in ("square", "sine"):
        raise ValueError(f"basis = {kind!r}: takes 'square', 'sine' or 'random'")
    frequencies = torch.linspace(*_FREQUENCIES, rows, dtype=torch.float64)
    waves = torch.sin(frequencies[:, None] * torch.arange(places, dtype=torch.float64))
    # never 0, also at the first place, where every sine is
    return (waves if kind == "sine" else torch.where(waves >= 0, 1.0, -1.0)).to(torch.get_default_dtype())


def pooled_size(shape: tuple[int, ...], features: int) -> tuple[int, ...]:
    """The shape to which activity of a shape is averaged so that it holds about `features` numbers, or fewer.

    Feature maps [C, H, W] keep their channels, and places are averaged over squares.
    """
    if len(shape) == 3:
        side = max(1, math.isqrt(max(1, features // shape[0])))
        return shape[0], min(side, shape[1]), min(side, shape[2])
    if len(shape) == 2:
        return shape[0], max(1, min(features // shape[0], shape[1]))
    return (min(features, shape[0]),)


def pool(activity: Tensor, size: tuple[int, ...]) -> Tensor:
    """Averages activity [B, ...] to [B, product of size]."""
    if activity.shape[1:] == size:
        return activity.flatten(1)
    if len(size) == 3:
        return functional.adaptive_avg_pool2d(activity, size[1:]).flatten(1)
    if len(size) == 2:
        return functional.adaptive_avg_pool1d(activity, size[1]).flatten(1)
    return functional.adaptive_avg_pool1d(activity[:, None], size[0]).flatten(1)

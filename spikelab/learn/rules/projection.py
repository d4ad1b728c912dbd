"""Fixed matrices onto which a layer's activity is projected to see how well it tells classes apart."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

#: Frequencies of the rows, in radians a place; far above pi, so that they fold back and rows are nearly orthogonal.
_FREQUENCIES = (50.0, 512.0)


def projection_basis(kind: str, rows: int, places: int, generator: torch.Generator | None = None) -> Tensor:
    """A fixed matrix [rows, places].

    Args:
        kind: "square" (square waves of many frequencies), "sine", "cosine" (rows of the discrete cosine transform,
            evenly spread: orthogonal and without a mean however many there are, where some of the former overlap from
            about 100 on), or "random" (normal, of standard deviation 0.1).
        rows: usually one a class.
        places: length of what is projected.
        generator: of the random one.

    Raises:
        ValueError: For another kind, or more cosines than there are.

    Source: Apolinario, Roy and Roy 2025, WACV, and the authors' code, whose frequencies these are; what its command
    line calls cosine is "sine" here, and "cosine" is ours.
    """
    if kind == "random":
        return 0.1 * torch.randn(rows, places, generator=generator)
    if kind == "cosine":
        if rows > places - 1:
            raise ValueError(f"basis = 'cosine': activity of {places} numbers has {places - 1} rows, not {rows}")
        waves = torch.linspace(1, places - 1, rows, dtype=torch.float64).round()
        moments = torch.arange(places, dtype=torch.float64) + 0.5
        return torch.cos(math.pi / places * waves[:, None] * moments).to(torch.get_default_dtype())
    if kind not in ("square", "sine"):
        raise ValueError(f"basis = {kind!r}: takes 'square', 'sine', 'cosine' or 'random'")
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
    """Averages activity [B, ...] over as many parts as `size` says, to [B, product of size].

    Parts are those of torch's adaptive pooling; a feature map's channels stay apart.
    """
    if activity.shape[1:] == size:
        return activity.flatten(1)
    places, parts = (activity.shape[1:], size) if activity.dim() == 2 else (activity.shape[2:], size[1:])
    # one product, which is several times faster than torch's adaptive pooling and its way back
    means = _means(tuple(places), parts, activity.dtype, activity.device)
    return (activity.flatten(-len(places)) @ means).flatten(1)


@lru_cache(maxsize=64)
def _means(places: tuple[int, ...], parts: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """What averages places, one or two dimensions of them, over parts: [product of places, product of parts]."""
    average: Any = functional.adaptive_avg_pool1d if len(places) == 1 else functional.adaptive_avg_pool2d
    # inference mode would make it useless for training later
    with torch.inference_mode(False), torch.no_grad():
        single = torch.eye(math.prod(places)).view(-1, 1, *places)
        means: Tensor = average(single, parts).flatten(1).to(device, dtype)
    return means

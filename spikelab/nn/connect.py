"""Connections between neurons, over sequences [T, B, ...].

The stateless ones are torch's own modules with time folded into the batch: one large product instead of T small ones.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from spikelab.kernels.pooling import can_pool, window_mean, window_sum
from spikelab.nn.state import State, Stateful


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


class _OverTime:
    """Folds time into the batch for a module that knows only batches."""

    _sample_dimensions: int

    def forward(self, x: Tensor) -> Tensor:
        """Maps x [T, B, ...] to [T, B, ...]."""
        if x.dim() != self._sample_dimensions + 2:
            layout = {1: "[T, B, N]", 3: "[T, B, C, H, W]"}[self._sample_dimensions]
            raise ValueError(
                f"{type(self).__name__}: input has shape {list(x.shape)}, but must be {layout}, time first"
            )
        folded: Tensor = super().forward(x.flatten(0, 1))  # type: ignore[misc]
        return folded.unflatten(0, x.shape[:2])


class Dense(_OverTime, nn.Linear):
    """All-to-all connection with ``torch.nn.Linear``'s arguments, on [T, B, N]."""

    _sample_dimensions = 1


class Conv2d(_OverTime, nn.Conv2d):
    """Convolution with ``torch.nn.Conv2d``'s arguments, on [T, B, C, H, W]."""

    _sample_dimensions = 3


class AvgPool2d(_OverTime, nn.AvgPool2d):
    """Mean over windows with ``torch.nn.AvgPool2d``'s arguments, on [T, B, C, H, W]."""

    _sample_dimensions = 3

    def forward(self, x: Tensor) -> Tensor:
        """Maps x [T, B, C, H, W] to [T, B, C, H', W']."""
        window, stride = _pair(self.kernel_size), _pair(self.stride)
        plain = stride == window and _pair(self.padding) == (0, 0) and not self.ceil_mode and x.dim() == 5
        if plain and self.divisor_override in (None, 1) and can_pool(x, window) and not torch.compiler.is_compiling():
            return window_mean(x, window) if self.divisor_override is None else window_sum(x, window)
        return super().forward(x)


class SumPool2d(AvgPool2d):
    """Sum over windows: what an event-driven chip does when it pools, on [T, B, C, H, W]."""

    def __init__(self, kernel_size: int | tuple[int, int], stride: Any = None, padding: int | tuple[int, int] = 0):
        super().__init__(kernel_size, stride, padding, divisor_override=1)


class MaxPool2d(_OverTime, nn.MaxPool2d):
    """Maximum over windows with ``torch.nn.MaxPool2d``'s arguments, on [T, B, C, H, W]."""

    _sample_dimensions = 3


class BatchNorm1d(_OverTime, nn.BatchNorm1d):
    """Normalisation over time and batch of [T, B, N] (tdBN without its scale: Zheng et al. 2021, AAAI, section 4.1)."""

    _sample_dimensions = 1


class BatchNorm2d(_OverTime, nn.BatchNorm2d):
    """Normalisation over time, batch and place of [T, B, C, H, W] (Zheng et al. 2021, tdBN, AAAI, section 4.1)."""

    _sample_dimensions = 3


class Flatten(nn.Module):
    """[T, B, ...] to [T, B, N]."""

    def forward(self, x: Tensor) -> Tensor:
        """Joins all dimensions after time and batch."""
        return x.flatten(2)


class Delay(Stateful):
    """Gives out its input some steps later; the state holds what is still under way.

    Args:
        steps: whole time steps, one for all or one for each element of the first sample dimension.

    Raises:
        ValueError: for a negative or fractional delay.
    """

    def __init__(self, steps: int | Tensor):
        super().__init__()
        delays = torch.as_tensor(steps)
        if delays.is_floating_point() or delays.dim() > 1 or bool((delays < 0).any()):
            raise ValueError(f"Delay: steps = {steps!r} must be whole numbers >= 0, a number or a tensor [N]")
        self.register_buffer("steps", delays)
        self.steps: Tensor
        self.longest = int(delays.max()) if delays.numel() else 0

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Delays x [T, B, ...]; the state is {"under_way": [longest delay, B, ...]}."""
        under_way = x.new_zeros((self.longest, *x.shape[1:])) if state is None else state["under_way"]
        if under_way.shape[1:] != x.shape[1:]:
            raise ValueError(
                f"Delay: the state holds steps of shape {list(under_way.shape[1:])}, the input has {list(x.shape[1:])}"
            )
        line = torch.cat([under_way, x])
        length = x.shape[0]
        if self.steps.dim() == 0:
            out = line[:length]
        else:
            if x.dim() < 3 or x.shape[2] != len(self.steps):
                raise ValueError(f"Delay: {len(self.steps)} delays for an input of shape {list(x.shape)}")
            shifted = [line[self.longest - d :][:length, :, n] for n, d in enumerate(self.steps.tolist())]
            out = torch.stack(shifted, dim=2)
        return out, {"under_way": line[line.shape[0] - self.longest :]}

"""Connections between neurons, over sequences [T, B, ...].

The stateless ones are torch's own modules with time folded into the batch: one large product instead of T small ones.
Dense layers and convolutions add only what spikes reach where that promises to be faster (`spikelab.kernels.sparse`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from spikelab.kernels.pooling import can_pool, window_mean, window_sum
from spikelab.kernels.sparse.choice import require_choice, tell_only_dense
from spikelab.kernels.sparse.product import convolution, linear
from spikelab.kernels.sparse.support import pass_on
from spikelab.nn.state import State, Stateful


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _require_numbers(x: Tensor, name: str) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}: the input is a {type(x).__name__}; give a tensor, as by torch.as_tensor(...)")
    if not x.is_floating_point():
        raise TypeError(f"{name}: the input is {x.dtype}; spikes are numbers here: x.float()")


class _OverTime:
    """Folds time into the batch for a module that knows only batches."""

    _sample_dimensions: int

    def forward(self, x: Tensor) -> Tensor:
        """Maps x [T, B, ...] to [T, B, ...]."""
        _require_numbers(x, type(self).__name__)
        if x.dim() != self._sample_dimensions + 2:
            layout = {1: "[T, B, N]", 2: "[T, B, C, L]", 3: "[T, B, C, H, W]"}[self._sample_dimensions]
            raise ValueError(
                f"{type(self).__name__}: input has shape {list(x.shape)}, but must be {layout}, time first"
            )
        folded: Tensor = super().forward(pass_on(x, x.flatten(0, 1)))  # type: ignore[misc]
        return folded.unflatten(0, x.shape[:2])


class _OfSpikes(_OverTime):
    """A product that may leave out what is zero: "sparse", "dense", or "auto" by the density of what comes in."""

    _products = "auto"

    def __init__(self, *arguments: Any, products: str = "auto", **options: Any):
        super().__init__(*arguments, **options)
        self.products = products

    @property
    def products(self) -> str:
        """Which product is taken: "auto", "sparse" or "dense"."""
        return self._products

    @products.setter
    def products(self, products: str) -> None:
        require_choice(products, type(self).__name__)
        self._products = products

    def extra_repr(self) -> str:
        """The sizes, and the choice where it is not "auto"."""
        sizes: str = super().extra_repr()  # type: ignore[misc]
        return sizes if self.products == "auto" else f"{sizes}, products={self.products!r}"


class Dense(_OfSpikes, nn.Linear):
    """All-to-all connection on [T, B, N].

    Args:
        *arguments: as of ``torch.nn.Linear``.
        products: "auto" adds only the weights of active inputs where that is estimated to be faster, "sparse" always
            where it can, "dense" never; it may be changed at any time. Results differ by rounding; what is not finite
            in a weight does not reach outputs of inputs that are zero. The sparse path takes float32 and float64, on a
            GPU half precision too; under autocast, ``torch.compile`` and ``torch.jit.trace`` products are dense. It
            cannot be differentiated twice. Which path is taken is told on the logger ``spikelab.kernels``, at level
            INFO, once for the same sizes.
        **options: as of ``torch.nn.Linear``.
    """

    _sample_dimensions = 1

    def forward(self, x: Tensor) -> Tensor:
        """Maps x [T, B, N] to [T, B, N']."""
        _require_numbers(x, "Dense")
        if x.dim() != 3:
            return super().forward(x)
        if x.shape[-1] != self.in_features:
            raise ValueError(
                f"Dense: the input has {x.shape[-1]} values a step, {list(x.shape)}, but the layer takes "
                f"{self.in_features}"
            )
        return linear(x, self.weight, self.bias, self.products)


class Conv1d(_OverTime, nn.Conv1d):
    """Convolution along a line with ``torch.nn.Conv1d``'s arguments, on [T, B, C, L]."""

    _sample_dimensions = 2


class Conv2d(_OfSpikes, nn.Conv2d):
    """Convolution on [T, B, C, H, W].

    Args:
        *arguments: as of ``torch.nn.Conv2d``.
        products: as of ``Dense``; with groups, dilation, padding by name or with other than zeros they are dense.
        **options: as of ``torch.nn.Conv2d``.
    """

    _sample_dimensions = 3

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        plain = self.groups == 1 and self.dilation == (1, 1) and self.padding_mode == "zeros"
        if not plain or isinstance(self.padding, str):
            if self.products == "sparse":
                tell_only_dense(lambda: repr(self), "it has groups, dilation, padding by name or other than zeros")
            return super()._conv_forward(x, weight, bias)
        stride, padding = _pair(self.stride), _pair(self.padding)  # type: ignore[arg-type]
        return convolution(x, weight, bias, stride, padding, self.products)


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


class AdaptiveAvgPool2d(_OverTime, nn.AdaptiveAvgPool2d):
    """Mean over as many parts of the picture as asked for, of ``torch.nn.AdaptiveAvgPool2d``, on [T, B, C, H, W]."""

    _sample_dimensions = 3


class MaxPool2d(_OverTime, nn.MaxPool2d):
    """Maximum over windows with ``torch.nn.MaxPool2d``'s arguments, on [T, B, C, H, W]."""

    _sample_dimensions = 3


class BatchNorm1d(_OverTime, nn.BatchNorm1d):
    """Normalisation over time and batch of [T, B, N] (tdBN without its scale: Zheng et al. 2021, AAAI, section 4.1)."""

    _sample_dimensions = 1


class BatchNorm2d(_OverTime, nn.BatchNorm2d):
    """Normalisation over time, batch and place of [T, B, C, H, W] (Zheng et al. 2021, tdBN, AAAI, section 4.1)."""

    _sample_dimensions = 3


class Scale(nn.Module):
    """Multiplies each element by a learned factor of its own: [T, B, ...] to the same.

    Args:
        scale: the factors, a number or a tensor that broadcasts to the shape of a sample.
    """

    def __init__(self, scale: float | Tensor):
        super().__init__()
        self.scale = nn.Parameter(torch.as_tensor(scale, dtype=torch.get_default_dtype()).clone())

    def forward(self, x: Tensor) -> Tensor:
        """Scales x [T, B, ...]."""
        return x * _for_samples(self.scale, x, "Scale: scale")


class Threshold(nn.Module):
    """1 where the input is above a threshold, else 0: [T, B, ...] to the same. It passes no gradient on.

    Args:
        threshold: a number or a tensor that broadcasts to the shape of a sample.
    """

    def __init__(self, threshold: float | Tensor):
        super().__init__()
        self.register_buffer("threshold", torch.as_tensor(threshold, dtype=torch.get_default_dtype()).clone())
        self.threshold: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Compares x [T, B, ...]."""
        return (x > _for_samples(self.threshold, x, "Threshold: threshold")).to(x.dtype)


def _for_samples(values: Tensor, x: Tensor, what: str) -> Tensor:
    try:
        fits = torch.broadcast_shapes(values.shape, x.shape[2:]) == x.shape[2:]
    except RuntimeError:
        fits = False
    if not fits:
        raise ValueError(f"{what} has shape {list(values.shape)}, which does not fit samples of {list(x.shape[2:])}")
    return values


class Flatten(nn.Module):
    """[T, B, ...] to [T, B, N].

    Args:
        start_dim: first dimension to join, not counting time and batch.
        end_dim: last one, likewise; -1 is the last of all.
    """

    def __init__(self, start_dim: int = 0, end_dim: int = -1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        """Joins dimensions after time and batch."""
        start, end = (place if place < 0 else place + 2 for place in (self.start_dim, self.end_dim))
        return x.flatten(start, end)


class Delay(Stateful):
    """Gives out its input some steps later; the state holds what is still under way.

    Args:
        steps: whole time steps: one for all, one for each element of the first sample dimension, or one for each
            element of a sample.

    Raises:
        ValueError: for a negative or fractional delay.
    """

    def __init__(self, steps: int | Tensor):
        super().__init__()
        delays = torch.as_tensor(steps)
        if delays.is_floating_point() or bool((delays < 0).any()):
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
        elif self.steps.dim() > 1:
            if x.shape[2:] != self.steps.shape:
                raise ValueError(f"Delay: delays {list(self.steps.shape)} for an input of shape {list(x.shape)}")
            moments = torch.arange(length, device=x.device).reshape(-1, *[1] * self.steps.dim())
            out = line.gather(0, (self.longest - self.steps + moments).unsqueeze(1).expand(x.shape))
        else:
            if x.dim() < 3 or x.shape[2] != len(self.steps):
                raise ValueError(f"Delay: {len(self.steps)} delays for an input of shape {list(x.shape)}")
            shifted = [line[self.longest - d :][:length, :, n] for n, d in enumerate(self.steps.tolist())]
            out = torch.stack(shifted, dim=2)
        return out, {"under_way": line[line.shape[0] - self.longest :]}

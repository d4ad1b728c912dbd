"""Torch's own layers as ours over time, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from spikelab.io.follow import CannotTranslate
from spikelab.nn import AvgPool2d, BatchNorm1d, BatchNorm2d, Conv2d, Dense, Flatten, MaxPool2d, SumPool2d

M = TypeVar("M", bound=nn.Module)


def from_torch_layer(module: nn.Module, sample_shape: tuple[int, ...], leading: int) -> nn.Module | None:
    """One of torch's layers as ours, None for one that does nothing when deployed.

    Args:
        module: the layer, in evaluation mode.
        sample_shape: of its input, without time and batch.
        leading: dimensions before the sample: 1 (batch) or 2 (time and batch).

    Raises:
        CannotTranslate: for any other layer, and for options that ours lack.
    """
    ours: nn.Module
    match module:
        case nn.Identity() | nn.Dropout() | nn.Dropout2d() | nn.AlphaDropout():
            return None
        case nn.Flatten():
            dimensions = leading + len(sample_shape)
            if module.start_dim % dimensions != leading or module.end_dim % dimensions != dimensions - 1:
                raise CannotTranslate(
                    f"Flatten from {module.start_dim} to {module.end_dim} does not join exactly the dimensions of a "
                    f"sample; use start_dim={leading}"
                )
            return Flatten()
        case nn.Linear():
            if len(sample_shape) != 1:
                raise CannotTranslate(f"a Linear over samples of shape {list(sample_shape)}; flatten them first")
            ours = Dense(module.in_features, module.out_features, module.bias is not None)
        case nn.Conv2d():
            ours = _convolution(Conv2d, module)
        case nn.AvgPool2d() if module.divisor_override == 1 and not module.ceil_mode:
            return SumPool2d(module.kernel_size, module.stride, module.padding)
        case nn.AvgPool2d():
            return _mean_pool(AvgPool2d, module)
        case nn.MaxPool2d() if not module.return_indices:
            return _max_pool(MaxPool2d, module)
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            if not module.track_running_stats:
                raise CannotTranslate("batch normalisation without running statistics; set track_running_stats=True")
            if leading + len(sample_shape) != (4 if isinstance(module, nn.BatchNorm2d) else 2):
                raise CannotTranslate(
                    "batch normalisation over a whole sequence takes time for a channel; apply it a step"
                )
            ours = _norm(BatchNorm2d if isinstance(module, nn.BatchNorm2d) else BatchNorm1d, module)
        case _:
            raise CannotTranslate(f"{type(module).__name__} has no counterpart here; leave it out, or write it by hand")
    _copy_values(module, ours)
    return ours


def to_torch_layer(module: nn.Module) -> nn.Module:
    """One of our layers without state as torch's, on single steps [B, ...].

    Raises:
        CannotTranslate: for any other layer.
    """
    theirs: nn.Module
    match module:
        case Flatten():
            return nn.Flatten()
        case Dense():
            theirs = nn.Linear(module.in_features, module.out_features, module.bias is not None)
        case Conv2d():
            theirs = _convolution(nn.Conv2d, module)
        case AvgPool2d():
            return _mean_pool(nn.AvgPool2d, module)
        case MaxPool2d():
            return _max_pool(nn.MaxPool2d, module)
        case BatchNorm1d() | BatchNorm2d():
            theirs = _norm(nn.BatchNorm2d if isinstance(module, BatchNorm2d) else nn.BatchNorm1d, module)
        case _:
            raise CannotTranslate(f"{type(module).__name__} has no counterpart there; leave it out")
    _copy_values(module, theirs)
    return theirs.eval()


def _convolution(kind: Callable[..., M], module: nn.Conv2d) -> M:
    return kind(
        module.in_channels, module.out_channels, module.kernel_size, module.stride, module.padding, module.dilation,
        module.groups, module.bias is not None, module.padding_mode,
    )  # fmt: skip


def _mean_pool(kind: Callable[..., M], module: nn.AvgPool2d) -> M:
    return kind(
        module.kernel_size, module.stride, module.padding, module.ceil_mode, module.count_include_pad,
        module.divisor_override,
    )  # fmt: skip


def _max_pool(kind: Callable[..., M], module: nn.MaxPool2d) -> M:
    return kind(module.kernel_size, module.stride, module.padding, module.dilation, False, module.ceil_mode)


def _norm(kind: Callable[..., M], module: nn.BatchNorm1d | nn.BatchNorm2d) -> M:
    return kind(module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats)


def _copy_values(source: nn.Module, target: nn.Module) -> None:
    values = {name: value.detach().clone() for name, value in source.state_dict().items()}
    precision = next((v.dtype for v in values.values() if v.is_floating_point()), torch.get_default_dtype())
    target.to(precision).load_state_dict(values)

"""Counts what a layer really computes: multiply-accumulates of ordinary layers, synaptic operations of spiking ones.

A synaptic operation is one weight added because one non-zero input arrived; an input at the border of a picture reaches
fewer weights, and that is counted too. A multiply-accumulate (MAC) counts once, not as two operations.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def dense_operations(layer: nn.Module, x: Tensor, out: Tensor) -> float:
    """Multiply-accumulates for one sample of x [N, ...] when every input counts, zero or not."""
    if isinstance(layer, nn.Conv2d):
        per_output = layer.in_channels // layer.groups * layer.kernel_size[0] * layer.kernel_size[1]
        return float(per_output * out[0].numel())
    if isinstance(layer, nn.Linear):
        return float(layer.in_features * layer.out_features * (out[0].numel() // layer.out_features))
    return 0.0


def synaptic_operations(layer: nn.Module, x: Tensor) -> float:
    """Weights touched by the non-zero elements of x [N, ...], summed over all N."""
    active = (x != 0).to(torch.float64)
    if isinstance(layer, nn.Conv2d):
        per_group = layer.in_channels // layer.groups
        ones = torch.ones((layer.groups, per_group, *layer.kernel_size), dtype=torch.float64, device=x.device)
        reached = functional.conv2d(active, ones, None, layer.stride, layer.padding, layer.dilation, layer.groups)
        return float(reached.sum()) * (layer.out_channels // layer.groups)
    if isinstance(layer, nn.Linear):
        return float(active.sum()) * layer.out_features
    return 0.0

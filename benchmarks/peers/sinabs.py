"""Sinabs: layers over time; in convolutional networks time is squeezed into the batch, as its tutorials do.

It counts batch before time. The network's input is laid out so before the clock starts; layers get a transposed view,
whose steps are contiguous. The surrogate is a small function of its own kind, since Sinabs has no arctan.
"""

from __future__ import annotations

import math

import sinabs
import sinabs.layers
import torch
from sinabs.activation import MembraneSubtract, SingleSpike
from torch import Tensor, nn

from benchmarks.cases import ALPHA, CLASSES, KEEP, SENSOR, THRESHOLD, Case


def arctan(v_mem: Tensor, spike_threshold: Tensor) -> Tensor:
    """The arctan surrogate's derivative."""
    return (ALPHA / 2) / (1 + (math.pi / 2 * ALPHA * (v_mem - spike_threshold)) ** 2)


def neurons(batch: int = 0) -> nn.Module:
    """One layer; with a batch size, one that takes time squeezed into the batch."""
    options = {
        "tau_mem": -1 / math.log(KEEP),
        "spike_threshold": torch.tensor(THRESHOLD),
        "spike_fn": SingleSpike,
        "reset_fn": MembraneSubtract(),
        "surrogate_grad_fn": arctan,
        "norm_input": False,
    }
    layer = sinabs.layers.LIFSqueeze(batch_size=batch, **options) if batch else sinabs.layers.LIF(**options)
    # the time constant is fixed for everyone here
    layer.tau_mem.requires_grad_(False)
    return layer


class Layer(nn.Module):
    """Neurons behind a dense layer or none."""

    def __init__(self, *before: nn.Module):
        super().__init__()
        self.layers = nn.Sequential(*before, neurons())

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, N] -> [T, B, N]."""
        sinabs.reset_states(self.layers)
        return self.layers(x.transpose(0, 1)).transpose(0, 1)


class Convolutional(nn.Module):
    """Two spiking convolutions and a dense readout."""

    def __init__(self, batch: int):
        super().__init__()
        self.batch = batch
        self.layers = nn.Sequential(
            nn.Conv2d(SENSOR[0], 16, 5),
            neurons(batch),
            nn.AvgPool2d(2),
            nn.Conv2d(16, 32, 3),
            neurons(batch),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 6 * 6, CLASSES),
        )

    def arrange(self, x: Tensor) -> Tensor:
        """[T, B, 2, 34, 34] -> [B * T, 2, 34, 34]."""
        return x.transpose(0, 1).flatten(0, 1).contiguous()

    def forward(self, x: Tensor) -> Tensor:
        """Arranged events -> logits [T, B, classes]."""
        sinabs.reset_states(self.layers)
        return self.layers(x).unflatten(0, (self.batch, -1)).transpose(0, 1)


def build(case: Case) -> nn.Module:
    """The case as a module."""
    if case.kind == "convolutional":
        return Convolutional(case.batch)
    return Layer(nn.Linear(case.neurons, case.neurons)) if case.kind == "linear_lif" else Layer()

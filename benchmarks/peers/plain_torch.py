"""A loop over time in plain PyTorch: what a careful user writes without a framework, and the truth for the others.

In float64 its outputs and gradients are what every framework is checked against.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.cases import ALPHA, CLASSES, KEEP, MODELS, SENSOR, THRESHOLD, Case
from benchmarks.peers import models
from spikelab.nn import Neuron


class ArctanSpike(torch.autograd.Function):
    """A step function whose derivative is alpha / 2 / (1 + (pi / 2 * alpha * x)^2)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """1 where x > 0, else 0."""
        ctx.save_for_backward(x)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The surrogate's derivative."""
        (x,) = ctx.saved_tensors
        return gradient * (ALPHA / 2) / (1 + (math.pi / 2 * ALPHA * x).square())


class LIFLoop(nn.Module):
    """Neurons [T, B, ...] -> [T, B, ...].

    Args:
        delayed_reset: take the spike off one step later, without a gradient through it.
    """

    def __init__(self, delayed_reset: bool = False):
        super().__init__()
        self.delayed_reset = delayed_reset

    def forward(self, x: Tensor) -> Tensor:
        """Runs from rest."""
        v = torch.zeros_like(x[0])
        spikes = []
        # unbind, not x[t]: indexing makes autograd build one full gradient tensor a step
        for current in x.unbind(0):
            if self.delayed_reset:
                reset = (v > THRESHOLD).to(v.dtype)
                v = KEEP * v + current - reset * THRESHOLD
                spikes.append(ArctanSpike.apply(v - THRESHOLD))
            else:
                v = KEEP * v + current
                spike = ArctanSpike.apply(v - THRESHOLD)
                v = v - THRESHOLD * spike
                spikes.append(spike)
        return torch.stack(spikes)


class Convolutional(nn.Module):
    """Two spiking convolutions and a dense readout; stateless layers see time folded into the batch."""

    def __init__(self, neurons: Any):
        super().__init__()
        self.convolution_1 = nn.Conv2d(SENSOR[0], 16, 5)
        self.neurons_1 = neurons()
        self.convolution_2 = nn.Conv2d(16, 32, 3)
        self.neurons_2 = neurons()
        self.pool = nn.AvgPool2d(2)
        self.readout = nn.Linear(32 * 6 * 6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Events [T, B, 2, 34, 34] -> logits [T, B, classes]."""
        time = x.shape[:2]
        spikes = self.neurons_1(self.convolution_1(x.flatten(0, 1)).unflatten(0, time))
        spikes = self.neurons_2(self.convolution_2(self.pool(spikes.flatten(0, 1))).unflatten(0, time))
        return self.readout(self.pool(spikes.flatten(0, 1)).flatten(1)).unflatten(0, time)


class ModelNeurons(nn.Module):
    """A model's neurons as a loop: keep v + gain x, reset to a value or by the threshold; or a readout."""

    def __init__(self, keep: float, gain: float, threshold: float | None, reset: float | None):
        super().__init__()
        self.keep, self.gain, self.threshold, self.reset = keep, gain, threshold, reset

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, ...] -> [T, B, ...]."""
        v = torch.zeros_like(x[0])
        outputs = []
        for current in x.unbind(0):
            v = self.keep * v + self.gain * current
            if self.threshold is None:
                outputs.append(v)
                continue
            spike = ArctanSpike.apply(v - self.threshold)
            v = v - self.threshold * spike if self.reset is None else v * (1 - spike) + self.reset * spike
            outputs.append(spike)
        return torch.stack(outputs)


def in_place_of(ours: Neuron, keep: float) -> nn.Module:
    """A loop with the dynamics of one of a model's layers."""
    gain = models.gain(ours, keep)
    if not ours.spec.spikes:
        return ModelNeurons(keep, gain, None, 0.0)
    return ModelNeurons(
        keep, gain, float(ours.v_threshold), None if ours.options.reset == "subtract" else float(ours.v_reset)
    )


def build(case: Case, delayed_reset: bool = False) -> nn.Module:
    """The case as a module."""
    if case.kind in MODELS:
        return models.build(case, in_place_of)

    def neurons() -> nn.Module:
        return LIFLoop(delayed_reset)

    if case.kind == "convolutional":
        return Convolutional(neurons)
    if case.kind == "linear_lif":
        return nn.Sequential(nn.Linear(case.neurons, case.neurons), neurons())
    return neurons()

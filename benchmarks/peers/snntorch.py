"""snnTorch: its tutorials' loop over time, each step through the whole network, states passed by hand.

Its ``Leaky`` takes a spike off the membrane one step late by default (``reset_delay=True``); that default is kept, as
it is what its users run and the faster form, and it is checked against a plain loop with the same delay.
"""

from __future__ import annotations

import snntorch
import torch
from snntorch import surrogate
from torch import Tensor, nn

from benchmarks.cases import ALPHA, CLASSES, KEEP, SENSOR, THRESHOLD, Case


def neurons() -> snntorch.Leaky:
    """One layer."""
    return snntorch.Leaky(beta=KEEP, threshold=THRESHOLD, spike_grad=surrogate.atan(ALPHA))


class Layer(nn.Module):
    """Neurons behind a dense layer or none."""

    def __init__(self, before: nn.Module):
        super().__init__()
        self.before = before
        self.neurons = neurons()

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, N] -> [T, B, N]."""
        membrane = self.neurons.reset_mem()
        recorded = []
        for step in x.unbind(0):
            spikes, membrane = self.neurons(self.before(step), membrane)
            recorded.append(spikes)
        return torch.stack(recorded)


class Convolutional(nn.Module):
    """Two spiking convolutions and a dense readout."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution_1 = nn.Conv2d(SENSOR[0], 16, 5)
        self.neurons_1 = neurons()
        self.convolution_2 = nn.Conv2d(16, 32, 3)
        self.neurons_2 = neurons()
        self.pool = nn.AvgPool2d(2)
        self.readout = nn.Linear(32 * 6 * 6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Events [T, B, 2, 34, 34] -> logits [T, B, classes]."""
        membrane_1, membrane_2 = self.neurons_1.reset_mem(), self.neurons_2.reset_mem()
        recorded = []
        for step in x.unbind(0):
            spikes, membrane_1 = self.neurons_1(self.convolution_1(step), membrane_1)
            spikes, membrane_2 = self.neurons_2(self.convolution_2(self.pool(spikes)), membrane_2)
            recorded.append(self.readout(self.pool(spikes).flatten(1)))
        return torch.stack(recorded)


def build(case: Case) -> nn.Module:
    """The case as a module."""
    if case.kind == "convolutional":
        return Convolutional()
    return Layer(nn.Linear(case.neurons, case.neurons) if case.kind == "linear_lif" else nn.Identity())

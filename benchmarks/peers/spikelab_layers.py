"""spikelab: a ``Network``, whose layers each run over all of time in one call."""

from __future__ import annotations

from torch import Tensor
from torch import nn as torch_nn

from benchmarks.cases import ALPHA, CLASSES, KEEP, MODELS, SENSOR, THRESHOLD, Case
from benchmarks.peers import models
from spikelab import nn

DT = 1e-3
#: v' = v + dt / tau_mem (r x - v): keeps 0.9 of the membrane and gains the input itself.
TAU_MEM = DT / (1 - KEEP)


def neurons() -> nn.Neuron:
    """One layer."""
    return nn.LIF(
        method="euler",
        dt=DT,
        tau_mem=TAU_MEM,
        r=TAU_MEM / DT,
        v_threshold=THRESHOLD,
        reset="subtract",
        surrogate="arctan",
        surrogate_parameters={"alpha": ALPHA},
    )


class Output(torch_nn.Module):
    """A chain of layers; gives its output alone."""

    def __init__(self, *layers: torch_nn.Module):
        super().__init__()
        self.network = nn.Network.sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, ...] -> [T, B, ...]."""
        return self.network(x)[0]


def build(case: Case) -> torch_nn.Module:
    """The case as a module."""
    if case.kind in MODELS:
        return models.build(case)
    if case.kind == "convolutional":
        return Output(
            nn.Conv2d(SENSOR[0], 16, 5),
            neurons(),
            nn.AvgPool2d(2),
            nn.Conv2d(16, 32, 3),
            neurons(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Dense(32 * 6 * 6, CLASSES),
        )
    before = [nn.Dense(case.neurons, case.neurons)] if case.kind == "linear_lif" else []
    return Output(*before, neurons())

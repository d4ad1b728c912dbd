"""spikelab: one call a layer for all of time; stateless layers see time folded into the batch."""

from __future__ import annotations

from torch import Tensor
from torch import nn as torch_nn

from benchmarks.cases import ALPHA, KEEP, THRESHOLD, Case
from benchmarks.peers.plain_torch import Convolutional
from spikelab import nn

DT = 1e-3
#: v' = v + dt / tau_mem (r x - v): keeps 0.9 of the membrane and gains the input itself.
TAU_MEM = DT / (1 - KEEP)


class LIF(torch_nn.Module):
    """Neurons [T, B, ...] -> [T, B, ...] from rest; the final state is not used here."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LIF(
            method="euler",
            dt=DT,
            tau_mem=TAU_MEM,
            r=TAU_MEM / DT,
            v_threshold=THRESHOLD,
            reset="subtract",
            surrogate="arctan",
            surrogate_parameters={"alpha": ALPHA},
        )

    def forward(self, x: Tensor) -> Tensor:
        """Spikes only."""
        return self.layer(x)[0]


def build(case: Case) -> torch_nn.Module:
    """The case as a module."""
    if case.kind == "convolutional":
        return Convolutional(LIF)
    if case.kind == "linear_lif":
        return torch_nn.Sequential(torch_nn.Linear(case.neurons, case.neurons), LIF())
    return LIF()

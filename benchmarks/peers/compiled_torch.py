"""The plain loop under ``torch.compile``: 20 steps unrolled and fused at a time, as far as compilers take it.

A whole sequence unrolled takes minutes to compile and a single step saves little; 20 steps are where it pays.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.cases import KEEP, THRESHOLD, Case
from benchmarks.peers.plain_torch import ArctanSpike, Convolutional

CHUNK = 20


def _steps(x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    spikes = []
    for current in x.unbind(0):
        v = KEEP * v + current
        spike = ArctanSpike.apply(v - THRESHOLD)
        v = v - THRESHOLD * spike
        spikes.append(spike)
    return torch.stack(spikes), v


class CompiledLIF(nn.Module):
    """Neurons [T, B, ...] -> [T, B, ...]."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = torch.compile(_steps, dynamic=False)

    def forward(self, x: Tensor) -> Tensor:
        """Runs from rest."""
        v, outputs = torch.zeros_like(x[0]), []
        for part in x.split(CHUNK):
            spikes, v = self.steps(part, v)
            outputs.append(spikes)
        return torch.cat(outputs)


def build(case: Case) -> nn.Module:
    """The case as a module."""
    if case.kind == "convolutional":
        return Convolutional(CompiledLIF)
    if case.kind == "linear_lif":
        return nn.Sequential(nn.Linear(case.neurons, case.neurons), CompiledLIF())
    return CompiledLIF()

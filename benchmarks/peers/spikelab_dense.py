"""spikelab with dense products throughout, to see what sparse ones bring."""

from __future__ import annotations

from torch import Tensor, nn

from benchmarks.cases import Case
from benchmarks.peers import spikelab_layers
from spikelab.nn import spike_products


class Dense(nn.Module):
    """A model whose layers may not choose."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """As the model."""
        with spike_products("dense"):
            return self.model(x)


def build(case: Case) -> nn.Module:
    """The case as a module."""
    return Dense(spikelab_layers.build(case))

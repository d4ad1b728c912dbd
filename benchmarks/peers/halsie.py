"""HALSIE with the spiking neurons of another framework in place of its own; everything else stays the same code."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.cases import SCENE_CLASSES, Case, make_frames
from spikelab.models.halsie import Halsie, SpikingEncoder
from spikelab.nn import Neuron

#: Makes a layer [T, B, ...] -> [T, B, ...] like the given one, from (layer, fraction of the membrane that stays).
Replace = Callable[[Neuron, float], nn.Module]


class HalsieStep(nn.Module):
    """The model with its frames, so that it maps events alone.

    Args:
        case: for the frames and the number of time bins.
        replace: what stands in for each layer of neurons; None keeps spikelab's.
    """

    def __init__(self, case: Case, replace: Replace | None = None):
        super().__init__()
        self.model = Halsie(classes=SCENE_CLASSES, time_bins=case.steps)
        self.register_buffer("frames", torch.from_numpy(make_frames(case)))
        if replace is None:
            return
        assert isinstance(self.model.events, SpikingEncoder)
        nodes = self.model.events.network.nodes
        for name, layer in list(nodes.items()):
            if isinstance(layer, Neuron):
                nodes[name] = replace(layer, math.exp(-layer.dt / float(layer.tau_mem)))

    def forward(self, events: Tensor) -> Tensor:
        """Voxel grids [T, B, 2, H, W] -> logits [1, B, classes, H, W]."""
        return self.model(events.transpose(0, 1), self.frames)[None]

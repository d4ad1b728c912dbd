"""spikelab's models with another framework's spiking neurons in place of their own; the rest stays the same code."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.cases import CLASSES, SCENE_CLASSES, Case, make_frames
from spikelab.models.halsie import Halsie, SpikingEncoder
from spikelab.models.video import CompressedVideo
from spikelab.nn import Network, Neuron

#: Makes a layer [T, B, ...] -> [T, B, ...] like the given one, from (layer, fraction of the membrane that stays).
Replace = Callable[[Neuron, float], nn.Module]


def neurons_replaced(network: Network, replace: Replace | None) -> None:
    """Puts others in place of all neurons that leak; None keeps them."""
    for name, layer in list(network.nodes.items()) if replace is not None else []:
        if isinstance(layer, Neuron) and hasattr(layer, "tau_mem"):
            # before training all channels have the same; learned ones are kept as logarithms, which double would round
            tau_mem = float(copy.deepcopy(layer).double().tau_mem.detach().flatten()[0])
            network.nodes[name] = replace(layer, math.exp(-layer.dt / tau_mem))


def gain(layer: Neuron, keep: float) -> float:
    """What an input of 1 adds to the membrane in one step."""
    return (1 - keep) * float(layer.r)


class HalsieStep(nn.Module):
    """HALSIE with its frames, so that it maps events alone.

    Args:
        case: for the frames and the number of time bins.
        replace: what stands in for each layer of neurons; None keeps spikelab's.
    """

    def __init__(self, case: Case, replace: Replace | None = None):
        super().__init__()
        self.model = Halsie(classes=SCENE_CLASSES, time_bins=case.steps)
        self.register_buffer("frames", torch.from_numpy(make_frames(case)))
        assert isinstance(self.model.events, SpikingEncoder)
        neurons_replaced(self.model.events.network, replace)

    def forward(self, events: Tensor) -> Tensor:
        """Voxel grids [T, B, 2, H, W] -> logits [1, B, classes, H, W]."""
        return self.model(events.transpose(0, 1), self.frames)[None]


class VideoStep(nn.Module):
    """The model of compressed video with its I-frames, one group of pictures a video, thresholds that are fixed.

    Args:
        case: for the I-frames and the number of P-frames.
        replace: what stands in for each layer of neurons; None keeps spikelab's.
    """

    def __init__(self, case: Case, replace: Replace | None = None):
        super().__init__()
        self.model = CompressedVideo(threshold="fixed", classes=CLASSES, groups=1, frames=case.steps)
        self.register_buffer("images", torch.from_numpy(make_frames(case))[:, None])
        assert self.model.motion is not None
        neurons_replaced(self.model.motion.network, replace)

    def forward(self, frames: Tensor) -> Tensor:
        """P-frames [T, B, 3, H, W] -> logits [1, B, classes]."""
        frames = frames.transpose(0, 1)[:, None]
        valid = torch.ones(frames.shape[:3], dtype=torch.bool)
        return self.model(self.images, frames[..., :2, :, :], frames[..., 2:, :, :], valid)[None]


def build(case: Case, replace: Replace | None = None) -> nn.Module:
    """The case's model."""
    return (HalsieStep if case.kind == "halsie" else VideoStep)(case, replace)

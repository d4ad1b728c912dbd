"""Hybrid event-frame segmentation: a spiking branch for events, an ordinary branch for frames, fused and decoded.

This is a **reconstruction** of HALSIE (Das Biswas et al., WACV 2024, arXiv 2211.10754). Known from the paper's abstract
and from public notes: a spiking encoder for voxel grids of events, an ordinary encoder of 3x3 convolutions for frames,
fusion by concatenation, a multi-scale mixer of dilated convolutions on the fused features, a decoder, end-to-end
training. Not known to us: the number of stages, widths, dilation rates, skip connections, neuron constants, the readout
of the spiking encoder and all training details. Where the paper is silent this file takes the choices of
Spike-FlowNet (Lee et al., ECCV 2020), from the same group: stages of stride 2, and an accumulated membrane potential as
the interface from spiking to ordinary layers. Two sizes are offered because published counts of HALSIE's parameters
disagree (about 1.8 million by its own ratios, 5.0 million in a later table).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikelab.nn import LI, LIF, BatchNorm2d, Conv2d, Network, State
from spikelab.nn.part import SpikingPart


class Size(NamedTuple):
    """Widths of a preset.

    Attributes:
        stages: channels of each encoder stage; each halves height and width.
        mixer: channels of each dilated convolution of the mixer.
        decoder: channels of the mixer's output.
    """

    stages: tuple[int, ...]
    mixer: int
    decoder: int


SIZES = {
    "small": Size((32, 64, 128), 104, 128),
    "base": Size((64, 128, 256), 104, 192),
}
DILATIONS = (1, 2, 4, 8)
#: Input of a pixel with 53 events in a time bin, log(1 + 53); event hardware takes it for the largest.
LARGEST_INPUT = 4.0


class Halsie(nn.Module):
    """Segments a scene from the events of a window and the frame at its end.

    Args:
        size: "small" (about 1.8 million parameters) or "base" (about 5 million).
        modality: "both", "events" or "frames": which branches exist.
        fusion: "concatenate" the branches' features, or "add" them.
        event_branch: "spiking", or "ordinary" for the same convolutions with ReLU on the time bins as channels.
        classes: number of classes.
        time_bins: steps of the event window, T.
        window: length of the event window in seconds; a step lasts ``window / time_bins``.
        tau_mem: membrane time constant of the spiking layers in seconds.
        v_threshold: their threshold, in units of the normalised input current.
        surrogate: surrogate derivative.
        learnable: neuron parameters that are trained, such as ["tau_mem"].

    Raises:
        ValueError: for an unknown size, modality, fusion or branch.
    """

    def __init__(
        self,
        size: Literal["small", "base"] = "small",
        modality: Literal["both", "events", "frames"] = "both",
        fusion: Literal["concatenate", "add"] = "concatenate",
        event_branch: Literal["spiking", "ordinary"] = "spiking",
        classes: int = 6,
        time_bins: int = 5,
        window: float = 50e-3,
        tau_mem: float = 20e-3,
        v_threshold: float = 0.5,
        surrogate: str = "arctan",
        learnable: list[str] | None = None,
    ):
        super().__init__()
        choices = {
            "size": (size, tuple(SIZES)),
            "modality": (modality, ("both", "events", "frames")),
            "fusion": (fusion, ("concatenate", "add")),
            "event_branch": (event_branch, ("spiking", "ordinary")),
        }
        for name, (value, known) in choices.items():
            if value not in known:
                raise ValueError(f"halsie: {name} = {value!r} must be one of {', '.join(known)}")
        self.modality, self.fusion, self.time_bins = modality, fusion, time_bins
        widths = SIZES[size]
        neuron = {"tau_mem": tau_mem, "v_threshold": v_threshold, "surrogate": surrogate, "learnable": learnable or ()}
        self.events: SpikingEncoder | OrdinaryEncoder | None = None
        if modality != "frames":
            if event_branch == "spiking":
                self.events = SpikingEncoder(2, widths.stages, window / time_bins, neuron)
            else:
                self.events = OrdinaryEncoder(2 * time_bins, widths.stages)
        self.head = SegmentationHead(widths, classes, modality, fusion)

    @staticmethod
    def options_from_data(dataset: Any) -> dict[str, Any]:
        """The options that follow from a data set: how many classes and time bins it has."""
        return {"classes": len(dataset.class_names), "time_bins": dataset.time_bins, "window": dataset.window * 1e-6}

    def forward(self, events: Tensor, frame: Tensor) -> Tensor:
        """Segments a batch.

        Args:
            events: voxel grids [B, T, 2, H, W], channel 0 OFF and channel 1 ON, non-negative.
            frame: grey frames [B, 1, H, W] in 0 to 1.

        Returns:
            logits [B, classes, H, W].
        """
        return self.stream(events, frame)[0]

    def stream(self, events: Tensor, frame: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """As ``forward``, and carries the spiking branch's state on: call it again with the next events.

        Any number of time steps may be passed at once; the result is that of one call over all of them.
        """
        features, state = self.encode(events, state)
        return self.head(features, frame), state

    def encode(self, events: Tensor, state: State | None = None) -> tuple[list[Tensor], State]:
        """The event branch alone: one feature map [B, C, H / 2^s, W / 2^s] a stage, and the state."""
        if self.events is None:
            return [], {}
        if events.dim() != 5 or events.shape[2] != 2:
            raise ValueError(f"halsie: events have shape {list(events.shape)}, but must be [B, T, 2, H, W]")
        if isinstance(self.events, SpikingEncoder):
            return self.events(events.transpose(0, 1), state)
        if events.shape[1] != self.time_bins:
            raise ValueError(f"halsie: events have {events.shape[1]} time bins, the model is for {self.time_bins}")
        return self.events(events.flatten(1, 2)), {}

    def spiking_part(self, sample_shapes: Mapping[str, Sequence[int]]) -> SpikingPart:
        """The event branch, for hardware export.

        Raises:
            ValueError: if it does not spike.
        """
        if not isinstance(self.events, SpikingEncoder):
            raise ValueError("halsie: has no spiking branch; train with modality both or events, event_branch spiking")
        shape = tuple(sample_shapes["events"][1:])
        return SpikingPart(
            self.events.network, shape, lambda batch: batch["events"].transpose(0, 1), tuple(self.events.readouts),
            input_bits=8, input_high=LARGEST_INPUT,
            encoding="log(1 + events) of a pixel in a time bin, channel 0 OFF and 1 ON, one step a time bin",
            decoding="the membranes of the readouts at the last step go into head.onnx, see joint.safetensors",
        )  # fmt: skip

    def energy(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Operations and modelled energy for one sample of a batch; see ``spikelab.models.halsie_energy``."""
        from spikelab.models.halsie_energy import energy

        return energy(self, batch["events"], batch["frame"])

    def export(self, folder: Path, height: int, width: int) -> dict[str, Any]:
        """Writes the spiking branch as NIR and the rest as ONNX; see ``spikelab.models.halsie_export``."""
        from spikelab.models.halsie_export import export

        return export(self, folder, height, width)

    def export_joint(self, folder: Path, features: Mapping[str, Tensor], batch: Mapping[str, Any]) -> list[str]:
        """Writes what follows the spiking half on event hardware; see ``spikelab.models.halsie_export``."""
        from spikelab.models.halsie_export import export_joint

        return export_joint(self, folder, features, batch["frame"])


class SpikingEncoder(nn.Module):
    """Stages of two convolutions with spiking neurons; each stage is read out by a leaky integrator.

    The integrator sees the same normalised current as the stage's last neurons and is read at the end of the window:
    the accumulated membrane potential, which keeps more than the few spikes of a short window.
    """

    def __init__(self, channels: int, stages: tuple[int, ...], dt: float, neuron: dict[str, Any]):
        super().__init__()
        nodes: dict[str, nn.Module] = {}
        edges: list[tuple[str, str]] = []
        previous = "input"
        self.readouts = [f"stage{s}_readout" for s in range(1, len(stages) + 1)]
        for s, width in enumerate(stages, start=1):
            for place, stride, fan_in in (("a", 2, channels), ("b", 1, width)):
                name = f"stage{s}{place}"
                nodes[f"{name}_conv"] = Conv2d(fan_in, width, 3, stride, 1, bias=False)
                nodes[f"{name}_norm"] = BatchNorm2d(width)
                edges += [(previous, f"{name}_conv"), (f"{name}_conv", f"{name}_norm")]
                previous = f"{name}_norm"
                if place == "a" or s < len(stages):
                    nodes[f"{name}_neuron"] = LIF(dt=dt, reset="value", **neuron)
                    edges.append((previous, f"{name}_neuron"))
                    if place == "a":
                        previous = f"{name}_neuron"
            nodes[f"stage{s}_readout"] = LI(dt=dt, tau_mem=neuron["tau_mem"])
            edges += [(f"stage{s}b_norm", f"stage{s}_readout"), (f"stage{s}_readout", "output")]
            previous = f"stage{s}b_neuron"
            channels = width
        # the readouts differ in shape, so they are taken from run(); only the last one is the network's own output
        edges = [edge for edge in edges if edge[1] != "output" or edge[0] == self.readouts[-1]]
        self.network = Network(nodes, edges)

    def forward(self, events: Tensor, state: State | None = None) -> tuple[list[Tensor], State]:
        """Maps voxel grids [T, B, 2, H, W] to the readouts after the last step, and the state."""
        if events.shape[0] == 0:
            raise ValueError("halsie: the event window has no time steps")
        outputs, state = self.network.run(events, state)
        return [outputs[name][-1] for name in self.readouts], state


def _block(fan_in: int, width: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(fan_in, width, 3, stride, dilation, dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


class OrdinaryEncoder(nn.Module):
    """Stages of two 3x3 convolutions with batch normalisation and ReLU."""

    def __init__(self, channels: int, stages: tuple[int, ...]):
        super().__init__()
        fan_in = (channels, *stages[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(_block(a, b, stride=2), _block(b, b)) for a, b in zip(fan_in, stages, strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps [B, C, H, W] to one feature map [B, C, H / 2^s, W / 2^s] a stage."""
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class SegmentationHead(nn.Module):
    """Everything that does not spike: the frame branch, the fusion, the mixer and the decoder."""

    def __init__(self, size: Size, classes: int, modality: str, fusion: str):
        super().__init__()
        self.modality, self.fusion = modality, fusion
        self.frames = OrdinaryEncoder(1, size.stages) if modality != "events" else None
        # event features are normalised once more: a membrane potential has another scale than a rectified frame feature
        self.event_norms = nn.ModuleList(nn.BatchNorm2d(c) for c in size.stages) if modality != "frames" else None
        times = 2 if modality == "both" and fusion == "concatenate" else 1
        deepest = size.stages[-1] * times
        self.mixer = nn.ModuleList(_block(deepest, size.mixer, dilation=d) for d in DILATIONS)
        self.project = nn.Sequential(
            nn.Conv2d(size.mixer * len(DILATIONS), size.decoder, 1, bias=False),
            nn.BatchNorm2d(size.decoder),
            nn.ReLU(inplace=True),
        )
        fan_in, decoder = size.decoder, []
        for width in reversed(size.stages[:-1]):
            decoder.append(_block(fan_in + width * times, width))
            fan_in = width
        self.decoder = nn.ModuleList(decoder)
        self.classify = nn.Conv2d(fan_in, classes, 1)

    def forward(self, event_features: list[Tensor], frame: Tensor) -> Tensor:
        """Fuses event features (one a stage) with a frame [B, 1, H, W]; returns logits [B, classes, H, W]."""
        fused = self._fuse(event_features, frame)
        x = self.project(torch.cat([branch(fused[-1]) for branch in self.mixer], dim=1))
        for block, skip in zip(self.decoder, reversed(fused[:-1]), strict=True):
            x = functional.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            x = block(torch.cat([x, skip], dim=1))
        return functional.interpolate(self.classify(x), size=frame.shape[-2:], mode="bilinear", align_corners=False)

    def _fuse(self, event_features: list[Tensor], frame: Tensor) -> list[Tensor]:
        if self.event_norms is None:
            assert self.frames is not None
            return self.frames(frame)
        events = [functional.relu(norm(f)) for norm, f in zip(self.event_norms, event_features, strict=True)]
        if self.frames is None:
            return events
        frames = self.frames(frame)
        if self.fusion == "add":
            return [e + f for e, f in zip(events, frames, strict=True)]
        return [torch.cat([e, f], dim=1) for e, f in zip(events, frames, strict=True)]

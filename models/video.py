"""Action recognition from compressed video: I-frames, motion vectors and residuals, as the codec left them.

This is a **reconstruction** of "Compressed video with Spiking Temporal Modulators" (Das Biswas, Soufleri, A. Roy,
K. Roy 2025, arXiv 2503.13724). Known from the paper's abstract and public summaries: an encoder for I-frames and one
for P-frames made of Spiking Temporal Modulators with dynamic thresholds, motion vectors and residuals accumulated
before encoding, one transformer with global attention over the tokens of both, a multi-modal mixer block over the joint
tokens, end-to-end training. Not known to us: every equation, width, depth and constant, the readout of the modulators,
the embeddings, the form of the mixer, the classifier and all details of training. Where the paper is silent this file
takes the choices of its closest relatives: the form of HALSIE (same first author), inputs on one scale as in CoViAR (Wu
et al. 2018, CVPR), and the plain forms of residual networks, transformers and MLP-Mixer. No accuracy of the paper is a
claim about this model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikelab.models.video_image import ResidualEncoder, StridedEncoder
from spikelab.models.video_input import InputScale
from spikelab.models.video_mixer import MixerBlock
from spikelab.models.video_stm import Layer, ModulatorNeurons, SpikingTemporalModulators
from spikelab.models.video_tokens import MapTokens
from spikelab.models.video_transformer import TransformerBlock
from spikelab.nn.part import SpikingPart


class Size(NamedTuple):
    """Widths of a preset.

    Attributes:
        image: channels of each stage of the I-frame encoder.
        residual: whether that is a residual network.
        reduce: side of the squares of pixels over which P-frames are averaged before the modulators; vectors belong to
            blocks of 8 or 16 pixels, so little is lost.
        motion: layers of the modulators.
        width: of a token.
        grid: parts along each side of a map, one token each.
        depth: blocks of the transformer.
        heads: of its attention.
    """

    image: tuple[int, ...]
    residual: bool
    reduce: int
    motion: tuple[Layer, ...]
    width: int
    grid: int
    depth: int
    heads: int


_DEEP = ((32, 2), (64, 2), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (256, 2))
SIZES = {
    "tiny": Size((16, 32, 64), False, 2, (Layer(16, 2), Layer(32, 2), Layer(64, 2)), 64, 4, 2, 4),
    "base": Size((64, 128, 256, 512), True, 1, tuple(Layer(*layer) for layer in _DEEP), 256, 7, 4, 8),
}
#: Motion vectors and residuals are cut here, in units of their root mean square, so that 8 bits hold them on a chip.
LARGEST_INPUT = 8.0


class CompressedVideo(nn.Module):
    """Tells the class of a video from groups of pictures: an I-frame each, and the P-frames after it.

    Args:
        size: "tiny" (about 160 thousand parameters) or "base" (about 16 million).
        modality: "both", "image" (I-frames) or "motion" (P-frames): which encoders exist.
        stm: "spiking", or "ordinary" for the same convolutions with rectifiers, which have no memory.
        threshold: "learned" for each channel, "adaptive": it rises with each spike, or "fixed" at `v_threshold`.
        readout: "rate" of the last layer's spikes, or "membrane" of a leaky integrator in their place.
        depth: blocks of the transformer, 0 for none; None takes those of the size.
        mixer: blocks of the multi-modal mixer, 0 for none.
        steps: P-frames of each group that are looked at, the first ones; 0 for all.
        dropout: share of activations that training leaves out.
        frame_interval: seconds between P-frames; times of the neurons count by it.
        tau_mem: membrane time constant in seconds before training.
        v_threshold: spike threshold before training, in units of the normalised current.
        reset: "subtract" the threshold after a spike, or go to "zero".
        surrogate: surrogate derivative.
        classes: number of classes; follows from the data.
        groups: groups of pictures of a video; follows from the data.
        frames: P-frames of a group; follows from the data.
        residual_channels: of a residual, 1 for luma or 3 for RGB; follows from the data.

    Raises:
        ValueError: for an unknown choice or a number out of range; the message names it.
    """

    #: what of a batch ``forward`` takes, in its order
    inputs = ("image", "motion", "residual", "valid")

    def __init__(
        self,
        size: Literal["tiny", "base"] = "tiny",
        modality: Literal["both", "image", "motion"] = "both",
        stm: Literal["spiking", "ordinary"] = "spiking",
        threshold: Literal["learned", "adaptive", "fixed"] = "learned",
        readout: Literal["rate", "membrane"] = "rate",
        depth: int | None = None,
        mixer: int = 1,
        steps: int = 0,
        dropout: float = 0.0,
        frame_interval: float = 40e-3,
        tau_mem: float = 80e-3,
        v_threshold: float = 1.0,
        reset: Literal["subtract", "zero"] = "subtract",
        surrogate: str = "arctan",
        classes: int = 10,
        groups: int = 2,
        frames: int = 11,
        residual_channels: int = 1,
    ):
        super().__init__()
        choices = {
            "size": (size, tuple(SIZES)),
            "modality": (modality, ("both", "image", "motion")),
            "stm": (stm, ("spiking", "ordinary")),
            "threshold": (threshold, ("learned", "adaptive", "fixed")),
            "readout": (readout, ("rate", "membrane")),
            "reset": (reset, ("subtract", "zero")),
        }
        for name, (value, known) in choices.items():
            if value not in known:
                raise ValueError(f"compressed_video: {name} = {value!r} must be one of {', '.join(known)}")
        widths = SIZES[size]
        depth = widths.depth if depth is None else depth
        least = {"depth": (depth, 0), "mixer": (mixer, 0), "steps": (steps, 0), "frames": (frames, 0)}
        for name, (number, low) in (least | {"classes": (classes, 1), "groups": (groups, 1)}).items():
            if number < low:
                raise ValueError(f"compressed_video: {name} = {number} must be a whole number of at least {low}")
        if steps > frames:
            raise ValueError(
                f"compressed_video: steps = {steps}, but a group of the data has {frames} P-frames; use 0 for all"
            )
        if modality != "image" and not frames:
            raise ValueError("compressed_video: the data has no P-frames (frames = 0); use modality image")
        if not 0 <= dropout < 1:
            raise ValueError(f"compressed_video: dropout = {dropout} must be at least 0 and below 1")
        for name, time in (("frame_interval", frame_interval), ("tau_mem", tau_mem), ("v_threshold", v_threshold)):
            if not time > 0:
                raise ValueError(f"compressed_video: {name} = {time} must be above 0")
        self.modality, self.groups, self.frames, self.steps = modality, groups, frames, steps or frames
        self.residual_channels, self.reduce = residual_channels, widths.reduce
        self.image: StridedEncoder | ResidualEncoder | None = None
        self.input_scale: InputScale | None = None
        self.motion: SpikingTemporalModulators | None = None
        tokens = nn.ModuleDict()
        if modality != "motion":
            self.image = (ResidualEncoder if widths.residual else StridedEncoder)(widths.image)
            tokens["image"] = MapTokens(self.image.width, widths.width, widths.grid, groups)
        if modality != "image":
            channels = 2 + residual_channels
            neurons = ModulatorNeurons(
                stm == "spiking", threshold, frame_interval, tau_mem, v_threshold, reset, surrogate
            )
            self.input_scale = InputScale(channels)
            self.motion = SpikingTemporalModulators(channels, widths.motion, neurons, readout)
            tokens["motion"] = MapTokens(self.motion.width, widths.width, widths.grid, groups)
        self.tokens = tokens
        number = len(tokens) * groups * widths.grid**2
        self.transformer = nn.Sequential(
            *(TransformerBlock(widths.width, widths.heads, dropout=dropout) for _ in range(depth))
        )
        self.mixer = nn.Sequential(*(MixerBlock(number, widths.width, dropout=dropout) for _ in range(mixer)))
        self.norm, self.dropout = nn.LayerNorm(widths.width), nn.Dropout(dropout)
        self.classify = nn.Linear(widths.width, classes)

    @staticmethod
    def options_from_data(dataset: Any) -> dict[str, Any]:
        """The options that follow from a data set of compressed video."""
        sample = dataset[0]
        groups, frames = sample["valid"].shape
        return {
            "classes": len(dataset.class_names), "groups": groups, "frames": frames,
            "residual_channels": sample["residual"].shape[2],
        }  # fmt: skip

    def forward(self, image: Tensor, motion: Tensor, residual: Tensor, valid: Tensor) -> Tensor:
        """Classifies a batch of videos.

        Args:
            image: I-frames [B, G, 3, H, W] in 0 to 1.
            motion: motion vectors of P-frames [B, G, T, 2, H, W] in pixels.
            residual: [B, G, T, C, H, W] in -1 to 1.
            valid: bool [B, G, T]: which P-frames there are.

        Returns:
            logits [B, classes].

        Raises:
            ValueError: if a shape is not what the model was made for.
        """
        return self.head(image, self.modulate({"motion": motion, "residual": residual, "valid": valid}))

    def modulate(self, batch: Mapping[str, Tensor]) -> Tensor | None:
        """The readout of the modulators [B * G, width, h, w]; None for a model without them."""
        return None if self.motion is None else self.motion(self.encode(batch))

    def encode(self, batch: Mapping[str, Tensor]) -> Tensor:
        """What the modulators see: scaled motion vectors and residuals, time first, groups in the batch.

        Where a group has fewer P-frames than others, its steps without one come first, with an input of zero: so the
        last step is always the group's last P-frame, and that is where the modulators are read.

        Args:
            batch: holds `motion`, `residual` and `valid`.

        Returns:
            [T, B * G, 2 + C, H / reduce, W / reduce], within plus or minus ``LARGEST_INPUT``.
        """
        assert self.input_scale is not None
        motion, residual, valid = batch["motion"], batch["residual"], batch["valid"]
        shape = (self.groups, self.frames)
        _check_shape("motion", motion, (*shape, 2, "H", "W"))
        _check_shape("residual", residual, (*shape, self.residual_channels, *motion.shape[-2:]))
        _check_shape("valid", valid, shape)
        valid = valid[:, :, : self.steps].flatten(0, 1)
        x = torch.cat([motion[:, :, : self.steps], residual[:, :, : self.steps]], dim=3).flatten(0, 2)
        x = functional.avg_pool2d(x, self.reduce) if self.reduce > 1 else x
        x = self.input_scale(x, valid.flatten()).clamp(-LARGEST_INPUT, LARGEST_INPUT).unflatten(0, valid.shape)
        if not bool(valid.all()):
            order = valid.to(torch.uint8).argsort(dim=1, stable=True)
            x = x[torch.arange(len(x), device=x.device)[:, None], order]
        return x.transpose(0, 1).contiguous()

    def head(self, image: Tensor, modulated: Tensor | None) -> Tensor:
        """Everything that does not spike: I-frames and the readout of the modulators to logits [B, classes]."""
        found = []
        if self.image is not None:
            _check_shape("image", image, (self.groups, 3, "H", "W"))
            found.append(self.tokens["image"](self.image(image.flatten(0, 1))))
        if self.motion is not None:
            assert modulated is not None
            # an integrator gives a number of spikes; rates do not depend on how many steps there are
            scale = 1 / self.steps if self.motion.readout == "rate" else 1.0
            found.append(self.tokens["motion"](modulated * scale))
        tokens = self.mixer(self.transformer(torch.cat(found, dim=1)))
        logits: Tensor = self.classify(self.dropout(self.norm(tokens).mean(1)))
        return logits

    def spiking_part(self, sample_shapes: Mapping[str, Sequence[int]]) -> SpikingPart:
        """The modulators, for hardware export; each group of pictures is a sequence of its own.

        Raises:
            ValueError: if they do not exist or do not spike.
        """
        if self.motion is None or not self.motion.spiking:
            raise ValueError(
                "compressed_video: has no spiking part; train with modality both or motion, and stm spiking"
            )
        height, width = (size // self.reduce for size in sample_shapes["motion"][-2:])
        shape = (2 + self.residual_channels, height, width)
        return SpikingPart(
            self.motion.network, shape, torch.no_grad()(self.encode), input_bits=8, input_low=-LARGEST_INPUT,
            input_high=LARGEST_INPUT,
            encoding="motion vectors (x, y) in pixels and residual of a P-frame, averaged over squares of "
            f"{self.reduce} pixels and divided by their root mean square over the training data (input_scale), "
            "one step a P-frame",
            decoding="the membrane of the readout at the last step goes into head.onnx, see joint.safetensors",
            remedy="thresholds that adapt have neither a form in NIR nor in integers: train with "
            "--model.options.threshold learned (or fixed)" if self.motion.neurons.threshold == "adaptive" else "",
        )  # fmt: skip

    def energy(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Operations and estimated energy of a video; see ``spikelab.models.video_energy``."""
        from spikelab.models.video_energy import energy

        return energy(self, batch)

    def export(self, folder: Path, height: int, width: int) -> dict[str, Any]:
        """Writes the modulators as NIR and the rest as ONNX; see ``spikelab.models.video_export``."""
        from spikelab.models.video_export import export

        return export(self, folder, height, width)

    def export_joint(self, folder: Path, features: Mapping[str, Tensor], batch: Mapping[str, Any]) -> list[str]:
        """Writes what follows the modulators on event hardware; see ``spikelab.models.video_export``."""
        from spikelab.models.video_export import export_joint

        return export_joint(self, folder, features, batch)


def _check_shape(name: str, value: Tensor, expected: tuple[int | str, ...]) -> None:
    shape = tuple(value.shape[1:])
    fits = len(shape) == len(expected) and all(
        isinstance(b, str) or a == b for a, b in zip(shape, expected, strict=True)
    )
    if not fits:
        layout = ", ".join(map(str, ("B", *expected)))
        raise ValueError(
            f"compressed_video: {name} has shape {list(value.shape)}, but must be [{layout}]; a model keeps the "
            "numbers of groups, of P-frames and of channels of residuals (luma 1, RGB 3) that it was trained with"
        )

"""Encoders of the I-frames of a compressed video: ordinary convolutions from a picture to a map of features."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional


def _normalised(fan_in: int, fan_out: int, kernel: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(fan_in, fan_out, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(fan_out))


class StridedEncoder(nn.Sequential):
    """One 3x3 convolution of stride 2 a stage, with batch normalisation and a rectifier.

    Args:
        widths: channels of each stage.
        channels: of a picture.
    """

    def __init__(self, widths: Sequence[int], channels: int = 3):
        stages = pairwise((channels, *widths))
        super().__init__(*(nn.Sequential(_normalised(a, b, 3, 2), nn.ReLU(inplace=True)) for a, b in stages))
        self.width = widths[-1]


class ResidualEncoder(nn.Module):
    """A residual network without its classifier: two blocks a stage, so four stages make a ResNet-18.

    Args:
        widths: channels of each stage; the first keeps the size that the stem leaves, each other one halves it.
        channels: of a picture.

    Source: He, Zhang, Ren, Sun 2016, CVPR, table 1 (18 layers) and section 4.1, with projections where sizes change.
    """

    def __init__(self, widths: Sequence[int], channels: int = 3):
        super().__init__()
        self.stem = nn.Sequential(
            _normalised(channels, widths[0], 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1)
        )
        blocks: list[nn.Module] = []
        for stage, (fan_in, width) in enumerate(pairwise((widths[0], *widths))):
            blocks += [_ResidualBlock(fan_in, width, 2 if stage else 1), _ResidualBlock(width, width, 1)]
        self.blocks = nn.Sequential(*blocks)
        self.width = widths[-1]

    def forward(self, image: Tensor) -> Tensor:
        """Maps pictures [B, C, H, W] to features [B, width, H / 2^(stages + 1), ...]."""
        features: Tensor = self.blocks(self.stem(image))
        return features


class _ResidualBlock(nn.Module):
    def __init__(self, fan_in: int, width: int, stride: int):
        super().__init__()
        self.first, self.second = _normalised(fan_in, width, 3, stride), _normalised(width, width, 3, 1)
        same = fan_in == width and stride == 1
        self.shortcut = nn.Identity() if same else _normalised(fan_in, width, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(functional.relu(self.first(x))) + self.shortcut(x))

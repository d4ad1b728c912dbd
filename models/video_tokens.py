"""Maps of features as tokens of one sequence: where, in which group of pictures and of which kind each is."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class MapTokens(nn.Module):
    """The map of features of each group of pictures as tokens with learned embeddings of place, group and modality.

    A map is averaged over a grid of parts, so pictures of any size give the same number of tokens.

    Args:
        fan_in: channels of a map.
        width: of a token.
        grid: parts along each side of a map.
        groups: groups of pictures of a video.
    """

    def __init__(self, fan_in: int, width: int, grid: int, groups: int):
        super().__init__()
        self.grid, self.groups = grid, groups
        self.project = nn.Linear(fan_in, width)
        # rates, membranes and rectified features have different scales; attention compares them
        self.norm = nn.LayerNorm(width)
        self.place = nn.Parameter(0.02 * torch.randn(grid * grid, width))
        self.group = nn.Parameter(0.02 * torch.randn(groups, 1, width))
        self.modality = nn.Parameter(0.02 * torch.randn(width))

    def forward(self, maps: Tensor) -> Tensor:
        """Tokens [B, G * grid * grid, width] of maps [B * G, C, h, w], those of a group side by side."""
        parts = functional.adaptive_avg_pool2d(maps, self.grid).flatten(2).transpose(1, 2)
        tokens = self.norm(self.project(parts)).unflatten(0, (-1, self.groups))
        return (tokens + self.place + self.group + self.modality).flatten(1, 2)

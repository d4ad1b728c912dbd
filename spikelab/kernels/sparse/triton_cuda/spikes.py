"""Which elements of a tensor on a CUDA device are not zero: one bit each, by pixel and by channel."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor

from spikelab.kernels.sparse.triton_cuda import code
from spikelab.kernels.triton.device import on
from spikelab.kernels.triton.dtypes import DTYPES, computed_in

WORD = 32


@dataclass(frozen=True)
class DeviceSpikes:
    """The elements of pictures [n, C, H, W] that are not zero; rows [n, C] are pictures of one pixel.

    Attributes:
        shape: n, C, H, W.
        by_pixel: int32 [n * H * W, words of 32 channels], the lowest bit first.
        by_channel: int32 [C, words of 32 pixels].
        count: of all.
        value: of each, where they are all the same.
        pictures: [n, C, H, W] where they are not all the same; else None, and the tensor need not stay in memory.
    """

    shape: tuple[int, int, int, int]
    by_pixel: Tensor
    by_channel: Tensor
    count: int
    value: Tensor
    pictures: Tensor | None

    @property
    def density(self) -> float:
        """Their share of all elements."""
        pictures, channels, height, width = self.shape
        return self.count / max(1, pictures * channels * height * width)


def can_list(x: Tensor) -> bool:
    """Whether ``list_spikes`` takes this tensor now: it reads a number off the device, which a graph cannot."""
    return x.device.type == "cuda" and x.dtype in DTYPES and not torch.cuda.is_current_stream_capturing()


def list_spikes(x: Tensor) -> DeviceSpikes:
    """Lists what is not zero in x, rows [n, C] or pictures [n, C, H, W] of any layout. Waits for the device."""
    pictures = x.detach()
    if pictures.dim() == 2:
        pictures = pictures[:, :, None, None]
    count, channels, height, width = pictures.shape
    pixels = count * height * width
    grid = (-(-pixels // WORD), -(-channels // WORD))
    by_pixel = x.new_empty((pixels, grid[1]), dtype=torch.int32)
    by_channel = x.new_empty((channels, grid[0]), dtype=torch.int32)
    found = x.new_empty((*grid, 3), dtype=computed_in(x.dtype))
    with on(x):
        code.pack[grid](
            pictures, by_pixel, by_channel, found, pixels, channels, height, width, *pictures.stride(), *grid,
            enable_fp_fusion=False,
        )  # fmt: skip
    # counts of single programs are at most 1024, so their sum as whole numbers is exact
    spikes, least, most = found[..., 0].long().sum(), found[..., 1].amin(), found[..., 2].amax()
    number, low, high = torch.stack([spikes.double(), least.double(), most.double()]).tolist()
    # infinity times the sum of no weights would not be zero
    same = low == high and isfinite(low)
    value = most.to(x.dtype) if same else most.new_ones((), dtype=x.dtype)
    varied = number > 0 and not same
    shape = (count, channels, height, width)
    return DeviceSpikes(shape, by_pixel, by_channel, int(number), value, pictures if varied else None)

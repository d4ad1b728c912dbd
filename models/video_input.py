"""Motion vectors and residuals on one scale, without moving zero."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class InputScale(nn.Module):
    """Divides each channel by its root mean square over the training data, and multiplies it by a learned factor.

    CoViAR (Wu et al. 2018, CVPR) normalises these inputs by batch normalisation. Without its shift, what the codec
    left out stays zero: most of a P-frame, which then costs an event-driven processor nothing. Both have a mean near
    zero anyway. Training uses the root mean square of the batch, evaluation a running mean of its square.

    Args:
        channels: of a picture.
        momentum: weight of a batch in the running mean.
        epsilon: added to the mean square, for channels that are zero throughout.
    """

    def __init__(self, channels: int, momentum: float = 0.1, epsilon: float = 1e-6):
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon
        self.factor = nn.Parameter(torch.ones(channels))
        self.register_buffer("mean_square", torch.ones(channels))
        self.mean_square: Tensor

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Scales pictures.

        Args:
            x: [N, C, H, W].
            valid: bool [N]: which of them count.

        Returns:
            [N, C, H, W], zero for those that do not count.
        """
        x = x * valid[:, None, None, None]
        mean_square = self.mean_square
        if self.training:
            pixels = valid.sum().clamp(min=1) * x.shape[2] * x.shape[3]
            # in single precision, whatever the model runs in: thousands of small squares are summed
            mean_square = x.float().square().sum(dim=(0, 2, 3)) / pixels
            with torch.no_grad():
                self.mean_square.lerp_(mean_square.to(self.mean_square.dtype), self.momentum)
        scale = self.factor * torch.rsqrt(mean_square + self.epsilon)
        return x * scale.to(x.dtype)[:, None, None]

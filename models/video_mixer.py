"""The multi-modal mixer: perceptrons along the tokens of both modalities together, then along their channels."""

from __future__ import annotations

from torch import Tensor, nn

from spikelab.models.video_transformer import perceptron


class MixerBlock(nn.Module):
    """Each channel is mixed over all tokens of I- and P-frames, then each token over its channels.

    Both are normalised before and added to what they take (Tolstikhin et al. 2021, NeurIPS, MLP-Mixer, section 2).

    Args:
        tokens: N of a video; a perceptron along them takes no other number.
        width: of a token.
        expansion: hidden widths of both perceptrons, in widths of a token.
        dropout: share of activations that training leaves out.
    """

    def __init__(self, tokens: int, width: int, expansion: int = 2, dropout: float = 0.0):
        super().__init__()
        self.token_norm, self.channel_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.tokens = perceptron(tokens, expansion * width, dropout)
        self.channels = perceptron(width, expansion * width, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Maps tokens [B, N, width] to the same."""
        x = x + self.tokens(self.token_norm(x).transpose(1, 2)).transpose(1, 2)
        mixed: Tensor = x + self.channels(self.channel_norm(x))
        return mixed

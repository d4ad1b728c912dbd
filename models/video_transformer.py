"""A transformer encoder in its plain form: pre-normalised blocks of global self-attention and a perceptron."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class SelfAttention(nn.Module):
    """Every token attends to every token (Vaswani et al. 2017, NeurIPS, section 3.2).

    Args:
        width: of a token.
        heads: among which the width is divided.
        dropout: share of attention weights that training leaves out.

    Raises:
        ValueError: if the heads do not divide the width.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0):
        super().__init__()
        if width % heads:
            raise ValueError(f"compressed_video: heads = {heads} must divide the width of a token, {width}")
        self.heads, self.dropout = heads, dropout
        self.project_in, self.project_out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Maps tokens [B, N, width] to the same."""
        query, key, value = self.project_in(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        found: Tensor = self.project_out(mixed.transpose(1, 2).flatten(2))
        return found

    def product_macs(self, x: Tensor) -> float:
        """Multiply-accumulates of one sample of x [B, N, width] between activations, beside those with weights."""
        tokens, width = x.shape[1:]
        return 2.0 * tokens * tokens * width


def perceptron(width: int, hidden: int, dropout: float = 0.0) -> nn.Sequential:
    """Two linear layers with a GELU between, along the last dimension."""
    layers = (nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width), nn.Dropout(dropout))
    return nn.Sequential(*layers)


class TransformerBlock(nn.Module):
    """Attention, then a perceptron, each normalised before and added to what it takes.

    Args:
        width: of a token.
        heads: of attention.
        expansion: width of the perceptron's hidden layer, in widths of a token.
        dropout: share of activations that training leaves out.
    """

    def __init__(self, width: int, heads: int, expansion: int = 2, dropout: float = 0.0):
        super().__init__()
        self.attention_norm, self.perceptron_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads, dropout)
        self.perceptron = perceptron(width, expansion * width, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Maps tokens [B, N, width] to the same."""
        x = x + self.attention(self.attention_norm(x))
        mixed: Tensor = x + self.perceptron(self.perceptron_norm(x))
        return mixed

"""CURE's spectral eraser: a projection of a layer's input space that takes one concept out and spares others.

Embeddings are columns of a matrix E [N, M]: what a layer gets, one column for each example, or for each class its mean.
With E = U S V^T, a direction's share of the energy is r = s^2 / sum s^2; the strength a turns it into f = a r /
((a - 1) r + 1), which is r itself for a = 1 and goes to 1 for large a. P = U diag(f) U^T.

Source: Das Biswas, A. Roy and K. Roy 2025, NeurIPS (arXiv 2505.12677), as two independent write-ups give its equations;
the official repository has no editing code, so this is a reconstruction.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spikelab.learn.continual.subspace import orthonormal

_SMALLEST = 1e-7  # share of the largest singular value below which a direction is rounding


def spectral_projector(embeddings: Tensor, strength: float) -> Tensor:
    """P = U diag(f) U^T of embeddings [N, M]: [N, N], symmetric, with eigenvalues of 0 to 1.

    Raises:
        ValueError: For a strength that is not above 0, or embeddings that are all zero.
    """
    if strength <= 0:
        raise ValueError(f"strength = {strength}: must be above 0; 1 takes each direction by its share of the energy")
    directions, values, _ = torch.linalg.svd(embeddings.double(), full_matrices=False)
    if not len(values) or values[0] == 0:
        raise ValueError(f"embeddings [{', '.join(map(str, embeddings.shape))}] are all zero: they show no direction")
    kept = values > _SMALLEST * values[0]
    directions, shares = directions[:, kept], (values.square() / values.square().sum())[kept]
    weights = strength * shares / ((strength - 1) * shares + 1)
    return (directions * weights) @ directions.T


def literal_eraser(forget: Tensor, retain: Tensor, forget_strength: float, retain_strength: float) -> Tensor:
    """The paper's eraser: P = P_f - P_f P_r, to be used as W (I - P).

    Args:
        forget: Embeddings [N, M] of what is to be forgotten.
        retain: Embeddings [N, K] of what is to stay.
        forget_strength: a of the one.
        retain_strength: a of the other; the larger it is, the less is erased.

    Returns:
        P [N, N].
    """
    erased = spectral_projector(forget, forget_strength)
    return erased - erased @ spectral_projector(retain, retain_strength)


def oblique_eraser(forget: Tensor, retain: Tensor) -> Tensor:
    """The projection onto what is to be forgotten, along a space that holds all that is to stay.

    P = F (D^T F)^-1 D^T, with D the part of F that is orthogonal to R. So P F = F and P R = 0 to rounding: behind
    W (I - P) nothing is left of the forgotten columns, and the retained ones answer as before. It is not the paper's:
    an orthogonal projection cannot do both unless the two are orthogonal.

    Args:
        forget: Embeddings F [N, M].
        retain: Embeddings R [N, K].

    Returns:
        P [N, N].

    Raises:
        ValueError: If the forgotten columns lie in the span of the retained ones, so that none can go without others.
    """
    forget, retain = forget.double(), retain.double()
    basis = orthonormal(retain.T)
    apart = forget
    for _ in range(2):
        apart = apart - basis.T @ (basis @ apart)
    shares = torch.linalg.svdvals(apart) / torch.linalg.norm(forget, 2)
    if not len(shares) or shares[-1] < 1e-6:
        raise ValueError(
            "what is to be forgotten lies in the span of what is to stay: no projection takes one and leaves the other;"
            " use the literal or the centred form, or retain less"
        )
    return forget @ torch.linalg.solve(apart.T @ forget, apart.T)

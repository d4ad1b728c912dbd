"""Subspaces of a layer's inputs: bases, principal components, projections, angles."""

from __future__ import annotations

import torch
from torch import Tensor


def without(x: Tensor, basis: Tensor) -> Tensor:
    """The part of rows that is orthogonal to a subspace.

    Args:
        x: [..., N].
        basis: Orthonormal rows [K, N].
    """
    return x - x @ basis.T @ basis


def project_gradient(gradient: Tensor, basis: Tensor) -> Tensor:
    """The gradient of weights [M, N] or [M, C, H, W] without what would change their answer to the subspace [K, N]."""
    return without(gradient.flatten(1), basis).reshape(gradient.shape)


def orthonormal(x: Tensor, against: Tensor | None = None, tolerance: float = 1e-5) -> Tensor:
    """Orthonormal rows that span what rows [K, N] span, besides a subspace; fewer than K where they depend.

    Args:
        x: Any rows.
        against: Orthonormal rows that the result is to be orthogonal to.
        tolerance: Directions of a smaller share of the largest one's length are left out.
    """
    if not len(x):
        return x
    exact = x.double()
    size = torch.linalg.norm(exact, 2)
    if against is not None and len(against):
        basis = against.double()
        for _ in range(2):  # twice is enough: the second time removes what rounding left (Parlett 1998, section 6.9)
            exact = without(exact, basis)
    _, values, directions = torch.linalg.svd(exact, full_matrices=False)
    found = directions[values > tolerance * size]
    if against is not None and len(against) and len(found):
        found = without(found, against.double())
        found = torch.linalg.qr(found.T)[0].T
    return found.to(x.dtype)


def principal_directions(x: Tensor) -> tuple[Tensor, Tensor]:
    """Right singular vectors of rows [R, N] (not centred), the largest first, and the squared singular values.

    Returns:
        [K, N] orthonormal rows, and [K]; K is the smaller of R and N.
    """
    exact = x.double()
    if len(exact) <= exact.shape[1]:
        _, values, directions = torch.linalg.svd(exact, full_matrices=False)
        return directions.to(x.dtype), values.square().to(x.dtype)
    values, vectors = torch.linalg.eigh(exact.T @ exact)
    return vectors.flip(1).T.to(x.dtype), values.flip(0).clamp(min=0).to(x.dtype)


def principal_angles(first: Tensor, second: Tensor) -> Tensor:
    """Angles in radians between two subspaces, the smallest first.

    Args:
        first: Rows [K, N] that span the one; they need not be orthonormal.
        second: Rows [L, N] that span the other.

    Returns:
        [min(K, L)].

    Source: Björck and Golub 1973, Mathematics of Computation 27.
    """
    cosines = torch.linalg.svdvals(orthonormal(first.double()) @ orthonormal(second.double()).T)
    return cosines.clamp(max=1).arccos()

"""Lateral connections that learn the main subspace of a layer's inputs, by Hebbian and anti-Hebbian changes alone."""

from __future__ import annotations

import torch
from torch import Tensor


class LateralWeights:
    """Subspace neurons y = H x beside a layer's inputs x; rows of H are learned, or held from earlier tasks.

    A new row changes by y (x - H^T y)^T: Hebbian in y x^T, anti-Hebbian in y (H^T y)^T, which are what comes in and
    what the subspace neurons send back to the inputs. All rows answer, and only the new ones learn: so these find the
    main directions of what the held ones miss (Oja's subspace rule).

    Args:
        inputs: N.
        rate: Size of a change. It counts in units of the inputs' mean squared length, so the same rate does for bright
            and dark layers: every number in the rule is local to the layer.
        momentum: Share of the previous change in the next, which is (1 - momentum) of its own.
        iterations: Changes for each batch.
        spike_levels: Subspace neurons answer in spikes, so in whole multiples of 1 / spike_levels of `spike_range`, of
            either sign; 0 lets them answer in real numbers.
        spike_range: Largest answer in spikes.

    Attributes:
        held: Rows [K, N] of earlier tasks.
        new: Rows [L, N] that learn.

    Source: Xiao, Meng, Zhang, He and Lin 2024, ICLR, equations 4 to 8; momentum and iterations as in the authors' code.
    The authors' rates are absolute (0.01, and 0.001 for pictures): the division by the squared length is ours.
    """

    def __init__(
        self,
        inputs: int,
        rate: float = 3.0,
        momentum: float = 0.9,
        iterations: int = 5,
        spike_levels: int = 0,
        spike_range: float = 20.0,
    ) -> None:
        self.rate, self.momentum, self.iterations = rate, momentum, iterations
        self.spike_levels, self.spike_range = spike_levels, spike_range
        self.held = torch.zeros(0, inputs)
        self.new = torch.zeros(0, inputs)
        self.change = torch.zeros(0, inputs)

    def sprout(self, count: int, generator: torch.Generator) -> None:
        """New rows, drawn and made orthonormal; rows that were new before are dropped."""
        drawn = torch.randn(self.held.shape[1], count, generator=generator)
        self.new = torch.linalg.qr(drawn)[0].T.to(self.held).contiguous() if count else self.held[:0]
        self.change = torch.zeros_like(self.new)

    def answer(self, x: Tensor, lateral: Tensor) -> Tensor:
        """What subspace neurons with these rows [K, N] answer to inputs [R, N]: [R, K]."""
        y = x @ lateral.T
        if not self.spike_levels:
            return y
        span, levels = self.spike_range, self.spike_levels
        return (y.clamp(-span, span) / span * levels).round() / levels * span

    def reduced(self, x: Tensor) -> Tensor:
        """Inputs [R, N] after what the held subspace neurons send back was taken off: x - H^T y."""
        return x - self.answer(x, self.held) @ self.held if len(self.held) else x

    def learn(self, x: Tensor) -> float:
        """Changes the new rows by a batch of inputs.

        Args:
            x: [R, N].

        Returns:
            The share of the inputs' energy that all rows together missed, before the last change.
        """
        energy = float(x.square().sum())
        if energy == 0:
            return 0.0
        rest = self.reduced(x)
        if not len(self.new):
            return float(rest.square().sum()) / energy
        left = float(rest.square().sum())
        missed = left
        for _ in range(self.iterations):
            y = self.answer(x, self.new)
            # y^T (rest - y H), without a matrix as large as the batch
            heard, gram = y.T @ rest, y.T @ y
            missed = left - 2 * float((heard * self.new).sum()) + float((gram * (self.new @ self.new.T)).sum())
            # the sum over rows by their energy: their mean, in units of the mean squared length
            self.change = self.momentum * self.change + (1 - self.momentum) * (heard - gram @ self.new) / energy
            self.new = self.new + self.rate * self.change
        return missed / energy

    def merge(self, rows: Tensor | None = None) -> None:
        """Holds the new rows from now on, or others in their place."""
        self.held = torch.cat([self.held, self.new if rows is None else rows])
        self.new, self.change = self.held[:0], self.held[:0]

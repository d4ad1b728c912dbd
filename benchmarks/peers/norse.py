"""Norse: ``SequentialState`` over multi-step modules, stateless ones lifted over time.

Norse has no multi-step module of its box LIF (the one without a synaptic current), so its own multi-step base class
``SNN`` runs the box LIF's step function. It has no arctan surrogate; its default, SuperSpike, is used.
"""

from __future__ import annotations

import norse.torch as norse
import torch
from norse.torch.functional.lif_box import LIFBoxFeedForwardState, LIFBoxParameters, lif_box_feed_forward_step
from norse.torch.functional.reset import reset_subtract
from norse.torch.module.snn import SNN
from torch import Tensor, nn

from benchmarks.cases import CLASSES, KEEP, SENSOR, THRESHOLD, Case

DT = 1e-3
RATE = (1 - KEEP) / DT


class BoxLIF(SNN):
    """Neurons over time; the input is scaled up because Norse multiplies it by dt / tau."""

    def __init__(self) -> None:
        parameters = LIFBoxParameters(
            tau_mem_inv=torch.as_tensor(RATE), v_th=torch.as_tensor(THRESHOLD), reset_method=reset_subtract
        )
        super().__init__(lif_box_feed_forward_step, self.initial_state, parameters, dt=DT)

    def initial_state(self, x: Tensor) -> LIFBoxFeedForwardState:
        """At rest."""
        return LIFBoxFeedForwardState(v=self.p.v_leak.clone())

    def forward(self, x: Tensor, state: LIFBoxFeedForwardState | None = None) -> tuple[Tensor, LIFBoxFeedForwardState]:
        """[T, B, ...] -> [T, B, ...]."""
        return super().forward(x / (RATE * DT), state)


class Sequence(nn.Module):
    """Gives the output alone."""

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.layers = norse.SequentialState(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, ...] -> [T, B, ...]."""
        return self.layers(x)[0]


def build(case: Case) -> nn.Module:
    """The case as a module."""
    if case.kind == "convolutional":
        return Sequence(
            norse.Lift(nn.Conv2d(SENSOR[0], 16, 5)),
            BoxLIF(),
            norse.Lift(nn.AvgPool2d(2)),
            norse.Lift(nn.Conv2d(16, 32, 3)),
            BoxLIF(),
            norse.Lift(nn.AvgPool2d(2)),
            nn.Flatten(2),
            nn.Linear(32 * 6 * 6, CLASSES),
        )
    # a dense layer takes [T, B, N] as it is
    before = [nn.Linear(case.neurons, case.neurons)] if case.kind == "linear_lif" else []
    return Sequence(*before, BoxLIF())

"""SpikingJelly: its multi-step mode, in which stateless layers see time folded into the batch."""

from __future__ import annotations

import math

from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn

from benchmarks.cases import ALPHA, CLASSES, KEEP, MODELS, SENSOR, THRESHOLD, Case
from benchmarks.peers import models
from spikelab.nn import Neuron


def neurons() -> neuron.LIFNode:
    """One layer with soft reset, whose input is not scaled by the decay."""
    return neuron.LIFNode(
        tau=1 / (1 - KEEP),
        decay_input=False,
        v_threshold=THRESHOLD,
        v_reset=None,
        surrogate_function=surrogate.ATan(ALPHA),
    )


def in_place_of(ours: Neuron, keep: float) -> nn.Module:
    """A layer with the dynamics of one of a model's: its input scaled by the decay or not at all."""
    tau = 1 / (1 - keep)
    scaled = math.isclose(models.gain(ours, keep), 1 - keep, rel_tol=1e-6)
    if not scaled and not math.isclose(models.gain(ours, keep), 1, rel_tol=1e-5):
        raise ValueError(f"LIFNode scales its input by 1 / tau or 1, not by {models.gain(ours, keep)}")
    if not ours.spec.spikes:
        return Sequence(neuron.NonSpikingLIFNode(tau=tau))
    reset = None if ours.options.reset == "subtract" else float(ours.v_reset)
    arctan = surrogate.ATan(ALPHA)
    return Sequence(
        neuron.LIFNode(tau, scaled, v_threshold=float(ours.v_threshold), v_reset=reset, surrogate_function=arctan)
    )


class Sequence(nn.Module):
    """Layers in multi-step mode, reset before each sequence."""

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.layers = nn.Sequential(*layers)
        functional.set_step_mode(self.layers, "m")

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, ...] -> [T, B, ...]."""
        functional.reset_net(self.layers)
        return self.layers(x)


def build(case: Case) -> nn.Module:
    """The case as a module."""
    if case.kind in MODELS:
        return models.build(case, in_place_of)
    if case.kind == "convolutional":
        return Sequence(
            layer.Conv2d(SENSOR[0], 16, 5),
            neurons(),
            layer.AvgPool2d(2),
            layer.Conv2d(16, 32, 3),
            neurons(),
            layer.AvgPool2d(2),
            layer.Flatten(),
            layer.Linear(32 * 6 * 6, CLASSES),
        )
    before = [layer.Linear(case.neurons, case.neurons)] if case.kind == "linear_lif" else []
    return Sequence(*before, neurons())

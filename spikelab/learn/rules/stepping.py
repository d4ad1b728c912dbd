"""A layer run one time step at a time, without the derivatives that lead back in time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spikelab.learn.rules.layers import Layer
from spikelab.nn.state import State, detach_state


@dataclass(frozen=True, eq=False)
class Moment:
    """What happens in a layer in one step. Tensors have a time dimension of length 1: [1, B, ...].

    Attributes:
        layer: The layer.
        arriving: What its weights get from below.
        returning: Its own output of the step before, which recurrent weights get; None where nothing has come round.
        charge: What its neurons get.
        output: What they give; autograd leads from it to `charge`, not to the state of the step before.
        state: The neurons' state after the step, with which it is as with `output`.
    """

    layer: Layer
    arriving: Tensor
    returning: Tensor | None
    charge: Tensor
    output: Tensor
    state: State

    def sensitivity(self) -> Tensor:
        """The derivative of each neuron's output by what it gets in this step: its own surrogate derivative."""
        (found,) = torch.autograd.grad(self.output.sum(), self.charge, retain_graph=True)
        return found


def step_layer(layer: Layer, below: Tensor, state: State) -> tuple[Moment, State]:
    """Runs a layer for one step, with autograd on; it leads into the state only where that asks for gradients.

    Args:
        layer: The layer.
        below: Output [1, B, ...] of the layer below.
        state: What this function gave at the step before, {} at the first one.

    Returns:
        what happened, and the state after it: "neurons", and with recurrent weights "output".
    """
    with torch.enable_grad():
        arriving = layer.arrive(below)
        charge = layer.charge(arriving)
        returning = state.get("output")
        if layer.recurrent is not None and returning is not None:
            charge = charge + layer.recurrent(returning)
        if not charge.requires_grad:
            charge = charge.detach().requires_grad_()
        output, neurons = layer.answer(charge, state.get("neurons"))
    after: State = {"neurons": detach_state(neurons)}
    if layer.recurrent is not None:
        after["output"] = output.detach()
    return Moment(layer, arriving.detach(), returning, charge, output, neurons), after

"""Eligibility: the derivative of a neuron's output by each of its weights, carried forward in time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spikelab.learn.rules.layers import Layer
from spikelab.learn.rules.stepping import Moment
from spikelab.learn.rules.traces import Filter
from spikelab.nn import Dense, Neuron
from spikelab.nn.state import State


class Eligibility:
    """Forward differentiation of a dense layer of neurons, each by its own weights.

    With the states s of a neuron (s' before the step), what it gets c and what it gives z, the derivatives of one step
    carry those by a weight on: ds/dw = (ds/ds') ds'/dw + (ds/dc) x, and e = (dz/ds') ds'/dw + (dz/dc) x. What goes
    through other neurons is not counted.

    Args:
        layer: Dense weights, neurons, perhaps recurrent Dense weights.
        filter: That of the readout, by which eligibility is filtered.

    Source: Bellec et al. 2020, Nature Communications 11, eqs. 13 and 14.
    """

    def __init__(self, layer: Layer, filter: Filter) -> None:
        assert isinstance(layer.neurons, Neuron)
        self.layer, self.filter = layer, filter
        self.names = layer.neurons.spec.state_names

    def advance(self, moment: Moment, before: State, known: State) -> State:
        """The state after a step.

        Args:
            moment: The step.
            before: State of the layer that the step began with; its neurons' states ask for gradients.
            known: What this gave at the step before, {} at the first: "by_state" and "filtered", which hold tensors
                [n, B, inputs].
        """
        x = self._inputs(moment)
        held = list(known["by_state"].values()) if known else []
        leaves = [before["neurons"][name] for name in self.names] if known else []
        eligibility = _carry(moment.output, moment.charge, leaves, x, held)
        by_state = {name: _carry(moment.state[name], moment.charge, leaves, x, held) for name in self.names}
        filtered = {}
        for place, (row, entry) in enumerate(zip(self.filter.matrix, self.filter.entry, strict=True)):
            into = eligibility * entry
            for factor, value in zip(row, known["filtered"].values() if known else (), strict=False):
                if factor:
                    into.add_(value, alpha=factor)
            filtered[str(place)] = into
        return {"by_state": by_state, "filtered": filtered}

    def gradients(self, signal: Tensor, known: State) -> list[tuple[nn.Parameter, Tensor]]:
        """The layer's weights and biases, each with sum over the batch of signal [B, n] times filtered eligibility."""
        row = signal.T.unsqueeze(1)
        total = signal.new_zeros(())
        for factor, value in zip(self.filter.exit, known["filtered"].values(), strict=True):
            if factor:
                total = total + factor * torch.bmm(row, value).squeeze(1)
        pairs: list[tuple[nn.Parameter, Tensor]] = []
        at = 0
        for weights in (self.layer.weights, self.layer.recurrent):
            if weights is None:
                continue
            assert isinstance(weights, Dense)
            pairs.append((weights.get_parameter("weight"), total[:, at : at + weights.in_features]))
            at += weights.in_features
            if weights.bias is not None:
                pairs.append((weights.get_parameter("bias"), total[:, at]))
            at += 1
        return pairs

    def _inputs(self, moment: Moment) -> Tensor:
        """[B, inputs]: what arrives, a 1 for the bias, and the same of the recurrent weights."""
        arriving = moment.arriving[0]
        one = arriving.new_ones(len(arriving), 1)
        if self.layer.recurrent is None:
            return torch.cat([arriving, one], 1)
        returning = moment.returning
        if returning is None:
            # before the first spikes come round, recurrent weights give nothing, not even their bias
            returning, present = torch.zeros_like(moment.output), 0 * one
        else:
            present = one
        return torch.cat([arriving, one, returning[0], present], 1)


def _carry(value: Tensor, charge: Tensor, leaves: list[Tensor], x: Tensor, held: list[Tensor]) -> Tensor:
    """The derivative of a number of each neuron by its weights, [n, B, inputs].

    Args:
        value: The numbers [1, B, n] or [B, n], found in the step from `charge` and `leaves`.
        charge: What the neurons get.
        leaves: Their states before the step.
        x: What the weights get [B, inputs].
        held: The derivatives of `leaves` by the weights.
    """
    if not value.requires_grad:
        return x.new_zeros(charge.shape[-1], *x.shape)
    found = torch.autograd.grad(value.sum(), [charge, *leaves], retain_graph=True, allow_unused=True)
    by_charge, *by_states = [None if g is None else g.reshape(charge.shape[1:]).T.unsqueeze(2) for g in found]
    carried = x.new_zeros(charge.shape[-1], *x.shape) if by_charge is None else by_charge * x
    for by, derivative in zip(by_states, held, strict=True):
        if by is not None:
            carried.addcmul_(by, derivative)
    return carried

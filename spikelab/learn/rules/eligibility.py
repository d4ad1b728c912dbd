"""Eligibility: the derivative of a neuron's output by each of its weights, carried forward in time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from spikelab.learn.rules.layers import Layer
from spikelab.learn.rules.stepping import Moment
from spikelab.learn.rules.traces import Filter
from spikelab.nn import Dense, Neuron
from spikelab.nn.state import State

#: Numbers that are worked on at a time.
_CACHED = 1 << 17


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
                [n, B, inputs]. It is written over: these are the largest tensors by far.
        """
        x = self._inputs(moment)
        neurons = moment.charge.shape[-1]
        leaves = [before["neurons"][name] for name in self.names] if known else []
        if x.dtype not in (torch.float32, torch.float64):
            x = x.float()
        output = _derivatives(moment.output, moment.charge, leaves)
        states = [_derivatives(moment.state[name], moment.charge, leaves) for name in self.names]
        if not known:
            known = {
                "by_state": {name: x.new_zeros(neurons, *x.shape) for name in self.names},
                "filtered": {str(place): x.new_zeros(neurons, *x.shape) for place in range(len(self.filter.entry))},
            }
        # a few neurons at a time: what is computed on the way then stays in the processor's cache
        size = max(1, _CACHED // x.numel())
        for start in range(0, neurons, size):
            some = slice(start, start + size)
            held = [value[some] for value in known["by_state"].values()]
            eligibility = _carry(output, some, x, held)
            moved = [_carry(by, some, x, held) for by in states]
            for into, value in zip(held, moved, strict=True):
                into.copy_(value)
            self._filter([value[some] for value in known["filtered"].values()], eligibility)
        return known

    def _filter(self, filtered: Sequence[Tensor], eligibility: Tensor) -> None:
        """Moves the readout's filter on by a step, in place."""
        if len(filtered) == 1:
            filtered[0].mul_(self.filter.matrix[0][0]).add_(eligibility, alpha=self.filter.entry[0])
            return
        moved = []
        for row, entry in zip(self.filter.matrix, self.filter.entry, strict=True):
            value = eligibility * entry
            for factor, held in zip(row, filtered, strict=True):
                value.add_(held, alpha=factor)
            moved.append(value)
        for into, value in zip(filtered, moved, strict=True):
            into.copy_(value)

    def gradients(self, signal: Tensor, known: State) -> list[tuple[nn.Parameter, Tensor]]:
        """The layer's weights and biases, each with sum over the batch of signal [B, n] times filtered eligibility."""
        values = list(known["filtered"].values())
        row = signal.to(values[0].dtype).T.unsqueeze(1)
        with torch.autocast(row.device.type, enabled=False):
            found = [f * torch.bmm(row, v).squeeze(1) for f, v in zip(self.filter.exit, values, strict=True) if f]
        total = torch.stack(found).sum(0)
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


def _derivatives(value: Tensor, charge: Tensor, leaves: Sequence[Tensor]) -> list[Tensor | None]:
    """Of a number of each neuron, [1, B, n] or [B, n], by what it gets and by its states before: each [n, B, 1]."""
    if not value.requires_grad:
        return [None] * (1 + len(leaves))
    found = torch.autograd.grad(value.sum(), [charge, *leaves], retain_graph=True, allow_unused=True)
    return [None if g is None else g.reshape(charge.shape[1:]).T.unsqueeze(2) for g in found]


def _carry(by: Sequence[Tensor | None], some: slice, x: Tensor, held: Sequence[Tensor]) -> Tensor:
    """The derivative of a number by the weights [some, B, inputs], through what neurons get and through their states.

    Args:
        by: The derivatives of that number (`_derivatives`).
        some: Which neurons.
        x: What the weights get [B, inputs].
        held: The derivatives of these neurons' states by their weights.
    """
    by_charge, *by_states = by
    carried = x.new_zeros(*held[0].shape) if by_charge is None else by_charge[some].to(x.dtype) * x
    for derivative, by_weights in zip(by_states, held, strict=False):
        if derivative is not None:
            carried.addcmul_(derivative[some].to(x.dtype), by_weights)
    return carried

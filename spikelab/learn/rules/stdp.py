"""Spike-timing dependent plasticity on the layers of a model: nobody tells a hidden layer anything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from spikelab.learn.rules.layers import Layer
from spikelab.learn.rules.stepping import Moment, step_layer
from spikelab.learn.rules.time_local import TimeLocalRule
from spikelab.learn.rules.traces import Filter, exponential, membrane_filter
from spikelab.learn.task import Batch, Task
from spikelab.nn import Neuron
from spikelab.nn.state import State


class STDP(TimeLocalRule):
    """Hidden weights change by additive pair-based STDP, without labels; the readout learns the task.

    It is the rule `pair_stdp` of simulated networks, summed over the batch: with the traces q of what arrives and y of
    the neuron's own spikes z, a weight changes by a_plus z ⊗ q - a_minus y ⊗ x in each step, where q counts what
    arrives in the step itself and y does not. `.grad` is minus that, so a step of plain gradient descent with rate 1
    adds it. Biases stay. What arrives may be real numbers.

    Weights of a layer have no bounds, and left alone STDP would drive all of them one way. So the part of a neuron's
    change that lies along its own weights is left out (`keep_length`), and only their direction learns.

    The readout learns by the gradient of the task's loss for what it gives at each step, mean over the steps.

    Args:
        model: A chain of layers of spiking neurons; the readout is linear, such as "li".
        task: Has `class_names`.
        sample_shapes: Name -> shape of each tensor of a sample.
        tau_plus: Time constant of q, seconds.
        tau_minus: Time constant of y, seconds.
        a_plus: Size of potentiation.
        a_minus: Size of depression.
        keep_length: Whether the length of each neuron's weights is kept, to first order in the size of a step.

    Raises:
        UnsupportedError: For a model or task that the rule cannot train.
        ValueError: For a time constant that is not positive.

    Source: Song, Miller and Abbott 2000, Nature Neuroscience 3; multiplicative constraint on the length: Miller and
    MacKay 1994, Neural Computation 6.
    """

    descends: ClassVar[bool] = False

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        sample_shapes: Mapping[str, Sequence[int]],
        tau_plus: float = 20e-3,
        tau_minus: float = 20e-3,
        a_plus: float = 0.01,
        a_minus: float = 0.0105,
        keep_length: bool = True,
    ) -> None:
        super().__init__(model, task, sample_shapes)
        for name, value in (("tau_plus", tau_plus), ("tau_minus", tau_minus)):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} = {value!r} must be positive")
        self.a_plus, self.a_minus, self.keep_length = a_plus, a_minus, keep_length
        self.arrived = {layer.name: _trace(layer, tau_plus) for layer in self.chain.hidden}
        self.fired = {layer.name: _trace(layer, tau_minus) for layer in self.chain.hidden}
        readout = self.chain.readout
        self.felt = membrane_filter(readout.name, readout.neurons)

    def look(self, x: Tensor, batch: Batch, state: State, share: float) -> tuple[Tensor, Tensor, State]:
        """One step of all layers, and what they learn in it."""
        after: State = {}
        for layer in self.chain.hidden:
            before = state.get(layer.name, {})
            moment, now = step_layer(layer, x, before)
            x = moment.output.detach()
            if share:
                self._learn(moment, before, now)
            after[layer.name] = now
        readout = self.chain.readout
        before = state.get(readout.name, {})
        moment, now = step_layer(readout, x, before)
        with torch.enable_grad():
            loss, weight = self.task.loss(self.chain.conclude(moment.output), batch)
        (error,) = torch.autograd.grad(loss, moment.charge)
        self.learn_with_trace(moment, self.felt, share * error if share else None, before, now)
        after[readout.name] = now
        return share * loss.detach(), weight, after

    def _learn(self, moment: Moment, before: State, now: State) -> None:
        """Moves the traces of a layer, and adds what the spikes of a step do to its weights."""
        layer, spikes = moment.layer, moment.output.detach()
        plus, minus = self.arrived[layer.name], self.fired[layer.name]
        known = before.get("traces", {})
        traces: State = {}
        # of the neuron's spikes in earlier steps: what it does now comes too late for what arrives now
        earlier = None if "fired" not in known else minus.matrix[0][0] * known["fired"][0]
        _, traces["fired"] = minus.advance(spikes, known.get("fired"))
        inputs = {"arriving": (layer.weights, moment.arriving)}
        if layer.recurrent is not None and moment.returning is not None:
            inputs["returning"] = (layer.recurrent, moment.returning)
        for name, (weights, x) in inputs.items():
            arrived, traces[name] = plus.advance(x, known.get(name))
            self.add_weight_gradients(weights, arrived, -self.a_plus * spikes, constant=0)
            if earlier is not None:
                self.add_weight_gradients(weights, x, self.a_minus * earlier, constant=0)
        now["traces"] = traces

    def write(self, scale: float) -> None:
        """Gives the sums, times `scale`, to `.grad`; of hidden weights without what would change their length."""
        super().write(scale)
        if not self.keep_length:
            return
        for layer in self.chain.hidden:
            for module in (layer.weights, layer.recurrent):
                weight = None if module is None else module.get_parameter("weight")
                if weight is not None and weight.grad is not None:
                    weight.grad = _across(weight.grad, weight.detach())

    def signal_operations(self) -> float | None:
        """None: hidden layers are told nothing."""
        return 0.0


def _across(change: Tensor, weight: Tensor) -> Tensor:
    """The part of each neuron's change that is orthogonal to its weights, both [outputs, ...]."""
    flat, own = change.flatten(1), weight.flatten(1)
    share = (flat * own).sum(1, keepdim=True) / own.square().sum(1, keepdim=True).clamp_min(1e-12)
    return (flat - share * own).reshape(change.shape)


def _trace(layer: Layer, tau: float) -> Filter:
    """The trace that a layer's time step gives to a time constant."""
    assert isinstance(layer.neurons, Neuron)
    return exponential(math.exp(-layer.neurons.dt / tau))

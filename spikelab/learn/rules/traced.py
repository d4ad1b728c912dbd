"""What rules share whose update is a learning signal times what a neuron does times a trace of what it gets."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from spikelab.learn.rules.layers import Layer
from spikelab.learn.rules.stepping import Moment, step_layer
from spikelab.learn.rules.time_local import TimeLocalRule
from spikelab.learn.rules.traces import Filter, membrane_filter
from spikelab.learn.task import Batch, Task
from spikelab.nn.state import State


class TracedRule(TimeLocalRule):
    """At each step, weights change by (m psi) ⊗ q, where q is a trace of what arrives.

    m is a neuron's learning signal in this step (`signals`), and psi the derivative of its output by what it gets. A
    second part, (m h) ⊗ x times `post_factor`, may be added, where x is what arrives in this step and h[t] =
    post_decay h[t-1] + psi[t-1] a trace of the neuron's own past.

    The readout learns by the gradient of the step's loss, with the trace that `filter_of` gives it.
    """

    #: Whether signals come down through the layers above, within the step.
    connected: ClassVar[bool] = True

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        sample_shapes: Mapping[str, Sequence[int]],
        first_step: int = 0,
        pre_factor: float = 1.0,
        post_factor: float = 0.0,
        post_decay: float = 0.0,
    ) -> None:
        super().__init__(model, task, sample_shapes, first_step)
        if not 0 <= post_decay <= 1:
            raise ValueError(f"post_decay = {post_decay!r} must be between 0 and 1")
        self.pre_factor, self.post_factor, self.post_decay = pre_factor, post_factor, post_decay
        self.filters = {layer.name: self.filter_of(layer) for layer in self.chain.layers}

    def filter_of(self, layer: Layer) -> Filter:
        """The trace that a layer keeps of what arrives: the answer of its own membrane, if not said otherwise."""
        return membrane_filter(layer.name, layer.neurons)

    @abstractmethod
    def signals(self, moments: Sequence[Moment], loss: Tensor, batch: Batch) -> Sequence[Tensor]:
        """The learning signal of each hidden layer, [1, B, ...]: a gradient by its output in this step.

        Args:
            moments: What happened in each hidden layer.
            loss: The task's loss in this step, summed over the batch.
            batch: Holds the labels.
        """

    def look(self, x: Tensor, batch: Batch, state: State, share: float) -> tuple[Tensor, Tensor, State]:
        """One step of all layers, and what they learn in it."""
        after: State = {}
        moments: list[Moment] = []
        for layer in self.chain.layers:
            moment, after[layer.name] = step_layer(layer, x, state.get(layer.name, {}))
            moments.append(moment)
            x = moment.output if self.connected else moment.output.detach()
        with torch.enable_grad():
            loss, weight = self.task.loss(self.chain.conclude(moments[-1].output), batch)
        *hidden, readout = moments
        signals = self.signals(hidden, loss, batch) if share and hidden else [None] * len(hidden)
        for moment, signal in zip(hidden, signals, strict=True):
            before, now = state.get(moment.layer.name, {}), after[moment.layer.name]
            psi = moment.sensitivity()
            error = None if signal is None else share * self.pre_factor * signal * psi
            self.learn_with_trace(moment, self.filters[moment.layer.name], error, before, now)
            if self.post_factor:
                if signal is not None and "post" in before:
                    self._add_now(moment, share * self.post_factor * signal * before["post"])
                now["post"] = psi + self.post_decay * before["post"] if "post" in before else psi
        (error,) = torch.autograd.grad(loss, readout.charge)
        name = readout.layer.name
        scaled = share * error if share else None
        self.learn_with_trace(readout, self.filters[name], scaled, state.get(name, {}), after[name])
        return share * loss.detach(), weight, after

    def _add_now(self, moment: Moment, error: Tensor) -> None:
        """Adds (error ⊗ what arrives in this step) up."""
        self.add_weight_gradients(moment.layer.weights, moment.arriving, error)
        if moment.layer.recurrent is not None and moment.returning is not None:
            self.add_weight_gradients(moment.layer.recurrent, moment.returning, error)

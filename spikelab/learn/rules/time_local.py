"""What rules share that look at one time step after the other and keep nothing of those before but traces."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from spikelab.learn.rules.layers import Layer
from spikelab.learn.rules.local_rule import LocalRule
from spikelab.learn.rules.rule import UnsupportedError
from spikelab.learn.rules.stepping import Moment
from spikelab.learn.rules.traces import Filter
from spikelab.learn.task import Batch, Task
from spikelab.nn import Dense
from spikelab.nn.state import State


class TimeLocalRule(LocalRule):
    """Learns at every step from the loss at that step: that of the task for what the readout gives in it.

    The loss of a sequence is the mean of those of its steps. What the rule keeps from one step to the next is a state,
    an argument and a result of `advance`, so a sequence may come in parts. Only weights and their biases learn.

    Args:
        model: A chain of layers; hidden ones spike.
        task: Has `class_names`.
        sample_shapes: Name -> shape of each tensor of a sample.
        first_step: The first step that is learned from; before it only traces move.

    Raises:
        UnsupportedError: For a model or task that the rule cannot train; names the layer.
        ValueError: For a first step outside of the sequence.
    """

    def __init__(
        self, model: nn.Module, task: Task, sample_shapes: Mapping[str, Sequence[int]], first_step: int = 0
    ) -> None:
        super().__init__(model, task, sample_shapes)
        if not 0 <= first_step < self.steps:
            raise ValueError(f"first_step = {first_step}: a sample has steps 0 to {self.steps - 1}")
        self.first_step = first_step
        for layer in self.chain.layers:
            self._check_layer(layer)

    def _check_layer(self, layer: Layer) -> None:
        if layer is not self.chain.readout and not layer.spikes:
            what = "no neurons" if layer.neurons is None else f"a {type(layer.neurons).__name__}, which does not spike"
            raise UnsupportedError(
                f"layer {layer.name!r} has {what}: this rule takes hidden layers of spiking neurons; lls and bptt take "
                "others"
            )
        if layer.norm is not None:
            raise UnsupportedError(
                f"layer {layer.name!r} has batch normalisation, whose statistics are those of all steps, and this rule "
                "sees one at a time; leave it out, or use lls or bptt"
            )
        learned = [] if layer.neurons is None else [name for name, p in layer.neurons.named_parameters()]
        if learned:
            raise UnsupportedError(
                f"layer {layer.name!r}: its neurons' {', '.join(learned)} would be learned, and this rule trains "
                "weights alone; leave out `learnable`, or use bptt"
            )

    def measure(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """The loss, mean over the steps that are learned from."""
        total, weight, _ = self.advance(self.encode(batch), batch, {}, 1 / (self.steps - self.first_step))
        return total, weight

    def advance(self, x: Tensor, batch: Batch, state: State, share: float) -> tuple[Tensor, Tensor, State]:
        """Looks at the next steps of a sequence, and adds their gradients up.

        Args:
            x: Input of the network [T, B, ...].
            batch: Holds the labels.
            state: What this gave for the steps before; {} at the beginning.
            share: Weight of each step's loss, such as one over the number of steps in all.

        Returns:
            the weighted loss of these steps summed over the batch; the weight of the batch (`Task.loss`); the state.
        """
        total, weight = x.new_zeros(()), x.new_zeros(())
        step = int(state.get("step", 0))
        layers: State = {name: value for name, value in state.items() if name != "step"}
        for now in x.split(1):
            loss, weight, layers = self.look(now, batch, layers, share if step >= self.first_step else 0.0)
            total, step = total + loss, step + 1
        return total, weight, {**layers, "step": torch.tensor(step)}

    @abstractmethod
    def look(self, x: Tensor, batch: Batch, state: State, share: float) -> tuple[Tensor, Tensor, State]:
        """One step: x [1, B, ...]; otherwise as `advance`. With `share` 0, nothing is learned."""

    def add_weight_gradients(self, weights: nn.Module, x: Tensor, error: Tensor, constant: Tensor | float = 1) -> None:
        """Adds the gradients of weights that got x and whose output has an error, both [1, B, ...].

        Args:
            weights: A `Dense` or a convolution.
            x: Input, or a trace of it.
            error: The loss's gradient by the output.
            constant: The input that the bias gets: 1, or a trace of it.
        """
        found = {name: p for name, p in weights.named_parameters() if p.requires_grad}
        if not found:
            return
        precision = next(iter(found.values())).dtype
        x, error = x.to(precision), error.to(precision)
        # sums over steps are kept in the weights' own precision, also where the network runs in less
        with torch.autocast(x.device.type, enabled=False):
            if isinstance(weights, Dense):
                flat = error.flatten(0, -2)
                gradients = [flat.sum(0) if name == "bias" else flat.T @ x.flatten(0, -2) for name in found]
            else:
                with torch.enable_grad():
                    gradients = list(torch.autograd.grad(weights(x), list(found.values()), error))
        named = zip(found, gradients, strict=True)
        self.add(found.values(), [g * constant if name == "bias" else g for name, g in named])

    def learn_with_trace(self, moment: Moment, filter: Filter, error: Tensor | None, before: State, now: State) -> None:
        """Moves the traces of what arrives at a layer, and adds (error ⊗ trace) up.

        Args:
            moment: What happened in the layer.
            filter: Makes the trace.
            error: The loss's gradient by what the neurons get, [1, B, ...]; None where nothing is learned.
            before: State of the layer before the step.
            now: State after it; gets "arriving" and, where spikes return through recurrent weights, "returning".
        """
        layer = moment.layer
        inputs = {"arriving": (layer.weights, moment.arriving)}
        if layer.recurrent is not None and moment.returning is not None:
            inputs["returning"] = (layer.recurrent, moment.returning)
        for name, (weights, x) in inputs.items():
            held = before.get(name, {})
            trace, moved = filter.advance(x, held.get("trace"))
            # a bias is the weight of an input that is always 1
            constant, moved_constant = filter.advance(x.new_ones(()), held.get("constant"))
            now[name] = {"trace": moved, "constant": moved_constant}
            if error is not None:
                self.add_weight_gradients(weights, trace, error, constant)

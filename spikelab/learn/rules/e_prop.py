"""E-prop: what each synapse has done to its neuron, met by what the neuron does to the loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from spikelab.learn.rules.eligibility import Eligibility
from spikelab.learn.rules.layers import Layer, backpropagated_operations
from spikelab.learn.rules.rule import UnsupportedError
from spikelab.learn.rules.stepping import Moment, step_layer
from spikelab.learn.rules.time_local import TimeLocalRule
from spikelab.learn.rules.traces import membrane_filter
from spikelab.learn.task import Batch, Task
from spikelab.nn import Dense, Neuron
from spikelab.nn.state import State, map_state


class EProp(TimeLocalRule):
    """dW_ji = sum over t of L_j[t] ē_ji[t]: a learning signal of the neuron, and a trace of the synapse's eligibility.

    The eligibility e_ji[t] is the derivative of neuron j's output by its weight from i along all paths within the
    neuron, found by the derivatives of the neuron's own step: so every neuron will do, and with adaptive_lif it is the
    paper's rule for adaptive thresholds. ē is e filtered as the readout's membrane filters spikes. The learning signal
    L_j[t] sums the errors of the readout in this step, which is the gradient of the task's loss for what it gives, over
    feedback weights; the rule's loss is the mean of that over the steps. Recurrent weights learn likewise.

    With symmetric feedback and one hidden layer without recurrence, that is the gradient of backpropagation through
    time. Symmetric feedback to lower layers comes down within the step through the weights and surrogate derivatives of
    the layers above: the paper has one layer, so this is an extension.

    Memory is one number and more for each synapse and sample, whatever the number of steps.

    Args:
        model: A chain of dense layers of spiking neurons; the readout integrates: "li" or "cuba_li".
        task: Has `class_names`.
        sample_shapes: Name -> shape of each tensor of a sample.
        feedback: "symmetric" (the weights of the layers above), "random" (fixed, from the readout to every layer), or
            "adaptive" (random at first, then changed as weights from the layer to the readout would be, by the same
            optimiser).
        seed: Of the random feedback weights, normal with standard deviation 1 / sqrt(number of neurons).

    Raises:
        UnsupportedError: For a model or task that the rule cannot train; convolutions are named.
        ValueError: For another feedback.

    Source: Bellec, Scherr, Subramoney, Hajek, Salaj, Legenstein and Maass 2020, Nature Communications 11, eqs. 1 to 5
    and 13 to 28. Left out are the regularisation of firing rates and the decay of adaptive feedback weights, for which
    the optimiser's weight decay serves.
    """

    depends_on_layers_above: ClassVar[bool] = True

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        sample_shapes: Mapping[str, Sequence[int]],
        feedback: Literal["symmetric", "random", "adaptive"] = "symmetric",
        seed: int = 0,
    ) -> None:
        super().__init__(model, task, sample_shapes)
        if feedback not in ("symmetric", "random", "adaptive"):
            raise ValueError(f"feedback = {feedback!r}: takes 'symmetric', 'random' or 'adaptive'")
        self.feedback = feedback
        readout = self.chain.readout
        if readout.spikes or readout.recurrent is not None or not isinstance(readout.neurons, Neuron):
            raise UnsupportedError(
                f"layer {readout.name!r}, the readout, is not one of leaky integrators (nodes li or cuba_li, without "
                "recurrence), whose membrane e_prop filters eligibility by; use ottt, s_tllr or bptt"
            )
        self.filter = membrane_filter(readout.name, readout.neurons)
        generator = torch.Generator().manual_seed(seed)
        self.eligibilities = {layer.name: Eligibility(layer, self.filter) for layer in self.chain.hidden}
        if feedback != "symmetric":
            outputs = math.prod(self.shapes[readout.output])
            for place, layer in enumerate(self.chain.hidden):
                neurons = math.prod(self.shapes[layer.output])
                drawn = torch.randn(outputs, neurons, generator=generator) / math.sqrt(neurons)
                if feedback == "random":
                    self.register_buffer(f"feedback_{place}", drawn)
                else:
                    self.register_parameter(f"feedback_{place}", nn.Parameter(drawn))

    def _check_layer(self, layer: Layer) -> None:
        super()._check_layer(layer)
        if not isinstance(layer.weights, Dense):
            raise UnsupportedError(
                f"layer {layer.name!r} is a {type(layer.weights).__name__}: e_prop keeps an eligibility for each "
                "synapse and sample, and a convolution has too many; it takes Dense layers, and ottt, tess and decolle "
                "take convolutions"
            )

    def advance(self, x: Tensor, batch: Batch, state: State, share: float) -> tuple[Tensor, Tensor, State]:
        """Looks at the next steps of a sequence, and adds their gradients up; see `TimeLocalRule.advance`."""
        # steps write eligibility in place; the caller's state stays as it is
        return super().advance(x, batch, map_state(torch.clone, state), share)

    def look(self, x: Tensor, batch: Batch, state: State, share: float) -> tuple[Tensor, Tensor, State]:
        """One step of all layers, and what they learn in it."""
        after: State = {}
        moments: list[Moment] = []
        for layer in self.chain.layers:
            before = state.get(layer.name, {})
            if "neurons" in before:
                leaves = {name: value.detach().requires_grad_() for name, value in before["neurons"].items()}
                before = {**before, "neurons": leaves}
            moment, after[layer.name] = step_layer(layer, x, before)
            if layer is not self.chain.readout:
                known = before.get("eligibility", {})
                after[layer.name]["eligibility"] = self.eligibilities[layer.name].advance(moment, before, known)
            moments.append(moment)
            x = moment.output
        *hidden, readout = moments
        with torch.enable_grad():
            loss, weight = self.task.loss(self.chain.conclude(readout.output), batch)
        if share:
            signals = self._signals(hidden, readout, loss, share, state, after)
            for moment, signal in zip(hidden, signals, strict=True):
                layer = moment.layer
                gradients = self.eligibilities[layer.name].gradients(signal[0], after[layer.name]["eligibility"])
                trained = [(p, g) for p, g in gradients if p.requires_grad]
                self.add([p for p, _ in trained], [g for _, g in trained])
        (error,) = torch.autograd.grad(loss, readout.charge)
        name = readout.layer.name
        scaled = share * error if share else None
        self.learn_with_trace(readout, self.filter, scaled, state.get(name, {}), after[name])
        return share * loss.detach(), weight, after

    def _signals(
        self, hidden: Sequence[Moment], readout: Moment, loss: Tensor, share: float, state: State, after: State
    ) -> Sequence[Tensor]:
        """The learning signal of each hidden layer, [1, B, n]; moves and trains adaptive feedback."""
        if not hidden:
            return []
        if self.feedback == "symmetric":
            outputs = [moment.output for moment in hidden]
            return [share * signal for signal in torch.autograd.grad(loss, outputs, retain_graph=True)]
        (error,) = torch.autograd.grad(loss, readout.output, retain_graph=True)
        error = share * error.flatten(2)
        signals = []
        for place, moment in enumerate(hidden):
            weights = getattr(self, f"feedback_{place}")
            signals.append(error @ weights.detach())
            if self.feedback == "adaptive":
                name = moment.layer.name
                trace, moved = self.filter.advance(moment.output.detach(), state.get(name, {}).get("spikes"))
                after[name]["spikes"] = moved
                with torch.autocast(trace.device.type, enabled=False):
                    self.add([weights], [error[0].to(trace.dtype).T @ trace[0]])
        return signals

    def signal_operations(self) -> float | None:
        """Feedback from the readout to each layer, or down through all weights above, at each step."""
        if self.feedback == "symmetric":
            return self.steps * backpropagated_operations(self.chain, self.shapes)
        outputs = math.prod(self.shapes[self.chain.readout.output])
        return float(self.steps * outputs * sum(math.prod(self.shapes[layer.output]) for layer in self.chain.hidden))

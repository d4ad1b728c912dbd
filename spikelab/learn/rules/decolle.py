"""DECOLLE: each layer has a readout of its own, fixed and random, and learns from its error at each step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikelab.learn.rules.stepping import Moment
from spikelab.learn.rules.traced import TracedRule
from spikelab.learn.task import Batch, Task


class DECOLLE(TracedRule):
    """Deep continuous local learning: dW = (Gᵀ error ⊙ psi) ⊗ P at each step.

    With a layer's spikes S, its fixed random readout gives G S; the layer's loss in a step is the smooth L1 distance
    from the one-hot label, or cross-entropy. P is what the layer's membrane still feels of its input: an exponential
    trace for LIF neurons, the paper's doubly exponential one for those with a synaptic current. What a spike does to
    its own neuron passes no derivative on. The model's readout learns by the gradient of the task's loss for what it
    gives at each step. All losses are means over the steps.

    Args:
        model: A chain of layers; neurons are linear below their threshold: lif, cuba_lif, adaptive_lif.
        task: Has `class_names`.
        sample_shapes: Name -> shape of each tensor of a sample.
        loss: "cross_entropy", or "smooth_l1" as in the authors' code.
        seed: Of the random readouts, uniform within ± 1 / sqrt(number of neurons).

    Raises:
        UnsupportedError: For a model or task that the rule cannot train.
        ValueError: For another loss.

    Source: Kaiser, Mostafa and Neftci 2020, Frontiers in Neuroscience 14, eqs. 5 to 12. Left out is the paper's
    regularisation of activity.
    """

    connected: ClassVar[bool] = False

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        sample_shapes: Mapping[str, Sequence[int]],
        loss: Literal["cross_entropy", "smooth_l1"] = "cross_entropy",
        seed: int = 0,
    ) -> None:
        super().__init__(model, task, sample_shapes)
        if loss not in ("cross_entropy", "smooth_l1"):
            raise ValueError(f"loss = {loss!r}: takes 'cross_entropy' or 'smooth_l1'")
        self.loss = loss
        generator = torch.Generator().manual_seed(seed)
        for place, layer in enumerate(self.chain.hidden):
            size = math.prod(self.shapes[layer.output])
            drawn = torch.rand(self.classes, size, generator=generator) * 2 - 1
            self.register_buffer(f"readout_{place}", drawn / math.sqrt(size))

    def signals(self, moments: Sequence[Moment], loss: Tensor, batch: Batch) -> Sequence[Tensor]:
        """The gradient of each layer's own loss."""
        return [self._signal(place, moment.output, batch["label"]) for place, moment in enumerate(moments)]

    def _signal(self, place: int, output: Tensor, label: Tensor) -> Tensor:
        readout = self.get_buffer(f"readout_{place}")
        with torch.enable_grad():
            answer = (output.detach()[0].flatten(1) @ readout.T).requires_grad_()
            if self.loss == "cross_entropy":
                loss = functional.cross_entropy(answer, label, reduction="sum")
            else:
                target = functional.one_hot(label, self.classes).to(answer.dtype)
                loss = functional.smooth_l1_loss(answer, target, reduction="sum")
            (error,) = torch.autograd.grad(loss, answer)
        return (error @ readout).reshape(output.shape)

    def signal_operations(self) -> float | None:
        """Two products with the random readout, for each hidden layer at each step."""
        return self.steps * sum(2.0 * self.get_buffer(f"readout_{p}").numel() for p in range(len(self.chain.hidden)))

"""TESS: learning signals of each layer's own activity, traces of what arrived and of what the neuron did."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikelab.learn.rules.layers import Layer
from spikelab.learn.rules.projection import pool, pooled_size, projection_basis
from spikelab.learn.rules.stepping import Moment
from spikelab.learn.rules.traced import TracedRule
from spikelab.learn.rules.traces import Filter, exponential
from spikelab.learn.task import Batch, Task


class TESS(TracedRule):
    """Local in space and time: every layer learns at every step from how its spikes agree with fixed waves.

    With spikes o [n], averaged over places, and a basis b [C, n] of rows of length 1, a layer's loss in a step is the
    cross-entropy of the logits b o, and its learning signal m = bᵀ (softmax(b o) - y). Weights change by pre_factor
    (m psi) ⊗ q + post_factor (m h) ⊗ x, as S-TLLR's do, with the traces q[t] = pre_decay q[t-1] + x[t] and h[t] =
    post_decay h[t-1] + psi[t-1]. The readout learns by the gradient of the task's loss for what it gives at each step.
    All losses are means over the steps.

    Args:
        model: A chain of layers of spiking neurons; the readout is linear, such as "li".
        task: Has `class_names`.
        sample_shapes: Name -> shape of each tensor of a sample.
        basis: "square", "sine" or "random".
        pre_decay: Of q, a step.
        post_decay: Of h, a step.
        pre_factor: Of the causal part (input before output).
        post_factor: Of the part that is not (output before input): 1, -1, or 0, which keeps no h.
        first_step: The first step that is learned from.
        features: Numbers to which a layer's spikes are averaged, at most.
        temperature: Divides the logits.
        seed: Of the random basis.

    Raises:
        UnsupportedError: For a model or task that the rule cannot train.
        ValueError: For an option that is not allowed.

    Source: Apolinario, Roy and Frenkel 2025, IJCNN, arXiv 2502.01837. The surrogate derivative psi is the neuron's own.
    The authors' code divides the basis by n where rows here have length 1, which learned better in a small network, and
    standardises the weights, which is left to the model.
    """

    connected: ClassVar[bool] = False

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        sample_shapes: Mapping[str, Sequence[int]],
        basis: Literal["square", "sine", "random"] = "square",
        pre_decay: float = 0.5,
        post_decay: float = 0.2,
        pre_factor: float = 1.0,
        post_factor: float = 1.0,
        first_step: int = 0,
        features: int = 512,
        temperature: float = 1.0,
        seed: int = 0,
    ) -> None:
        if not 0 <= pre_decay <= 1:
            raise ValueError(f"pre_decay = {pre_decay!r} must be between 0 and 1")
        if not 0 < temperature < math.inf:
            raise ValueError(f"temperature = {temperature!r} must be positive")
        if features < 1:
            raise ValueError(f"features = {features!r} must be at least 1")
        self.pre_decay = pre_decay
        super().__init__(model, task, sample_shapes, first_step, pre_factor, post_factor, post_decay)
        self.temperature = temperature
        generator = torch.Generator().manual_seed(seed)
        self.sizes = [pooled_size(self.shapes[layer.output], features) for layer in self.chain.hidden]
        for place, size in enumerate(self.sizes):
            matrix = projection_basis(basis, self.classes, math.prod(size), generator)
            self.register_buffer(f"basis_{place}", functional.normalize(matrix))

    def filter_of(self, layer: Layer) -> Filter:
        """The exponential trace, and for the readout the answer of its membrane."""
        if layer is self.chain.readout:
            return super().filter_of(layer)
        return exponential(self.pre_decay)

    def signals(self, moments: Sequence[Moment], loss: Tensor, batch: Batch) -> Sequence[Tensor]:
        """The gradient of each layer's own loss."""
        return [self._signal(place, moment.output, batch["label"]) for place, moment in enumerate(moments)]

    def _signal(self, place: int, output: Tensor, label: Tensor) -> Tensor:
        with torch.enable_grad():
            spikes = output.detach().requires_grad_()
            logits = pool(spikes[0], self.sizes[place]) @ self.get_buffer(f"basis_{place}").T
            loss = functional.cross_entropy(logits / self.temperature, label, reduction="sum")
            (signal,) = torch.autograd.grad(loss, spikes)
        return signal

    def signal_operations(self) -> float | None:
        """Two products with the basis, for each hidden layer at each step that is learned from."""
        one = sum(2.0 * self.get_buffer(f"basis_{place}").numel() for place in range(len(self.sizes)))
        return (self.steps - self.first_step) * one

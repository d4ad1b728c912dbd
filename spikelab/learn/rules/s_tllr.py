"""S-TLLR: the step's error, with one trace of what arrived before and one of what the neuron did before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from spikelab.learn.rules.layers import Layer
from spikelab.learn.rules.step_errors import StepErrorRule
from spikelab.learn.rules.traces import Filter, exponential
from spikelab.learn.task import Task


class STLLR(StepErrorRule):
    """Errors come down within the step, and meet a rule like spike-timing dependent plasticity in the synapse.

    Weights change by pre_factor (m psi) ⊗ q + post_factor (m h) ⊗ x, with the error m of a neuron's output, the
    derivative psi of that output, what arrives x, its trace q[t] = pre_decay q[t-1] + x[t] (causal: input before
    output), and h[t] = post_decay h[t-1] + psi[t-1] (not causal: output before input). The loss is the task's, for what
    the readout gives at each step, mean over the steps; the readout learns by its gradient.

    Args:
        model: A chain of layers of spiking neurons; the readout is linear, such as "li".
        task: Has `class_names`.
        sample_shapes: Name -> shape of each tensor of a sample.
        pre_decay: Of q, a step.
        post_decay: Of h, a step.
        pre_factor: Of the causal part.
        post_factor: Of the part that is not; 0 keeps no h, and gives OTTT where `pre_decay` is the membrane's.
        first_step: The first step that is learned from.

    Raises:
        UnsupportedError: For a model or task that the rule cannot train.
        ValueError: For an option that is not allowed.

    Source: Apolinario and Roy 2025, TMLR, arXiv 2306.15220. The surrogate derivative is the neuron's own, and the error
    is that of backpropagation; the paper also has one of direct feedback alignment.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        sample_shapes: Mapping[str, Sequence[int]],
        pre_decay: float = 0.5,
        post_decay: float = 0.2,
        pre_factor: float = 1.0,
        post_factor: float = 1.0,
        first_step: int = 0,
    ) -> None:
        if not 0 <= pre_decay <= 1:
            raise ValueError(f"pre_decay = {pre_decay!r} must be between 0 and 1")
        self.pre_decay = pre_decay
        super().__init__(model, task, sample_shapes, first_step, pre_factor, post_factor, post_decay)

    def filter_of(self, layer: Layer) -> Filter:
        """The exponential trace, and for the readout the answer of its membrane."""
        if layer is self.chain.readout:
            return super().filter_of(layer)
        return exponential(self.pre_decay)

"""Online training through time: errors of the step, traces of the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from spikelab.learn.rules.step_errors import StepErrorRule
from spikelab.learn.task import Task


class OTTT(StepErrorRule):
    """Errors come down through the layers within the step; the membrane's past enters as a trace of what arrived.

    It is the gradient of the mean over steps of the task's loss, for what the readout gives at each step, where errors
    go through time along no path but the membrane of the layer whose weights learn, resets not counted. This is the
    form that sums up over a sequence (OTTT_A).

    Args:
        model: A chain of layers; neurons are linear below their threshold: lif, cuba_lif, adaptive_lif.
        task: Has `class_names`.
        sample_shapes: Name -> shape of each tensor of a sample.

    Raises:
        UnsupportedError: For a model or task that the rule cannot train.

    Source: Xiao, Meng, Zhang, He and Lin 2022, NeurIPS, arXiv 2210.04195.
    """

    def __init__(self, model: nn.Module, task: Task, sample_shapes: Mapping[str, Sequence[int]]) -> None:
        super().__init__(model, task, sample_shapes)

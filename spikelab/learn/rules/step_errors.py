"""What rules share whose learning signal is the error of the step, brought down through the layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from spikelab.learn.rules.layers import backpropagated_operations
from spikelab.learn.rules.stepping import Moment
from spikelab.learn.rules.traced import TracedRule
from spikelab.learn.task import Batch


class StepErrorRule(TracedRule):
    """Errors come down through weights and surrogate derivatives of the layers above, within the step."""

    connected: ClassVar[bool] = True
    depends_on_layers_above: ClassVar[bool] = True

    def signals(self, moments: Sequence[Moment], loss: Tensor, batch: Batch) -> Sequence[Tensor]:
        """The gradient, by each output, of the task's loss in this step."""
        return torch.autograd.grad(loss, [moment.output for moment in moments], retain_graph=True)

    def signal_operations(self) -> float | None:
        """Errors come down through all weights above, at each step that is learned from."""
        return (self.steps - self.first_step) * backpropagated_operations(self.chain, self.shapes)

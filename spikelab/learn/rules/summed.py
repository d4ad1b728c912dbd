"""What rules share that make gradients piece by piece, while they look at a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from spikelab.learn.rules.rule import LearningRule
from spikelab.learn.task import Batch, Task


class SummedGradients(LearningRule):
    """Adds up gradients in `measure`, and gives them out in `write`.

    Args:
        model: What is trained; has `encode(batch)`.
        task: Gives the loss.
        sample_shapes: Name -> shape of each tensor of a sample.
    """

    def __init__(self, model: nn.Module, task: Task, sample_shapes: Mapping[str, Sequence[int]]) -> None:
        super().__init__(model, task, sample_shapes)
        self._sums: dict[nn.Parameter, Tensor] = {}

    def encode(self, batch: Batch) -> Tensor:
        """The network's input [T, B, ...]; it has no gradient. Sums of a batch that was never written are forgotten.

        Raises:
            ValueError: For a batch that the task refuses: without samples, or with a label that is no class.
        """
        self._sums = {}
        # tasks that look at batches themselves do so where they call the model, which local rules do not
        check = getattr(self.task, "check", None)
        if check is not None:
            check(batch)
        with torch.no_grad():
            x: Tensor = self.model.encode(batch)  # type: ignore[operator]
        return x

    def add(self, parameters: Iterable[nn.Parameter], gradients: Iterable[Tensor | None]) -> None:
        """Adds gradients, of losses summed over the batch, to what `write` will give."""
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                held = self._sums.get(parameter)
                self._sums[parameter] = gradient if held is None else held + gradient

    def add_gradients_of(
        self, outputs: Tensor, modules: Iterable[nn.Module], grad_outputs: Tensor | None = None
    ) -> None:
        """Differentiates by the trainable parameters of some modules.

        Args:
            outputs: A loss, summed over the batch, or something else that `grad_outputs` is the gradient by.
            modules: Whose parameters.
            grad_outputs: Has the shape of `outputs`; left out for a loss.
        """
        parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
        if parameters:
            self.add(parameters, torch.autograd.grad(outputs, parameters, grad_outputs, allow_unused=True))

    def write(self, scale: float) -> None:
        """Gives the sums, times `scale`, to `.grad`."""
        for parameter, total in self._sums.items():
            parameter.grad = total * scale
        self._sums = {}

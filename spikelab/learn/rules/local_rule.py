"""What rules share that train a chain of layers, each by what is local to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from spikelab.learn.rules.layers import Chain, chain_of
from spikelab.learn.rules.rule import LearningRule, UnsupportedError
from spikelab.learn.task import Batch, Task


class LocalRule(LearningRule):
    """Adds up gradients of layers while a batch is looked at.

    Args:
        model: A chain of layers (`layers.chain_of`).
        task: Has `class_names`.
        sample_shapes: Name -> shape of each tensor of a sample.

    Attributes:
        chain: The model's layers.
        classes: How many there are.
        steps: Time steps of a sample.
        shapes: Name of a node -> shape of its output in a step.

    Raises:
        UnsupportedError: For a model that is no chain, or a task without classes.
    """

    def __init__(self, model: nn.Module, task: Task, sample_shapes: Mapping[str, Sequence[int]]) -> None:
        super().__init__(model, task, sample_shapes)
        names = getattr(task, "class_names", None)
        if names is None or "label" not in sample_shapes:
            raise UnsupportedError(
                f"{type(self).__name__} takes samples with one label each (task classification), not "
                f"{type(task).__name__}; bptt takes any task"
            )
        self.classes = len(names)
        self.chain: Chain = chain_of(model)
        self.steps, self.shapes = self.chain.shapes(sample_shapes)
        self._sums: dict[nn.Parameter, Tensor] = {}

    def encode(self, batch: Batch) -> Tensor:
        """The network's input [T, B, ...]; it has no gradient.

        Raises:
            ValueError: For a batch without samples.
        """
        if len(batch["label"]) == 0:
            raise ValueError("the batch is empty; a batch holds at least 1 sample")
        with torch.no_grad():
            return self.chain.model.encode(batch)

    def add(self, parameters: Iterable[nn.Parameter], gradients: Iterable[Tensor | None]) -> None:
        """Adds gradients, of losses summed over the batch, to what `write` will give."""
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                held = self._sums.get(parameter)
                self._sums[parameter] = gradient if held is None else held + gradient

    def add_gradients_of(self, loss: Tensor, modules: Iterable[nn.Module]) -> None:
        """Differentiates a loss, summed over the batch, by the trainable parameters of some modules."""
        parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
        if parameters:
            self.add(parameters, torch.autograd.grad(loss, parameters, allow_unused=True))

    def measure_readout(self, x: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The task's loss, by which the readout alone learns, from the output [T, B, ...] of the last hidden layer."""
        readout = self.chain.readout
        output, _ = readout.answer(readout.charge(readout.arrive(x)))
        total, weight = self.task.loss(self.chain.conclude(output), batch)
        self.add_gradients_of(total, readout.modules())
        return total.detach(), weight

    def write(self, scale: float) -> None:
        """Gives the sums, times `scale`, to `.grad`."""
        for parameter, total in self._sums.items():
            parameter.grad = total * scale
        self._sums = {}

"""What rules share that train a chain of layers, each by what is local to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from spikelab.learn.rules.layers import Chain, chain_of
from spikelab.learn.rules.rule import UnsupportedError
from spikelab.learn.rules.summed import SummedGradients
from spikelab.learn.task import Batch, Task


class LocalRule(SummedGradients):
    """Sees a model as layers, and adds up their gradients while a batch is looked at.

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
        label = sample_shapes.get("label")
        if names is None or label is None or len(label) > 0:
            found = type(task).__name__ if label is None or names is None else f"labels of shape {list(label)}"
            raise UnsupportedError(
                f"{type(self).__name__} takes samples with one label each (task classification, and a data set such as "
                f"mnist), not {found}; bptt takes any task"
            )
        self.classes = len(names)
        self.chain: Chain = chain_of(model)
        self.steps, self.shapes = self.chain.shapes(sample_shapes)

    def measure_readout(self, x: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The task's loss, by which the readout alone learns, from the output [T, B, ...] of the last hidden layer."""
        readout = self.chain.readout
        total, weight = self.task.loss(self.chain.conclude(readout.run(x)), batch)
        self.add_gradients_of(total, readout.modules())
        return total.detach(), weight

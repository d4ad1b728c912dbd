"""What a learning rule is: it looks at a batch and writes `.grad`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor, nn

from spikelab.learn.task import Batch, Task


class UnsupportedError(ValueError):
    """A model, layer or task that a rule cannot train; names it, and what would do."""


class LearningRule(nn.Module, ABC):
    """Turns a batch into gradients of a model's parameters.

    A training step asks for the loss (`measure`), and, if that is finite, for the gradients (`write`). A rule that
    looks at one time step after the other adds its sums up in `measure` already, and only scales them in `write`.

    Fixed random matrices of a rule are its buffers, what it learns itself are its parameters: both are kept in
    checkpoints, and the optimiser trains the latter beside the model's.

    Args:
        model: What is trained. It stays outside of the rule's own modules.
        task: Gives the loss.
        sample_shapes: Name -> shape of each tensor of a sample.

    Raises:
        UnsupportedError: For a model or task that the rule cannot train.
    """

    #: Whether gradients come out of a backward pass through the model as it is called in training: that averages them
    #: over processes. What other rules write is averaged by the training step.
    backward_through_model: ClassVar[bool] = False
    #: Whether what a hidden layer learns changes with the weights of the layers above it.
    depends_on_layers_above: ClassVar[bool] = False
    #: Whether memory grows with the number of time steps.
    memory_grows_with_time: ClassVar[bool] = False
    #: Whether hidden layers follow a loss downhill. What other rules write has a size that matters: plain gradient
    #: descent adds it, and optimisers that divide by the size of gradients would spoil it.
    descends: ClassVar[bool] = True

    model: nn.Module

    def __init__(self, model: nn.Module, task: Task, sample_shapes: Mapping[str, Sequence[int]]) -> None:
        super().__init__()
        # not a submodule: its parameters are not the rule's
        object.__setattr__(self, "model", model)
        self.task, self.sample_shapes = task, dict(sample_shapes)

    @abstractmethod
    def measure(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """The loss summed over the batch, and the weight of that sum (see `Task.loss`).

        Args:
            network: The model as it must be called for training (`Processes.wrap`).
            batch: A batch of the data set.
        """

    @abstractmethod
    def write(self, scale: float) -> None:
        """Writes `.grad` of the parameters that the rule trains: gradients of the sum that was measured, times `scale`.

        `.grad` of the others stays None.
        """

    def signal_operations(self) -> float | None:
        """Multiply-accumulates that one sample's learning signals cost, without the products that make updates of them.

        The learning signal of a layer is what tells its neurons in which direction to change: for backpropagation the
        error that comes down from the layer above. None where it is not known.
        """
        return None

"""Backpropagation through time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor, nn

from spikelab.learn.rules.layers import backpropagated_operations, chain_of
from spikelab.learn.rules.rule import LearningRule, UnsupportedError
from spikelab.learn.task import Batch


class BPTT(LearningRule):
    """The gradient of the task's loss, by autograd through the whole sequence. It trains any model for any task.

    Source: Werbos 1990, Proceedings of the IEEE 78; with surrogate derivatives, Neftci, Mostafa and Zenke 2019, IEEE
    Signal Processing Magazine 36.
    """

    backward_through_model: ClassVar[bool] = True
    depends_on_layers_above: ClassVar[bool] = True
    memory_grows_with_time: ClassVar[bool] = True

    _loss: Tensor

    def measure(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """The task's own loss."""
        total, weight = self.task.loss(self.task.forward(network, batch), batch)
        self._loss = total
        return total, weight

    def write(self, scale: float) -> None:
        """The backward pass."""
        (self._loss * scale).backward()
        del self._loss

    def signal_operations(self) -> float | None:
        """Every error goes down through the weights of the layer above, at every step; None for what is no chain."""
        return chain_operations(self.model, self.sample_shapes)


def chain_operations(model: nn.Module, sample_shapes: Mapping[str, Sequence[int]]) -> float | None:
    """Multiply-accumulates of one sample by which errors go down a chain of layers; None for what is no chain."""
    try:
        chain = chain_of(model)
    except UnsupportedError:
        return None
    steps, shapes = chain.shapes(sample_shapes)
    return steps * backpropagated_operations(chain, shapes)

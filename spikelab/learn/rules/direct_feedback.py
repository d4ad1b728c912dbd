"""Direct feedback alignment: the output's error goes to each hidden layer at once, through fixed random weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from spikelab.learn.rules.local_rule import LocalRule
from spikelab.learn.task import Batch, Task


class DirectFeedback(LocalRule):
    """Every hidden layer is told the error by the logits, projected on a fixed random matrix.

    With logits o [B, C], a loss L and a matrix F [C, n] for a layer, dL/do F takes the place of the gradient by the
    layer's activity: of spiking layers by that of each step, divided by the number of steps. Within the layer the
    gradient is autograd's, through time. The readout learns the task's loss.

    Args:
        model: A chain of layers.
        task: Has `class_names`.
        sample_shapes: Name -> shape of each tensor of a sample.
        scale: Length of a matrix's rows, on average.
        seed: Of the matrices.

    Raises:
        UnsupportedError: For a model or task that the rule cannot train.
        ValueError: For a scale that is not positive.

    Source: Nøkland 2016, NeurIPS, arXiv 1609.01596.
    """

    depends_on_layers_above: ClassVar[bool] = True
    memory_grows_with_time: ClassVar[bool] = True

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        sample_shapes: Mapping[str, Sequence[int]],
        scale: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(model, task, sample_shapes)
        if not 0 < scale < math.inf:
            raise ValueError(f"scale = {scale!r} must be positive")
        generator = torch.Generator().manual_seed(seed)
        device = next(model.parameters()).device
        for place, layer in enumerate(self.chain.hidden):
            size = math.prod(self.shapes[layer.output])
            drawn = torch.randn(self.classes, size, generator=generator) * (scale / math.sqrt(size))
            self.register_buffer(f"feedback_{place}", drawn.to(device))

    def measure(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """The task's loss. All layers wait with their graphs until the error is known."""
        x, activities = self.encode(batch), []
        with torch.enable_grad():
            for layer in self.chain.hidden:
                activities.append(layer.run(x))
                x = activities[-1].detach()
            logits = self.chain.conclude(self.chain.readout.run(x))
            told = logits.detach().requires_grad_()
            total, weight = self.task.loss(told, batch)
        (error,) = torch.autograd.grad(total, told)
        self.add_gradients_of(logits, self.chain.readout.modules(), error)
        for place, (layer, activity) in enumerate(zip(self.chain.hidden, activities, strict=True)):
            self.add_gradients_of(activity, layer.modules(), self.signal(place, error, activity))
        return total.detach(), weight

    def signal(self, place: int, error: Tensor, activity: Tensor) -> Tensor:
        """What a hidden layer is told, in the shape of its activity [T, B, ...], given the error [B, C]."""
        told = (error @ self.get_buffer(f"feedback_{place}").to(error.dtype)) / len(activity)
        return told.view(activity.shape[1:]).expand_as(activity)

    def signal_operations(self) -> float | None:
        """One product of the error with a layer's matrix for each sample, whatever the number of steps."""
        return float(sum(self.get_buffer(f"feedback_{place}").numel() for place in range(len(self.chain.hidden))))

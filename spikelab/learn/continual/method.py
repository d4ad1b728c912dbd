"""What a method against forgetting is: it works beside a learning rule, at the moments that it names here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor

from spikelab.learn.continual.learner import Learner, bytes_of
from spikelab.learn.continual.stream import TaskData


class ContinualMethod:
    """Keeps what was learned while a next task is learned; as it stands it does nothing, which is the control.

    The order of a step: `mix` may change the batch, the rule looks at it (`observing`) and writes `.grad`,
    `change_gradients` may change that, the optimiser steps, `after_step` may change the weights.

    Args:
        learner: Model, task and rule.
    """

    #: Whether the data of all earlier tasks is there again with each task: no continual learning, but its upper bound.
    keeps_all_data: ClassVar[bool] = False

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.tasks_done = 0

    def begin_task(self) -> None:
        """Before the first step of a task."""

    def mix(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The batch that is learned from."""
        return dict(batch)

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Around the rule's look at a batch."""
        yield

    def penalty(self) -> Tensor | None:
        """What is added to the loss, as a function of the parameters; None for nothing."""
        return None

    def change_gradients(self) -> None:
        """After the rule has written `.grad`; adds the penalty's gradient, with whatever rule."""
        penalty = self.penalty()
        if penalty is None:
            return
        parameters = list(self.learner.parameters().values())
        for parameter, gradient in zip(
            parameters, torch.autograd.grad(penalty, parameters, allow_unused=True), strict=True
        ):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient

    def after_step(self, rate: float) -> None:
        """After the optimiser's step, which had this learning rate."""

    def end_task(self, data: TaskData) -> None:
        """After the last step of a task.

        Args:
            data: The task's training samples, which are not there again later.
        """

    def state(self) -> dict[str, Any]:
        """All that the method remembers, as nested dictionaries and lists of tensors and plain values."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Puts back what `state` gave."""

    def memory_bytes(self) -> int:
        """Bytes that the method carries from task to task, beside the model itself."""
        return bytes_of(self.state())

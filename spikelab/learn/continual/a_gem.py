"""Averaged gradient episodic memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from spikelab.learn.continual.learner import Learner, bytes_of
from spikelab.learn.continual.memory import Memory
from spikelab.learn.continual.method import ContinualMethod
from spikelab.learn.continual.stream import TaskData


class AGEM(ContinualMethod):
    """Turns a gradient that would make kept samples worse, until it no longer does.

    With g the gradient of the batch and r that of kept samples, both as the learning rule writes them: where g r < 0,
    g becomes g - (g r) / (r r) r.

    Args:
        learner: Model, task and rule.
        samples: Kept of each task.
        reference: Kept samples that r is taken of, drawn anew for each step.
        seed: Of what is kept and drawn.

    Raises:
        ValueError: For less than one sample.

    Source: Chaudhry, Ranzato, Rohrbach and Elhoseiny 2019, ICLR, equation 11.
    """

    def __init__(self, learner: Learner, samples: int = 100, reference: int = 256, seed: int = 0) -> None:
        super().__init__(learner)
        if reference < 1:
            raise ValueError(f"a_gem: reference = {reference}: give at least 1 sample")
        self.reference = reference
        self.memory = Memory(samples, seed)

    def change_gradients(self) -> None:
        """Turns the gradient."""
        if not len(self.memory):
            return
        kept = self.learner.gradients(self.memory.draw(self.reference))
        own = {name: p.grad for name, p in self.learner.parameters().items() if p.grad is not None}
        turned = turn(own, kept)
        for name, parameter in self.learner.parameters().items():
            if name in turned:
                parameter.grad = turned[name]

    def end_task(self, data: TaskData) -> None:
        """Keeps samples of the task."""
        self.memory.add(data)

    def state(self) -> dict[str, Any]:
        """The memory."""
        return {"memory": self.memory.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Puts the memory back."""
        self.memory.restore(state["memory"], next(self.learner.model.parameters()).device)

    def memory_bytes(self) -> int:
        """Of the samples."""
        return bytes_of(self.memory.kept)


def turn(gradient: Mapping[str, Tensor], reference: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The gradient without its part against the reference, if it has one.

    Args:
        gradient: Name -> part of the gradient.
        reference: Name -> part of the reference; a part that is missing is 0.
    """
    shared = [name for name in gradient if name in reference]
    along = sum((torch.sum(gradient[name] * reference[name]) for name in shared), torch.tensor(0.0))
    if not along < 0:
        return dict(gradient)
    length = sum((reference[name].square().sum() for name in shared), torch.tensor(0.0))
    return {
        name: part - along / length * reference[name] if name in reference else part for name, part in gradient.items()
    }

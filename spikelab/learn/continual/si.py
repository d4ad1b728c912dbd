"""Synaptic intelligence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from spikelab.learn.continual.learner import Learner
from spikelab.learn.continual.method import ContinualMethod
from spikelab.learn.continual.stream import TaskData


class SI(ContinualMethod):
    """Pulls every parameter towards its value after the last task, the more the more its path lowered earlier losses.

    During a task, every parameter sums w = -sum g dw over steps, with g the gradient of the task's loss alone, as the
    learning rule writes it, and dw what the step changed. At its end the importance gains w / (D^2 + damping), with D
    the parameter's change over the whole task; below 0 it counts as 0.

    Args:
        learner: Model, task and rule.
        strength: c of the penalty c sum importance (w - w*)^2.
        damping: xi, above 0.

    Raises:
        ValueError: For a negative strength, or a damping that is not above 0.

    Source: Zenke, Poole and Ganguli 2017, ICML, equations 3 to 5. That a negative sum counts as 0 is from the authors'
    code.
    """

    def __init__(self, learner: Learner, strength: float = 0.1, damping: float = 0.1) -> None:
        super().__init__(learner)
        if strength < 0 or damping <= 0:
            raise ValueError(f"si: strength = {strength}, damping = {damping}: give 0 or more, and more than 0")
        self.strength, self.damping = strength, damping
        self.path: dict[str, Tensor] = {}
        self.start: dict[str, Tensor] = {}
        self.importance: dict[str, Tensor] = {}
        self._gradients: dict[str, Tensor] = {}
        self._before: dict[str, Tensor] = {}

    def begin_task(self) -> None:
        """Starts the sums anew."""
        self.start = self.learner.copy_of_parameters()
        self.path = {name: torch.zeros_like(value) for name, value in self.start.items()}

    def penalty(self) -> Tensor | None:
        """The pull."""
        if not self.importance:
            return None
        parameters = self.learner.parameters()
        total = torch.zeros((), device=next(iter(parameters.values())).device)
        for name, parameter in parameters.items():
            total = total + (self.importance[name] * (parameter - self.start[name]).square()).sum()
        return self.strength * total

    def change_gradients(self) -> None:
        """Notes the gradient of the task's loss, then adds the pull."""
        parameters = self.learner.parameters()
        self._gradients = {name: p.grad.clone() for name, p in parameters.items() if p.grad is not None}
        self._before = self.learner.copy_of_parameters()
        super().change_gradients()

    def after_step(self, rate: float) -> None:
        """Adds to the sums."""
        for name, parameter in self.learner.parameters().items():
            if name in self._gradients:
                self.path[name] -= self._gradients[name] * (parameter.detach() - self._before[name])

    def end_task(self, data: TaskData) -> None:
        """Adds to the importance."""
        for name, parameter in self.learner.parameters().items():
            change = parameter.detach() - self.start[name]
            gained = (self.path[name] / (change.square() + self.damping)).clamp(min=0)
            self.importance[name] = self.importance[name] + gained if name in self.importance else gained

    def state(self) -> dict[str, Any]:
        """Sums, importance, and where the task started."""
        return {"path": dict(self.path), "start": dict(self.start), "importance": dict(self.importance)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Puts them back."""
        device = next(self.learner.model.parameters()).device
        for what in ("path", "start", "importance"):
            setattr(self, what, {name: each.to(device) for name, each in state[what].items()})

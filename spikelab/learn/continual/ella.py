"""ELLA: changes are kept off the weights that earlier tasks changed most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from spikelab.learn.continual.learner import Learner
from spikelab.learn.continual.method import ContinualMethod
from spikelab.learn.continual.stream import TaskData


class EllaPenalty(ContinualMethod):
    """Adds strength || dW o P ||^2 to the loss: dW is what the task changed so far, P the sum of earlier changes.

    The product is element by element. One matrix for each weights is all that is kept, however many tasks there are.

    Args:
        learner: Model, task and rule.
        strength: lambda. A step is stable while the learning rate times `strength` times the largest P^2 stays below 1;
            `ella` has no such limit.

    Raises:
        ValueError: For a negative strength.

    Source: Das Biswas, Zhang, Pal, Bhargava and Roy 2026, EACL (arXiv 2601.02232). There is no official code: this is a
    reconstruction, on whole weights where the paper has low-rank adapters of a language model.
    """

    def __init__(self, learner: Learner, strength: float = 100.0) -> None:
        super().__init__(learner)
        if strength < 0:
            raise ValueError(f"{type(self).__name__}: strength = {strength}: give 0 or more")
        self.strength = strength
        self.past: dict[str, Tensor] = {}
        self.start: dict[str, Tensor] = {}

    def begin_task(self) -> None:
        """Notes where the task starts."""
        self.start = self._matrices()

    def penalty(self) -> Tensor | None:
        """The de-correlation of present and past changes."""
        if not self.past:
            return None
        parameters = self.learner.parameters()
        changes = {name: parameters[name] - start for name, start in self.start.items()}
        total = torch.zeros((), device=next(iter(self.past.values())).device)
        for name, change in changes.items():
            total = total + (change * self.past[name]).square().sum()
        return self.strength * total

    def end_task(self, data: TaskData) -> None:
        """Adds the task's changes to the past ones."""
        for name, value in self._matrices().items():
            change = value - self.start[name]
            self.past[name] = self.past[name] + change if name in self.past else change

    def state(self) -> dict[str, Any]:
        """Past changes, and where the task started."""
        return {"past": dict(self.past), "start": dict(self.start)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Puts them back."""
        device = next(self.learner.model.parameters()).device
        self.past = {name: each.to(device) for name, each in state["past"].items()}
        self.start = {name: each.to(device) for name, each in state["start"].items()}

    def _matrices(self) -> dict[str, Tensor]:
        return {name: each for name, each in self.learner.copy_of_parameters().items() if each.dim() >= 2}


class Ella(EllaPenalty):
    """ELLA's penalty as a proximal step: after each step of the optimiser, W0 + (W - W0) / (1 + 2 rate strength P^2).

    This minimises the penalty plus half the squared distance to the optimiser's own step, divided by the rate; so it
    is stable for any strength.

    Args:
        learner: Model, task and rule.
        strength: lambda.

    Raises:
        ValueError: For a negative strength.

    Source: as `EllaPenalty`, of which it is our proximal form.
    """

    def penalty(self) -> Tensor | None:
        """None: the step after the optimiser's takes its place."""
        return None

    def after_step(self, rate: float) -> None:
        """The proximal step."""
        if not self.past:
            return
        parameters = self.learner.parameters()
        with torch.no_grad():
            for name, start in self.start.items():
                shrink = 1 + 2 * rate * self.strength * self.past[name].square()
                parameters[name].copy_(start + (parameters[name] - start) / shrink)

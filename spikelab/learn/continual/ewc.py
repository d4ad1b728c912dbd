"""Elastic weight consolidation, with a penalty for each task or one for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from spikelab.learn.continual.learner import Learner
from spikelab.learn.continual.method import ContinualMethod
from spikelab.learn.continual.stream import TaskData


class EWC(ContinualMethod):
    """Pulls every parameter towards its value after each earlier task, the more the more that task depends on it.

    The penalty is strength / 2 sum over tasks and parameters of F (w - w*)^2, with F the diagonal of the Fisher
    information: the mean square of d log p(y | x) / dw, with y drawn from the model's own answer. F is taken by
    backpropagation through time, whatever rule trains.

    Args:
        learner: Model, task and rule.
        strength: Of the penalty.
        samples: Of a task, that F is taken of.
        seed: Of the choice of samples and of the labels that are drawn.

    Raises:
        ValueError: For a negative strength or no sample.

    Source: Kirkpatrick et al. 2017, PNAS 114, equation 3.
    """

    def __init__(self, learner: Learner, strength: float = 100.0, samples: int = 200, seed: int = 0) -> None:
        super().__init__(learner)
        if strength < 0 or samples < 1:
            raise ValueError(f"ewc: strength = {strength}, samples = {samples}: give 0 or more, and at least 1 sample")
        self.strength, self.samples = strength, samples
        self.generator = torch.Generator().manual_seed(seed)
        self.anchors: list[dict[str, dict[str, Tensor]]] = []

    def penalty(self) -> Tensor | None:
        """The pull."""
        if not self.anchors:
            return None
        parameters = self.learner.parameters()
        total = torch.zeros((), device=next(iter(parameters.values())).device)
        for anchor in self.anchors:
            for name, parameter in parameters.items():
                total = total + (anchor["importance"][name] * (parameter - anchor["value"][name]).square()).sum()
        return self.strength / 2 * total

    def end_task(self, data: TaskData) -> None:
        """Remembers the parameters and how much the task depends on each."""
        importance = fisher(self.learner, data.some(self.samples, self.generator), self.generator)
        self.consolidate({"importance": importance, "value": self.learner.copy_of_parameters()})

    def consolidate(self, anchor: dict[str, dict[str, Tensor]]) -> None:
        """Adds a task's importance and values to those of the earlier ones."""
        self.anchors.append(anchor)

    def state(self) -> dict[str, Any]:
        """The anchors."""
        return {"anchors": list(self.anchors), "generator": self.generator.get_state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Puts the anchors back."""
        device = next(self.learner.model.parameters()).device
        self.anchors = [
            {what: {name: each.to(device) for name, each in parts.items()} for what, parts in anchor.items()}
            for anchor in state["anchors"]
        ]
        self.generator.set_state(state["generator"])


class OnlineEWC(EWC):
    """EWC with one anchor: importance decays by a factor and gains the latest task's, and values are the latest ones.

    Args:
        learner: Model, task and rule.
        strength: Of the penalty.
        samples: Of a task, that F is taken of.
        seed: Of the choice of samples and of the labels that are drawn.
        decay: Factor on the importance of earlier tasks, 0 to 1.

    Raises:
        ValueError: For a negative strength, no sample, or a decay outside of 0 to 1.

    Source: Schwarz et al. 2018, ICML, section 3.2 and equation 9.
    """

    def __init__(
        self, learner: Learner, strength: float = 100.0, samples: int = 200, seed: int = 0, decay: float = 1.0
    ) -> None:
        super().__init__(learner, strength, samples, seed)
        if not 0 <= decay <= 1:
            raise ValueError(f"online_ewc: decay = {decay}: must lie between 0 and 1")
        self.decay = decay

    def consolidate(self, anchor: dict[str, dict[str, Tensor]]) -> None:
        """Lets the importance of earlier tasks decay and adds the latest."""
        for earlier in self.anchors:
            for name, value in anchor["importance"].items():
                anchor["importance"][name] = self.decay * earlier["importance"][name] + value
        self.anchors = [anchor]


def fisher(learner: Learner, batch: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
    """The diagonal of the Fisher information: name -> mean square of d log p(y | x) / dw over samples.

    Args:
        learner: Model and task.
        batch: Samples x.
        generator: Draws each y from the model's answer to x.
    """
    parameters = learner.parameters()
    sums = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
    model, count = learner.model, len(batch["label"])
    training = model.training
    model.eval()
    for place in range(count):
        logits = learner.task.forward(model, {key: value[place : place + 1] for key, value in batch.items()})
        drawn = torch.multinomial(logits.detach().softmax(1).cpu(), 1, generator=generator)[:, 0].to(logits.device)
        gradients = torch.autograd.grad(
            functional.cross_entropy(logits, drawn), list(parameters.values()), allow_unused=True
        )
        for total, gradient in zip(sums.values(), gradients, strict=True):
            if gradient is not None:
                total += gradient.square()
    model.train(training)
    return {name: total / count for name, total in sums.items()}

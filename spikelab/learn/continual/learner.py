"""What learns a stream of tasks, as a method against forgetting sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spikelab.learn.continual.heads import HeadedClassification
from spikelab.learn.rules.rule import LearningRule
from spikelab.learn.task import Batch
from spikelab.nn import Conv2d, Dense


@dataclass(frozen=True, eq=False)
class Learner:
    """A model, what it is taught, and the rule that teaches it.

    Attributes:
        model: What learns.
        task: The loss, which knows the classes of every task.
        rule: Makes gradients of a batch.
        plain_steps: Whether a step of the optimiser is a multiple of gradients alone: no weight decay, and no division
            by a gradient's size. Only then does a projected gradient give a projected step.
    """

    model: nn.Module
    task: HeadedClassification
    rule: LearningRule
    plain_steps: bool = True

    def parameters(self) -> dict[str, nn.Parameter]:
        """Name -> parameter of the model, where it is trained."""
        return {name: each for name, each in self.model.named_parameters() if each.requires_grad}

    def weights(self) -> dict[str, Dense | Conv2d]:
        """Name -> weights that are trained, from the input up, in the order in which the model holds them."""
        found = {name: each for name, each in self.model.named_modules() if isinstance(each, Dense | Conv2d)}
        return {name: each for name, each in found.items() if each.weight.requires_grad}

    def readout(self) -> str:
        """The name of the weights that give the classes.

        Raises:
            ValueError: If the model has no weights.
        """
        names = list(self.weights())
        if not names:
            raise ValueError(f"{type(self.model).__name__} has no Dense or Conv2d weights to learn a stream with")
        return names[-1]

    def gradients(self, batch: Batch) -> dict[str, Tensor]:
        """What the rule would write for a batch, by names of parameters; `.grad` stays as it is."""
        parameters = self.parameters()
        kept = {name: parameter.grad for name, parameter in parameters.items()}
        for parameter in parameters.values():
            parameter.grad = None
        _, weight = self.rule.measure(self.model, batch)
        self.rule.write(1 / max(float(weight), 1e-12))
        found = {name: p.grad for name, p in parameters.items() if p.grad is not None}
        for name, parameter in parameters.items():
            parameter.grad = kept[name]
        return found

    def copy_of_parameters(self) -> dict[str, Tensor]:
        """Name -> the parameter's present value, on its own."""
        return {name: each.detach().clone() for name, each in self.parameters().items()}


def bytes_of(tree: object) -> int:
    """Bytes of all tensors in nested dictionaries and lists."""
    if isinstance(tree, torch.Tensor):
        return tree.numel() * tree.element_size()
    if isinstance(tree, Mapping):
        return sum(bytes_of(each) for each in tree.values())
    return sum(bytes_of(each) for each in tree) if isinstance(tree, list | tuple) else 0

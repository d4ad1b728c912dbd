"""Optimisers, and which parameters decay."""

import torch
from torch import nn

from spikelab.settings import Optimiser


def decays(name: str, parameter: nn.Parameter) -> bool:
    """Whether weight decay applies: to the weights of connections alone.

    Biases, normalisation scales and the parameters of neurons (time constants, thresholds) are left out: pulling those
    towards zero changes what the layer is, not how large its weights are.
    """
    return name.rsplit(".", 1)[-1].startswith("weight") and parameter.ndim >= 2


def make_optimiser(model: nn.Module, settings: Optimiser, rule: nn.Module | None = None) -> torch.optim.Optimizer:
    """AdamW or SGD over the trainable parameters, in two groups: with and without weight decay.

    Args:
        model: What is trained.
        settings: Kind, learning rate, weight decay, momentum.
        rule: The learning rule, where it has parameters of its own; they do not decay.

    Raises:
        ValueError: If the model has nothing to train.
    """
    trainable = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    if not trainable:
        raise ValueError(f"{type(model).__name__} has no trainable parameter")
    groups = [
        {"params": [p for name, p in trainable if decays(name, p)], "weight_decay": settings.weight_decay},
        {"params": [p for name, p in trainable if not decays(name, p)], "weight_decay": 0.0},
    ]
    groups.append({"params": list(rule.parameters()) if rule is not None else [], "weight_decay": 0.0})
    groups = [group for group in groups if group["params"]]
    if settings.name == "adamw":
        return torch.optim.AdamW(groups, lr=settings.learning_rate)
    nesterov = settings.momentum > 0
    return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum, nesterov=nesterov)

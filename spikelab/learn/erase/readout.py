"""A trained classifier's readout as an eraser sees it: its weights, what they get, how classes fare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from spikelab.learn.rules.layers import Chain
from spikelab.learn.rules.rule import UnsupportedError
from spikelab.nn import Dense


def readout_of(model: nn.Module) -> tuple[str, Dense]:
    """The name and the weights that lead to the classes: the last `Dense` of the model.

    Raises:
        UnsupportedError: If it has none.
    """
    found = [(name, module) for name, module in model.named_modules() if isinstance(module, Dense)]
    if not found:
        raise UnsupportedError(
            f"{type(model).__name__} has no Dense weights to erase from; take a classifier with a fully connected "
            "readout, such as spiking_classifier"
        )
    return found[-1]


def embed(model: nn.Module, weights: Dense, images: Tensor, batch: int = 256) -> Tensor:
    """What the weights get for pictures, averaged over time: [N, samples], one column for each picture [B, C, H, W].

    For spikes these are firing rates; of a leaky readout whose answer is linear in them they say all.

    Raises:
        UnsupportedError: If the model calls the weights step by step.
    """
    parts = [arriving(model, weights, images[start : start + batch]) for start in range(0, len(images), batch)]
    if any(part is None for part in parts):
        raise UnsupportedError(f"{type(model).__name__} does not call its readout once for a picture and all steps")
    return torch.cat([part.mean(0).T for part in parts if part is not None], 1)


def arriving(model: nn.Module, weights: Dense, images: Tensor, batch: int = 256) -> Tensor | None:
    """What the weights get for pictures [B, C, H, W] at every step: [T, B, N]; None if they are not called once."""
    arrived: list[Tensor] = []
    hook = weights.register_forward_hook(lambda module, arguments, output: arrived.append(arguments[0].detach()))
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for start in range(0, len(images), batch):
                model(images[start : start + batch])
    finally:
        hook.remove()
        model.train(was_training)
    whole = sum(each.shape[1] for each in arrived) == len(images) and len({len(each) for each in arrived}) == 1
    return torch.cat(arrived, 1) if whole else None


def answers(chain: Chain, arrived: Tensor) -> Tensor:
    """The class that a model's readout tells for what arrived [T, B, N] at its weights: [B]."""
    was_training = chain.model.training
    chain.model.eval()
    with torch.no_grad():
        readout = chain.readout
        output, _ = readout.answer(readout.charge(arrived))
        told = chain.conclude(output).argmax(1)
    chain.model.train(was_training)
    return told


def class_shares(told: Tensor, labels: Tensor, classes: int) -> list[float]:
    """The share of each class's samples that were told right; 0 for a class without any."""
    hits = told == labels
    return [float(hits[labels == each].float().mean()) if (labels == each).any() else 0.0 for each in range(classes)]


def class_accuracies(model: nn.Module, images: Tensor, labels: Tensor, classes: int, batch: int = 256) -> list[float]:
    """The share of each class's pictures that are recognised; 0 for a class without any."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        told = [model(images[start : start + batch]).argmax(1) for start in range(0, len(images), batch)]
    model.train(was_training)
    return class_shares(torch.cat(told), labels, classes)


def split_accuracy(accuracies: list[float], labels: Tensor, erased: list[int]) -> dict[str, float]:
    """`accuracy_on_erased`: recognised among the erased classes' pictures; `accuracy_on_others`: among the others'."""
    counts = [int((labels == each).sum()) for each in range(len(accuracies))]

    def share(classes: list[int]) -> float:
        total = sum(counts[each] for each in classes)
        return sum(accuracies[each] * counts[each] for each in classes) / total if total else 0.0

    others = [each for each in range(len(accuracies)) if each not in erased]
    return {"accuracy_on_erased": share(erased), "accuracy_on_others": share(others)}


def relearn(
    model: nn.Module, batch: Mapping[str, Any], rate: float, steps: int, judge: Any, every: int = 5
) -> list[dict[str, Any]]:
    """An attack: plain gradient descent on a few labelled samples, which brings a class back if it is only hidden.

    It stops at a loss that is not finite: what the model tells from then on says nothing.

    Args:
        model: Is changed; all its weights learn.
        batch: `image` and `label` of the samples, all of them in each step.
        rate: Learning rate.
        steps: How many.
        judge: Gives figures of the model as it stands.
        every: Steps between judgements.

    Returns:
        The figures with their `step`, from step 0 on, and the `loss` on the samples; that is None where it is not
        finite, in the last entry.
    """
    course: list[dict[str, Any]] = []
    model.train()
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=rate)
    for step in range(steps + 1):
        loss = nn.functional.cross_entropy(model(batch["image"]), batch["label"])
        finite = bool(loss.isfinite())
        if step % every == 0 or step == steps or not finite:
            course.append({"step": float(step), "loss": float(loss.detach()) if finite else None, **judge(model)})
        if not finite:
            break
        if step < steps:
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return course


def diverged(course: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an attack learned nothing: its loss grew, or stopped being finite."""
    last = course[-1]["loss"]
    return last is None or last > course[0]["loss"]

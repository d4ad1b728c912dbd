"""A trained run as objects: its model with its weights, its task, and data to use them on."""

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.utils.data import default_collate

from spikelab import registry
from spikelab.io.checkpoint import load_checkpoint, load_weights
from spikelab.learn.build import build_dataset, build_model, build_task, transform_model
from spikelab.learn.changed_options import Changes, changed_options, told
from spikelab.learn.loading import to_device
from spikelab.learn.run_folder import RunFolder
from spikelab.learn.task import Task
from spikelab.settings import EvaluationData, Loss, Train

_SHOWN = 3  # classes listed in an error before "and N more"


@dataclass(frozen=True)
class TrainedRun:
    """A run, ready to be used.

    Attributes:
        folder: Where it lies.
        settings: Its settings.
        model: The model with the weights of a checkpoint, in evaluation mode.
        task: What it was trained for.
        step: Optimiser steps behind those weights.
        sample_shapes: Name -> shape of each tensor of a training sample.
    """

    folder: RunFolder
    settings: Train
    model: nn.Module
    task: Task
    step: int
    sample_shapes: dict[str, list[int]]


def load_run(run: str | Path, checkpoint: str = "best", device: torch.device | None = None) -> TrainedRun:
    """Load a trained run; its data set is not needed.

    Args:
        run: Folder of the run.
        checkpoint: "best" or "last".
        device: Where the model goes; the CPU if left out.

    Raises:
        RunError: If there is no such run or checkpoint.
        CheckpointError: If the checkpoint is damaged, holds NaN, or does not fit the model.
    """
    folder = RunFolder(run)
    settings = folder.read_settings()
    path = folder.checkpoint(checkpoint)
    tree = load_checkpoint(path, ["model", "task", "progress", "sample_shapes"])
    with _own_registered(folder):
        model = build_model(settings.model.name, settings.model.options)
    load_weights(model, tree["model"], path)
    transform_model(model, settings, tree["sample_shapes"])
    # All that a task wants to know of the training data is its own description, kept in the checkpoint.
    task = build_task(settings.task, SimpleNamespace(**tree["task"]), Loss())
    model.to(device or torch.device("cpu")).eval()
    return TrainedRun(folder, settings, model, task, tree["progress"]["step"], tree["sample_shapes"])


def open_evaluation_data(run: TrainedRun, data: EvaluationData) -> tuple[str, Any]:
    """The data set to use a run on, and its name.

    Warns of options by which a sample means something else than those of the training did.

    Raises:
        ValueError: If its classes are not those of the run, or its options give samples that the model does not take.
    """
    trained = run.settings.data
    name = data.name or trained.name
    options = {**(trained.options if name == trained.name else {}), **data.options}
    if name == trained.name:
        with _own_registered(run.folder):
            dataset = build_dataset(name, data.split, options)
    else:
        dataset = build_dataset(name, data.split, options)
    changes = changed_options(trained, name, options)
    expected, found = run.task.description(), build_task(run.settings.task, dataset, Loss()).description()
    for key in expected:
        if expected[key] != found[key]:
            because = f" ({told(changes)})" if changes else ""
            raise ValueError(
                f"data set {name!r} has other {key} than {run.folder.path} was trained with: "
                f"{_difference(found[key], expected[key])}{because}; train on this data set first (--initialise_from)"
            )
    if changes:
        _check_model_takes(run, dataset, changes)
        warnings.warn(f"{told(changes)}: a sample is something else than {run.folder.path} has learned", stacklevel=2)
    return name, dataset


@contextlib.contextmanager
def _own_registered(folder: RunFolder) -> Iterator[None]:
    """What is said of a name that a run was trained with, and that nobody knows here.

    Raises:
        UnknownNameError: With how to make it known.
    """
    try:
        yield
    except registry.UnknownNameError as error:
        raise registry.UnknownNameError(
            f"{error}\n{folder.path} was trained with it: if a script of yours registered it "
            "(spikelab.registry.register), give it this command too, as in `python SCRIPT.py eval RUN` with a script "
            "that ends with cli.main()"
        ) from error


def _difference(found: Any, expected: Any) -> str:
    """How many there are and the first that differ: names may be hundreds."""
    if not isinstance(expected, list):
        return f"{found}, not {expected}"
    places = [place for place, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]]
    listed = [f"number {place} is {found[place]!r}, not {expected[place]!r}" for place in places[:_SHOWN]]
    listed += [f"and {len(places) - _SHOWN} more"] if len(places) > _SHOWN else []
    if len(found) != len(expected):
        listed.insert(0, f"{len(found)}, not {len(expected)}")
    elif sorted(found) == sorted(expected):
        listed.insert(0, "the same in another order")
    return ", ".join(listed)


def _check_model_takes(run: TrainedRun, dataset: Any, changes: Changes) -> None:
    """Let the model judge one sample: where it refuses, the options are the reason, and the tensors are not."""
    if not len(dataset):
        return
    device = next(run.model.parameters()).device
    try:
        with torch.no_grad():
            run.task.forward(run.model, to_device(default_collate([dataset[0]]), device))
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{run.folder.path}: does not take data with {told(changes)}: {error}") from error

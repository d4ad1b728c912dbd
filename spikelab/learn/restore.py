"""A trained run as objects: its model with its weights, its task, and data to use them on."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from spikelab.io.checkpoint import load_checkpoint, load_weights
from spikelab.learn.build import build_dataset, build_model, build_task, transform_model
from spikelab.learn.run_folder import RunFolder
from spikelab.learn.task import Task
from spikelab.settings import EvaluationData, Loss, Train


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
    model = build_model(settings.model.name, settings.model.options)
    load_weights(model, tree["model"], path)
    transform_model(model, settings, tree["sample_shapes"])
    # All that a task wants to know of the training data is its own description, kept in the checkpoint.
    task = build_task(settings.task, SimpleNamespace(**tree["task"]), Loss())
    model.to(device or torch.device("cpu")).eval()
    return TrainedRun(folder, settings, model, task, tree["progress"]["step"], tree["sample_shapes"])


def open_evaluation_data(run: TrainedRun, data: EvaluationData) -> tuple[str, Any]:
    """The data set to use a run on, and its name.

    Raises:
        ValueError: If its classes are not those of the run.
    """
    name = data.name or run.settings.data.name
    inherited = run.settings.data.options if name == run.settings.data.name else {}
    dataset = build_dataset(name, data.split, {**inherited, **data.options})
    expected, found = run.task.description(), build_task(run.settings.task, dataset, Loss()).description()
    for key in expected:
        if expected[key] != found[key]:
            raise ValueError(
                f"data set {name!r} has {key} {found[key]}, and {run.folder.path} was trained with {expected[key]}; "
                "train on this data set first (--initialise_from)"
            )
    return name, dataset

"""Erases classes from a trained run: all forms beside each other, the attack, and the edited run."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spikelab.io import settings_file
from spikelab.io.atomic import write_json_atomically
from spikelab.io.checkpoint import load_checkpoint, save_checkpoint
from spikelab.learn.continual.stream import Pictures, read_pictures
from spikelab.learn.distributed import join_processes
from spikelab.learn.environment import set_threads
from spikelab.learn.erase.eraser import FORMS, ClassEraser
from spikelab.learn.erase.readout import (
    answers,
    arriving,
    class_accuracies,
    class_shares,
    embed,
    readout_of,
    relearn,
    split_accuracy,
)
from spikelab.learn.restore import TrainedRun, load_run
from spikelab.learn.rules.layers import chain_of
from spikelab.learn.rules.rule import UnsupportedError
from spikelab.learn.run_folder import RunFolder
from spikelab.registry import suggestion
from spikelab.settings_continual import Erase


def erase_from_run(settings: Erase) -> dict[str, Any]:
    """Erases classes from a run, and writes the edited run into a folder of its own.

    Returns:
        `class_names`, `before` (accuracy of each class), `edits`: for each set of classes `erased`, and for each form
        `forgotten`, `retained`, `retained_before` and `class_accuracy`; and `attack`: the course of `relearn` on the
        edited model, and on one whose readout rows were set to 0 instead (what plain removal does).

    Raises:
        RunError: If there is no such run.
        ValueError: For a class that the run does not know, or a model without a readout to edit.
    """
    with join_processes(settings.device) as processes:
        set_threads(settings.threads)
        run = load_run(settings.run, settings.checkpoint, processes.device)
        names = list(run.task.description().get("class_names", []))
        chosen = _numbers(settings.classes, names)
        folder = Path(settings.folder) if settings.folder else Path(settings.run) / "erased"
        subject = _Subject(run, settings, names)
        edits = [subject.edit(each) for each in ([chosen] if chosen else [[each] for each in range(len(names))])]
        figures = {
            "run": settings.run,
            "folder": str(folder),
            "form": settings.form,
            "layer": subject.layer,
            "class_names": names,
            "before": subject.before,
            "samples": len(subject.test.labels),
            "edits": edits,
        }
        folder.mkdir(parents=True, exist_ok=True)
        if chosen:
            _write_run(run, folder, settings, subject.edited(chosen, settings.form))
        write_json_atomically(folder / "erasure.json", figures)
        return figures


class _Subject:
    """The trained model, with the pictures that show its classes and those that judge it."""

    def __init__(self, run: TrainedRun, settings: Erase, names: Sequence[str]) -> None:
        self.model, self.settings, self.names = run.model, settings, names
        device = next(run.model.parameters()).device
        self.layer, weights = readout_of(run.model)
        data = run.settings.data
        shown = read_pictures(data.name, data.train_split, settings.samples, settings.seed, dict(data.options), True)
        test = read_pictures(data.name, settings.split, 0, settings.seed, dict(data.options), True)
        self.shown, self.test = _moved(shown, device), _moved(test, device)
        self.embeddings = embed(run.model, weights, self.shown.images)
        self.before = self._judge(run.model)
        # an edit leaves all below the readout as it was: that needs to be run once only
        self.arrived = arriving(run.model, weights, self.test.images) if _is_chain(run.model) else None

    def edited(self, classes: Sequence[int], form: str) -> nn.Module:
        """A copy of the model without these classes, erased one after the other."""
        settings = self.settings
        eraser = ClassEraser(
            self.embeddings,
            self.shown.labels,
            form,  # type: ignore[arg-type]
            settings.forget_strength,
            settings.retain_strength,
            not settings.whole,
        )
        model = copy.deepcopy(self.model)
        weights: Any = model.get_submodule(self.layer)
        with torch.no_grad():
            for each in classes:
                weights.weight.copy_(eraser.erase(weights.weight, [each]))
            if form == "oblique" and weights.bias is not None:
                # behind the oblique form nothing but biases answers to the class: its own must not be the one that wins
                weights.bias[list(classes)] = torch.minimum(weights.bias[list(classes)], weights.bias.min())
        return model

    def edit(self, classes: list[int]) -> dict[str, Any]:
        """Figures of all forms for these classes, and the attack on the chosen one."""
        retained_before = split_accuracy(self.before, self.test.labels, classes)["retained"]
        found: dict[str, Any] = {
            "erased": [self.names[each] for each in classes],
            "retained_before": retained_before,
            "forms": {},
        }
        for form in FORMS:
            accuracies = self._judge_readout(self.edited(classes, form))
            found["forms"][form] = {
                **split_accuracy(accuracies, self.test.labels, classes),
                "class_accuracy": accuracies,
            }
        if self.settings.relearn_samples:
            found["attack"] = {
                "edited": self._attack(self.edited(classes, self.settings.form), classes),
                "rows_removed": self._attack(self._without_rows(classes), classes),
            }
        return found

    def _without_rows(self, classes: Sequence[int]) -> nn.Module:
        """What plain removal does: the classes' rows of the readout are 0."""
        model = copy.deepcopy(self.model)
        weights: Any = model.get_submodule(self.layer)
        with torch.no_grad():
            weights.weight[list(classes)] = 0.0
            if weights.bias is not None:
                weights.bias[list(classes)] = 0.0
        return model

    def _attack(self, model: nn.Module, classes: list[int]) -> list[dict[str, float]]:
        settings = self.settings
        torch.manual_seed(settings.seed)
        batch = {
            "image": self.shown.images[: settings.relearn_samples],
            "label": self.shown.labels[: settings.relearn_samples],
        }

        def judge(model: nn.Module) -> dict[str, float]:
            return split_accuracy(self._judge(model), self.test.labels, classes)

        every = max(1, settings.relearn_steps // 10)
        return relearn(model, batch, settings.relearn_rate, settings.relearn_steps, judge, every)

    def _judge_readout(self, model: nn.Module) -> list[float]:
        """As `_judge`, of a model that differs from the trained one in its readout's weights alone."""
        if self.arrived is None:
            return self._judge(model)
        return class_shares(answers(chain_of(model), self.arrived), self.test.labels, len(self.names))

    def _judge(self, model: nn.Module) -> list[float]:
        return class_accuracies(model, self.test.images, self.test.labels, len(self.names))


def _numbers(given: Sequence[str], names: Sequence[str]) -> list[int]:
    """Classes by number or name as numbers; a class whose name is a number is meant by its name."""
    found = []
    for each in given:
        if each in names:
            found.append(names.index(each))
        elif each.isdecimal() and int(each) < len(names):
            found.append(int(each))
        else:
            raise ValueError(f"class {each!r}: the run knows none; {suggestion(each, list(names))}")
    if len(set(found)) < len(found):
        raise ValueError(f"classes = {list(given)}: a class is named twice")
    if names and len(found) >= len(names):
        raise ValueError(f"classes = {list(given)}: erasing all {len(names)} leaves nothing; leave at least 1")
    if not names:
        raise ValueError("the run's task has no classes to erase; take a run of task classification")
    return found


def _is_chain(model: nn.Module) -> bool:
    """Whether the readout's weights can be run alone: nothing stands between them and what was seen to arrive."""
    try:
        return not chain_of(model).readout.before
    except UnsupportedError:
        return False


def _write_run(run: TrainedRun, folder: Path, settings: Erase, model: nn.Module) -> None:
    """A run folder with the edited weights, which eval, predict and export take."""
    source = run.folder.checkpoint(settings.checkpoint)
    tree = load_checkpoint(source, ["task", "progress", "sample_shapes"])
    target = RunFolder(folder)
    settings_file.write(replace(run.settings, folder=str(folder), resume=None, json=None), target.settings)
    weights = {name: value.cpu() for name, value in model.state_dict().items()}
    save_checkpoint(target.best, {"model": weights, **tree})


def _moved(pictures: Pictures, device: torch.device) -> Pictures:
    labels: Tensor = pictures.labels.to(device)
    return Pictures(pictures.images.to(device), labels, pictures.class_names)

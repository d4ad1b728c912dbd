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
from spikelab.learn.run_folder import RunError, RunFolder
from spikelab.registry import suggestion
from spikelab.settings_continual import Erase

_FIGURES = "erasure.json"


def erase_from_run(settings: Erase) -> dict[str, Any]:
    """Erases classes from a run, and writes the edited run into a folder of its own.

    Returns:
        `class_names`, `before` (accuracy of each class), `edits`: for each set of classes `erased`, and for each form
        `accuracy_on_erased`, `accuracy_on_others` and `class_accuracy`, with the first two `..._before`; and `attack`:
        the course of `relearn` on the edited model, and on one whose readout rows were set to 0 instead (what plain
        removal does). `edited_run` is the folder of the edited run; None if no classes were named.

    Raises:
        RunError: If there is no such run, or the folder holds a run that is not to be replaced.
        ValueError: For a class that the run does not know, or a model without a readout to edit.
    """
    _refuse_stream(Path(settings.run))
    folder = Path(settings.folder) if settings.folder else Path(settings.run) / "erased"
    _require_own(folder, settings)
    with join_processes(settings.device) as processes:
        set_threads(settings.threads)
        run = load_run(settings.run, settings.checkpoint, processes.device)
        names = list(run.task.description().get("class_names", []))
        chosen = _numbers(settings.classes, names)
        subject = _Subject(run, settings, names)
        subject.require_seen(chosen or range(len(names)))
        edits = [subject.edit(each) for each in ([chosen] if chosen else [[each] for each in range(len(names))])]
        figures = {
            "run": settings.run,
            "folder": str(folder),
            "edited_run": str(folder) if chosen else None,
            "form": settings.form,
            "layer": subject.layer,
            "class_names": names,
            "before": subject.before,
            "samples": len(subject.test.labels),
            "samples_seen": len(subject.shown.labels),
            "edits": edits,
        }
        folder.mkdir(parents=True, exist_ok=True)
        # before the run: it marks the run as one that the same command may replace
        write_json_atomically(folder / _FIGURES, figures)
        if chosen:
            _write_run(run, folder, settings, subject.edited(chosen, settings.form))
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
        before = split_accuracy(self.before, self.test.labels, classes)
        found: dict[str, Any] = {
            "erased": [self.names[each] for each in classes],
            **{f"{key}_before": value for key, value in before.items()},
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

    def require_seen(self, classes: Sequence[int]) -> None:
        """Refuses classes that none of the samples shows: nothing tells what to take out for them."""
        seen = {int(label) for label in self.shown.labels.unique()}
        missing = [self.names[each] for each in classes if each not in seen]
        if missing:
            shown = ", ".join(name for number, name in enumerate(self.names) if number in seen)
            raise ValueError(
                f"samples = {self.settings.samples}: the training samples that were drawn show the classes {shown}, "
                f"and none shows {', '.join(missing)}; give more --samples, or erase classes that are shown"
            )

    def _attack(self, model: nn.Module, classes: list[int]) -> list[dict[str, Any]]:
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


def _refuse_stream(run: Path) -> None:
    """Says what the folder of a learned stream is; its settings are not those of a training."""
    settings = RunFolder(run).settings
    if settings.exists() and "stream" in settings_file.load_toml(settings):
        raise RunError(
            f"{run}: is a folder of spikelab continual, whose models are not runs; erase takes a run of spikelab train"
        )


def _require_own(folder: Path, settings: Erase) -> None:
    """Refuses a folder whose run this command did not write: it would be lost."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--folder {folder}: is a file; name a folder")
    if folder.resolve() == Path(settings.run).resolve():
        raise RunError(f"{folder}: is the run that classes are erased from; choose another --folder")
    found = RunFolder(folder)
    trained = found.record.exists() or found.last.exists() or any(folder.glob("seed_*"))
    if found.exists() and (trained or not (folder / _FIGURES).exists()):
        raise RunError(f"{folder}: already holds a run; choose another --folder")


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

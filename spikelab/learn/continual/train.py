"""From settings to a stream that was learned: the function behind the `spikelab continual` command."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from spikelab import registry
from spikelab.io import settings_file
from spikelab.io.atomic import write_json_atomically
from spikelab.learn.build import build_model, build_rule, check_model_options, options_from_data
from spikelab.learn.continual.heads import HeadedClassification
from spikelab.learn.continual.learner import Learner
from spikelab.learn.continual.method import ContinualMethod
from spikelab.learn.continual.run import ContinualRun
from spikelab.learn.continual.stream import Stream
from spikelab.learn.distributed import join_processes
from spikelab.learn.environment import set_threads, versions
from spikelab.learn.options import checked_options
from spikelab.learn.result_folder import SETTINGS_FILE, keep_settings, refuse_other_settings
from spikelab.learn.run_folder import RunError
from spikelab.learn.seeds import seed_everything
from spikelab.settings import Optimiser
from spikelab.settings_continual import SPIKING_OPTIONS, Continual

logger = logging.getLogger(__name__)

# What may differ when the same command is given again: no weight depends on it.
_FREE = ("folder", "seeds", "device", "threads", "json")


def learn_stream(settings: Continual) -> dict[str, Any]:
    """Learns a stream once for each seed.

    A seed that is complete in the folder is not repeated; one that was stopped goes on.

    Returns:
        Names of `method`, `stream`, `rule`, `tasks` and `class_names`; `runs` (for each seed the figures of
        `ContinualRun.learn`); `mean` and `deviation` (over seeds, of `acc`, `bwt`, `fwt`).

    Raises:
        RunError: If the folder holds runs with other settings, or of another command.
        ValueError: If a setting cannot be honoured.
        DivergedError: If the loss explodes or stops being finite.
        TrainingInterrupted: After Ctrl-C or SIGTERM, when everything is saved.
    """
    settings = completed(settings)
    folder = Path(settings.folder)
    _require_same(folder, settings)
    runs = []
    stream: Stream | None = None
    with join_processes(settings.device) as processes:
        set_threads(settings.threads)
        for seed in settings.seeds:
            result = folder / f"seed_{seed}.json"
            if result.exists():
                logger.info("%s: this seed is complete", result)
                runs.append(json.loads(result.read_text()))
                continue
            stream = build_stream(settings.stream, settings.stream_options, seed)
            run = prepare(settings, stream, seed, processes.device, folder / f"seed_{seed}.safetensors")
            # not before all is known to fit: the settings of a command that was refused must not bind the next one
            keep_settings(settings)
            figures = {"seed": seed, "names": list(stream.names), "versions": versions(), **run.learn()}
            write_json_atomically(result, figures)
            runs.append(figures)
    names = runs[0]["names"]
    summary = {key: _spread([run[key] for run in runs]) for key in ("acc", "bwt", "fwt")}
    return {
        "folder": str(folder),
        "method": settings.method,
        "stream": settings.stream,
        "scenario": settings.scenario,
        "rule": settings.rule.name,
        "model": settings.model.name,
        "tasks": names,
        "mean": {key: value[0] for key, value in summary.items()},
        "deviation": {key: value[1] for key, value in summary.items()},
        "keeps_all_data": registry.load("continual_methods", settings.method).keeps_all_data,
        "memory_bytes": max(run["memory_bytes"] for run in runs),
        "runs": runs,
    }


def completed(settings: Continual) -> Continual:
    """Settings as they are meant: with the spiking classifier's options that were left out, and lists as lists.

    Raises:
        UnknownNameError: If there is no such model, rule, method or stream.
        ValueError: If one of them has no such option, or a list is none.
    """
    registry.load("rules", settings.rule.name)
    model = settings.model
    if model.name == "spiking_classifier":
        model = replace(model, options={**SPIKING_OPTIONS, **model.options})
    check_model_options(model.name, model.options)
    return replace(
        settings,
        model=model,
        method_options=_method_options(settings.method, settings.method_options),
        stream_options=_stream_options(settings.stream, settings.stream_options),
    )


def prepare(
    settings: Continual, stream: Stream, seed: int, device: torch.device, checkpoint: Path | None = None
) -> ContinualRun:
    """A run that is ready to learn.

    Args:
        settings: Model, rule, method, scenario.
        stream: The tasks.
        seed: Of the weights and the order of samples.
        device: Where the model goes.
        checkpoint: See `ContinualRun`.

    Raises:
        ValueError: If a setting cannot be honoured.
    """
    settings = completed(settings)
    task = HeadedClassification(stream.class_names, settings.scenario)
    sample = {"image": torch.zeros(stream.image_shape)}
    shape = _ClassesAndShape(class_names=task.class_names, sample=sample)
    options = options_from_data(settings.model.name, shape, settings.model.options)
    seed_everything(seed)
    model = build_model(settings.model.name, options).to(device)
    shapes = {"image": stream.image_shape, "label": [], "task": []}
    rule = build_rule(settings.rule, model, task, shapes)
    learner = Learner(model, task, rule, plain_steps=_is_plain(settings.optimiser))
    method = build_method(settings.method, settings.method_options, learner)
    return ContinualRun(learner, method, stream, settings, seed, checkpoint)


def build_stream(name: str, options: Mapping[str, Any], seed: int) -> Stream:
    """A registered stream.

    Raises:
        UnknownNameError: If there is no such stream.
        ValueError: If it has no such option, or refuses a value.
    """
    make = registry.load("streams", name)
    stream: Stream = make(seed, **_stream_options(name, options))
    return stream


def build_method(name: str, options: Mapping[str, Any], learner: Learner) -> ContinualMethod:
    """A registered method for a learner.

    Raises:
        UnknownNameError: If there is no such method.
        ValueError: If it has no such option, refuses a value, or does not work with this model or rule.
    """
    kind = registry.load("continual_methods", name)
    method: ContinualMethod = kind(learner, **_method_options(name, options))
    return method


class _ClassesAndShape(SimpleNamespace):
    """Stands for a data set where a model asks one for its classes and the size of its pictures."""

    def __getitem__(self, place: int) -> Any:
        return self.sample


def _is_plain(optimiser: Optimiser) -> bool:
    return optimiser.name == "sgd" and optimiser.weight_decay == 0


def _method_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    return checked_options(registry.load("continual_methods", name), options, f"method {name!r}", own=["learner"])


def _stream_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    return checked_options(registry.load("streams", name), options, f"stream {name!r}", own=["seed"])


def _require_same(folder: Path, settings: Continual) -> None:
    """Refuses a folder in which a seed was begun with other settings, or that belongs to another command."""
    path = folder / SETTINGS_FILE
    if path.exists() and "stream" not in settings_file.load_toml(path):
        raise RunError(f"{folder}: already holds a run of another command; choose another --folder")
    # settings bind a folder from the first seed on: the first attempt at a command is often not the last
    if any(folder.glob("seed_*")) or not folder.is_dir():
        refuse_other_settings(settings, _FREE)


def _spread(values: list[float | None]) -> tuple[float | None, float | None]:
    """Mean and standard deviation (of a sample: over n - 1); None where there is none."""
    known = torch.tensor([value for value in values if value is not None], dtype=torch.float64)
    if not len(known):
        return None, None
    return float(known.mean()), float(known.std()) if len(known) > 1 else None

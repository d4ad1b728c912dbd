"""From settings to a trained model: the `spikelab train` command, and the function behind it."""

import logging
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from spikelab import registry
from spikelab.io.checkpoint import load_checkpoint
from spikelab.learn.build import (
    build_dataset,
    build_model,
    build_rule,
    build_task,
    check_model_options,
    options_from_data,
    transform_model,
)
from spikelab.learn.distributed import Processes, join_processes
from spikelab.learn.environment import set_threads
from spikelab.learn.initialise import initialise
from spikelab.learn.loading import EvaluationBatches, TrainingBatches
from spikelab.learn.loop import fit
from spikelab.learn.optimise import make_optimiser
from spikelab.learn.precision import choose_precision
from spikelab.learn.run_folder import RunError, RunFolder
from spikelab.learn.schedule import make_scheduler
from spikelab.learn.seeds import seed_everything
from spikelab.settings import Train

logger = logging.getLogger(__name__)

# What may differ between the start of a run and its resumption, because no weight depends on it.
_FREE = ("folder", "resume", "checkpoint_every", "log_every", "tensorboard", "json", "device", "threads")


def train(settings: Train) -> dict[str, Any]:
    """Train a model as the settings say.

    Args:
        settings: With `resume` set, they must be those of the run there: `resume_settings` gives them. With
            `resume="auto"` the run in `folder` goes on if there is one, and a new one starts if not; a run that is
            complete is not repeated.

    Returns:
        What `spikelab.learn.loop.fit` returns; also kept in the folder's `run.json`.

    Raises:
        RunError: If the folder already holds a run, there is none to resume, or it has other settings.
        TrainingInterrupted: After Ctrl-C or SIGTERM, when everything is saved.
        ValueError: If a setting cannot be honoured.
        DivergedError: If the loss stops being finite.
        CheckpointError: If a checkpoint is damaged, or the final one cannot be written.
    """
    with join_processes(settings.device) as processes:
        set_threads(settings.threads)
        if settings.deterministic:
            torch.use_deterministic_algorithms(True)
        # What can be refused is refused before data is made, which may take minutes.
        check_model_options(settings.model.name, settings.model.options)
        registry.load("tasks", settings.task)
        folder, resumed = _open_folder(settings, processes)
        source = None if folder.last.exists() else _initial_checkpoint(settings)
        with processes.main_first():
            training_data = build_dataset(settings.data.name, settings.data.train_split, settings.data.options)
            validation_data = build_dataset(settings.data.name, settings.data.validation_split, settings.data.options)
        options = options_from_data(settings.model.name, training_data, settings.model.options)
        precision = choose_precision(settings.precision, processes.device)
        settings = replace(settings, model=replace(settings.model, options=options), precision=precision)
        if resumed:
            refuse_changes(folder.read_settings(), settings, folder)
        if resumed and "result" in (record := folder.read_record()):
            logger.info("%s: this run is complete", folder.path)
            return record["result"]

        seed_everything(settings.seed)
        model = build_model(settings.model.name, settings.model.options)
        if source is not None:
            initialise(model, settings, source)
        model.to(processes.device)
        seed_everything(settings.seed, processes.rank + 1)
        data = settings.data
        training = TrainingBatches(training_data, data, settings.seed, processes)
        transform_model(model, settings, training.sample_shapes)
        validation = EvaluationBatches(validation_data, data.validation_split, data.batch_size, data.workers, processes)
        task = build_task(settings.task, training_data, settings.loss)
        rule = build_rule(settings.rule, model, task, training.sample_shapes)
        optimiser = make_optimiser(model, settings.optimiser, rule)
        scheduler = make_scheduler(optimiser, settings.schedule, training.steps_per_epoch, settings.epochs)
        if processes.is_main:
            if not resumed:
                folder.create(settings)
            folder.note_start(settings, _step_of(folder))
        try:
            result = fit(model, task, training, validation, optimiser, scheduler, settings, folder, processes, rule)
        except BaseException:
            # a mistake that shows with the first batch; the corrected command finds no run in its way
            if processes.is_main and not resumed and not scheduler.last_epoch and not folder.last.exists():
                folder.discard()
            raise
        if processes.is_main:
            folder.note_result(result)
        return result


def resume_settings(run: str | Path) -> Train:
    """The settings that go on with a run.

    Raises:
        RunError: If there is no run in that folder.
    """
    return replace(RunFolder(run).read_settings(), folder=str(run), resume=str(run))


def _open_folder(settings: Train, processes: Processes) -> tuple[RunFolder, bool]:
    """The run's folder, and whether a run goes on there."""
    folder = RunFolder(settings.folder if settings.resume in (None, "auto") else str(settings.resume))
    exists = processes.gather(folder.exists())[0]  # as the main process sees it, before it makes the folder
    if settings.resume is None and exists:
        raise RunError(
            f"{folder.path}: already holds a run; go on with it (--resume {folder.path}), or choose another --folder"
        )
    if settings.resume is None or (settings.resume == "auto" and not exists):
        return folder, False
    if not exists:
        raise RunError(f"{folder.path}: no run to go on with (it has no {folder.settings.name})")
    return folder, True


def refuse_changes(stored: Train, given: Train, folder: RunFolder) -> None:
    """Make sure that a run goes on with the settings that it was started with, as far as they decide on its results.

    Raises:
        RunError: Naming the first setting that differs.
    """
    stored = replace(stored, data=replace(stored.data, workers=0))
    given = replace(given, data=replace(given.data, workers=0))
    for entry in fields(Train):
        before, now = getattr(stored, entry.name), getattr(given, entry.name)
        if entry.name in _FREE or before == now:
            continue
        raise RunError(
            f"{folder.path}: was started with {entry.name} = {_short(before)}, and is now to go on with {_short(now)}; "
            "a resumed run keeps its settings (to change them, start a new run with --initialise_from)"
        )


def _short(value: object) -> str:
    return repr(value) if len(repr(value)) < 200 else repr(value)[:200] + "..."


def _initial_checkpoint(settings: Train) -> Path | None:
    """The checkpoint to start from: the best of the run named by `initialise_from`."""
    if settings.initialise_from is None:
        return None
    run = RunFolder(settings.initialise_from)
    run.read_settings()  # says so where there is no run
    return run.best if run.best.exists() else run.checkpoint("last")


def _step_of(folder: RunFolder) -> int:
    return load_checkpoint(folder.last, ["progress"])["progress"]["step"] if folder.last.exists() else 0

"""A run in memory: its changing parts, and how they go into a checkpoint and come back from it."""

import copy
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from spikelab.io.checkpoint import (
    CheckpointError,
    check_finite,
    load_checkpoint,
    load_optimiser,
    load_weights,
    save_checkpoint,
)
from spikelab.learn.distributed import Processes
from spikelab.learn.early_stopping import BestScore
from spikelab.learn.rules.rule import LearningRule
from spikelab.learn.run_folder import RunFolder
from spikelab.learn.seeds import random_states, restore_random_states
from spikelab.learn.task import Batch, Task
from spikelab.settings import Train

logger = logging.getLogger(__name__)


class DivergedError(RuntimeError):
    """The loss, a gradient or a weight is no longer finite."""


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        epoch: Epochs completed.
        batch: Batches of the epoch under way that are done.
        step: Optimiser steps taken.
        loss_total: Sum of the losses over the epoch under way.
        loss_weight: Weight of that sum; their quotient is the epoch's mean loss.
        log_lines: Lines of the log that belong to the steps taken.
        best: The best validation score so far.
        best_figures: All figures of that validation.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_total: float = 0.0
    loss_weight: float = 0.0
    log_lines: int = 0
    best: BestScore = field(default_factory=BestScore)
    best_figures: dict[str, Any] | None = None


@dataclass
class Session:
    """All that a training step depends on or changes.

    Attributes:
        rule: What makes gradients of a batch.
        sample_shapes: Name -> shape of each tensor of a training sample.
        unwritten: Checkpoints that the disk has refused; they are tried again with the next one.
    """

    model: nn.Module
    task: Task
    optimiser: torch.optim.Optimizer
    scheduler: LRScheduler
    settings: Train
    folder: RunFolder
    processes: Processes
    rule: LearningRule
    progress: Progress = field(default_factory=Progress)
    sample_shapes: dict[str, list[int]] = field(default_factory=dict)
    unwritten: dict[Path, dict[str, Any]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether all epochs are done, or early stopping has ended the run."""
        return self.progress.epoch >= self.settings.epochs or self.progress.best.exhausted(self.settings.patience)

    def save(self, best: bool = False, required: bool = False) -> None:
        """Write the last, or the best, checkpoint; a collective call, though only the main process writes.

        Args:
            best: Which of the two.
            required: Whether a disk that refuses it is an error. If not, that is only said, and what was refused is
                kept in memory and tried again with the next checkpoint.

        Raises:
            DivergedError: If a weight is not finite; no checkpoint is touched.
            CheckpointError: If it is `required` and cannot be written; the previous checkpoint stays.
        """
        self.processes.average_buffers(self.model)
        states = self.processes.gather(random_states())
        try:
            check_finite(self.model.state_dict(), "the weights in memory")
        except CheckpointError as error:
            raise DivergedError(self.explain(str(error).split(";")[0])) from error
        if not self.processes.is_main:
            return
        tree = {
            "model": self.model.state_dict(),
            "rule": self.rule.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "random": states,
            "progress": asdict(self.progress),
            "task": self.task.description(),
            "sample_shapes": self.sample_shapes,
            "threads": torch.get_num_threads(),
        }
        self.unwritten[self.folder.best if best else self.folder.last] = tree
        for path in list(self.unwritten):
            try:
                save_checkpoint(path, self.unwritten[path])
                del self.unwritten[path]
            except CheckpointError as error:
                if required:
                    raise
                self.unwritten[path] = copy.deepcopy(self.unwritten[path])  # the model goes on changing
                logger.warning("%s. Training goes on; this checkpoint is tried again with the next", error)

    def restore(self) -> None:
        """Put everything back as the folder's last checkpoint has it.

        Raises:
            CheckpointError: If it is damaged, does not fit, or was written by another number of processes.
        """
        path, processes = self.folder.last, self.processes
        tree = load_checkpoint(path)
        if len(tree["random"]) != processes.world_size:
            raise CheckpointError(
                f"{path}: was written by {len(tree['random'])} processes, and this is a run of {processes.world_size}; "
                f"resume with torchrun --nproc-per-node {len(tree['random'])}"
            )
        load_weights(self.model, tree["model"], path)
        load_weights(self.rule, tree.get("rule", {}), path)
        load_optimiser(self.optimiser, tree["optimiser"], path)
        self.scheduler.load_state_dict(tree["scheduler"])
        best = BestScore(**tree["progress"].pop("best"))
        self.progress = Progress(best=best, **tree["progress"])
        restore_random_states(tree["random"][processes.rank])
        own_threads = torch.get_num_threads()
        if tree["threads"] != own_threads and processes.device.type == "cpu" and processes.is_main:
            logger.warning(
                f"{path}: was written with {tree['threads']} threads, and there are {own_threads} now: the rest "
                f"will not repeat bit for bit (use --threads {tree['threads']})"
            )

    def explain(self, what: str, batch: Batch | None = None) -> str:
        """A message about something that is not finite: where, why if that shows, what is safe, and what to try."""
        progress, last = self.progress, self.folder.last
        where = f"step {progress.step} (epoch {progress.epoch + 1}, batch {progress.batch})"
        kept = f"the last good checkpoint is {last}" if last.exists() else "no checkpoint had been written"
        for key, value in (batch or {}).items():
            if isinstance(value, Tensor) and value.is_floating_point() and not value.isfinite().all():
                index = (~value.isfinite()).nonzero()[0].tolist()
                cause = f"the input {key}{index} is {value[tuple(index)].item()}: look at the data set"
                return f"{where}: {what}, because {cause}; {kept}"
        remedy = "try a lower --optimiser.learning_rate, a smaller --optimiser.gradient_clip or a longer warm-up"
        return f"{where}: {what}; {kept}; {remedy}"

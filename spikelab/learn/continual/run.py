"""One run over a stream: its loop, and its checkpoint, from which it goes on as if it had never stopped."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler
from tqdm import tqdm

from spikelab.io.checkpoint import load_checkpoint, load_optimiser, load_weights, save_checkpoint
from spikelab.io.stop_request import StopRequest
from spikelab.learn.continual.learner import Learner
from spikelab.learn.continual.method import ContinualMethod
from spikelab.learn.continual.metrics import average_accuracy, backward_transfer, forward_transfer
from spikelab.learn.continual.stream import Stream, TaskData, together
from spikelab.learn.interrupt import TrainingInterrupted
from spikelab.learn.optimise import make_optimiser
from spikelab.learn.schedule import make_scheduler
from spikelab.learn.seeds import random_states, restore_random_states
from spikelab.learn.session import DivergedError
from spikelab.settings_continual import Continual

logger = logging.getLogger(__name__)

_JUDGED_AT_ONCE = 256
# In losses of guessing: what is larger is finite yet, but gradient descent does not come back from there.
_DIVERGED = 1e6


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        task: The task under way.
        epoch: Epochs of it that are done.
        batch: Batches of the epoch under way that are done.
        untrained: Accuracy on each task before anything was learned.
        matrix: Accuracy on every task after each task that is done.
        losses: Mean training loss of each epoch.
        loss: Sum of losses over the epoch under way.
        weight: Of that sum.
        seconds: Spent so far.
    """

    task: int = 0
    epoch: int = 0
    batch: int = 0
    untrained: list[float] = field(default_factory=list)
    matrix: list[list[float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    loss: float = 0.0
    weight: float = 0.0
    seconds: float = 0.0


class ContinualRun:
    """Learns a stream task by task.

    Args:
        learner: Model, task and rule, on their device.
        method: What keeps earlier tasks.
        stream: The tasks.
        settings: Epochs, batches, optimiser, schedule.
        seed: Of the order of samples.
        checkpoint: The file to go on from, if it is there, and to write to.
    """

    def __init__(
        self,
        learner: Learner,
        method: ContinualMethod,
        stream: Stream,
        settings: Continual,
        seed: int = 0,
        checkpoint: Path | None = None,
    ) -> None:
        self.learner, self.method, self.stream, self.settings = learner, method, stream, settings
        self.seed, self.checkpoint = seed, checkpoint
        self.device = next(learner.model.parameters()).device
        self.training = [part.to(self.device) for part in stream.training]
        self.test = [part.to(self.device) for part in stream.test]
        self.progress = Progress()
        self.optimiser: torch.optim.Optimizer | None = None
        self.scheduler: LRScheduler | None = None
        self._started = 0.0

    def learn(self) -> dict[str, Any]:
        """Learns all tasks that are left.

        Returns:
            `accuracy` (rows: after each task; columns: on each task), `untrained`, `acc`, `bwt`, `fwt`,
            `memory_bytes`, `losses`, `seconds`.

        Raises:
            DivergedError: If the loss or a gradient stops being finite, or the loss explodes; the checkpoint stays.
            TrainingInterrupted: After Ctrl-C or SIGTERM, when the checkpoint is written.
        """
        if self.checkpoint is not None and self.checkpoint.exists():
            self._restore(self.checkpoint)
        self.advance(len(self.stream))
        return self._figures()

    def advance(self, until: int) -> None:
        """Learns until this many tasks are done.

        Raises:
            DivergedError: If the loss or a gradient stops being finite, or the loss explodes; the checkpoint stays.
            TrainingInterrupted: After Ctrl-C or SIGTERM, when the checkpoint is written.
        """
        self._started = time.perf_counter()
        if not self.progress.untrained:
            self.progress.untrained = self.judge()
        with StopRequest() as stop:
            while self.progress.task < min(until, len(self.stream)):
                self._learn_task(stop)
                self._save()

    def judge(self) -> list[float]:
        """Accuracy on the test samples of every task."""
        model = self.learner.model
        was_training = model.training
        model.eval()
        found = []
        with torch.no_grad():
            for part in self.test:
                hits = 0
                for batch in part.batches(_JUDGED_AT_ONCE):
                    located = self.learner.task.located(batch)
                    answer = self.learner.task.forward(model, located).argmax(1)
                    hits += int((answer == located["label"]).sum())
                found.append(hits / len(part))
        model.train(was_training)
        return found

    def _learn_task(self, stop: StopRequest) -> None:
        progress, settings = self.progress, self.settings
        data = self.training[progress.task]
        shown = together(self.training[: progress.task + 1]) if self.method.keeps_all_data else data
        if self.optimiser is None:
            self.method.begin_task()
            self._make_optimiser(len(shown))
        while progress.epoch < settings.epochs:
            self._learn_epoch(shown, stop)
            progress.losses.append(progress.loss / max(progress.weight, 1.0))
            progress.epoch, progress.batch, progress.loss, progress.weight = progress.epoch + 1, 0, 0.0, 0.0
        self.method.end_task(data)
        self.method.tasks_done += 1
        self.optimiser = None
        progress.matrix.append(self.judge())
        scores = progress.matrix[-1]
        logger.info(
            "seed %d, task %d/%d (%s): accuracy %.2f %%, mean of the tasks so far %.2f %%",
            *(self.seed, progress.task + 1, len(self.stream), self.stream.names[progress.task]),
            *(100 * scores[progress.task], 100 * sum(scores[: progress.task + 1]) / (progress.task + 1)),
        )
        progress.task, progress.epoch = progress.task + 1, 0

    def _make_optimiser(self, samples: int) -> None:
        settings = self.settings
        self.optimiser = make_optimiser(self.learner.model, settings.optimiser, self.learner.rule)
        steps = math.ceil(samples / settings.batch_size)
        self.scheduler = make_scheduler(self.optimiser, settings.schedule, steps, settings.epochs)

    def _learn_epoch(self, data: TaskData, stop: StopRequest) -> None:
        progress, size = self.progress, self.settings.batch_size
        # a pure function of the place in the stream, so that a run that goes on sees the same order
        order = torch.Generator().manual_seed(_mixed(self.seed, progress.task, progress.epoch))
        self.learner.model.train()
        batches = tqdm(
            data.batches(size, order, progress.batch),
            desc=f"seed {self.seed} task {progress.task + 1} epoch {progress.epoch + 1}/{self.settings.epochs}",
            total=math.ceil(len(data) / size),
            initial=progress.batch,
            leave=False,
            disable=None,
        )
        for batch in batches:
            self.step(batch)
            progress.batch += 1
            if stop.requested:
                self._save()
                raise TrainingInterrupted(
                    f"stopped in task {progress.task + 1}, epoch {progress.epoch + 1}, batch {progress.batch}; give "
                    "the same command again to go on"
                )

    def step(self, batch: dict[str, Any]) -> float:
        """One step of the optimiser; returns the mean loss.

        Raises:
            DivergedError: If the loss or a gradient is not finite, or the loss has exploded.
        """
        learner, method, optimiser = self.learner, self.method, self.optimiser
        assert optimiser is not None
        assert self.scheduler is not None
        located = method.mix(learner.task.located(batch))
        with method.observing():
            total, weight = learner.rule.measure(learner.model, located)
        loss = float(total.detach())
        # against a constant, not the first loss: a run that goes on must judge as one that never stopped
        guessing = math.log(max(len(learner.task.class_names), 2))
        mean = loss / max(float(weight), 1e-12)
        self._require(mean <= _DIVERGED * guessing, mean, "the loss")
        optimiser.zero_grad(set_to_none=True)
        learner.rule.write(1 / max(float(weight), 1e-12))
        method.change_gradients()
        trained = [*learner.model.parameters(), *learner.rule.parameters()]
        gradients = [p.grad for p in trained if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        self._require(math.isfinite(float(norm)), float(norm), "the gradient")
        if self.settings.optimiser.gradient_clip:
            nn.utils.clip_grads_with_norm_(
                [p for p in trained if p.grad is not None], self.settings.optimiser.gradient_clip, norm
            )
        rate = float(optimiser.param_groups[0]["lr"])
        optimiser.step()
        method.after_step(rate)
        self.scheduler.step()
        self.progress.loss += loss
        self.progress.weight += float(weight)
        return mean

    def _require(self, good: bool, value: float, what: str) -> None:
        if good:
            return
        progress = self.progress
        kept = self.checkpoint is not None and self.checkpoint.exists()
        raise DivergedError(
            f"seed {self.seed}, task {progress.task + 1} ({self.stream.names[progress.task]}), epoch "
            f"{progress.epoch + 1}, batch {progress.batch + 1}: {what} is {value:.3g}; "
            + (f"the last good checkpoint is {self.checkpoint}; " if kept else "no checkpoint had been written; ")
            + "try a lower --optimiser.learning_rate, or a smaller strength of the method"
            + ("" if self.checkpoint is None else ", and another --folder: what this one holds is kept")
        )

    def _figures(self) -> dict[str, Any]:
        progress = self.progress
        return {
            "accuracy": progress.matrix,
            "untrained": progress.untrained,
            "acc": average_accuracy(progress.matrix),
            "bwt": backward_transfer(progress.matrix),
            "fwt": forward_transfer(progress.matrix, progress.untrained),
            "memory_bytes": self.method.memory_bytes(),
            "losses": progress.losses,
            "seconds": round(progress.seconds, 3),
        }

    def _save(self) -> None:
        now = time.perf_counter()
        self.progress.seconds += now - self._started
        self._started = now
        if self.checkpoint is None:
            return
        tree = {
            "model": self.learner.model.state_dict(),
            "rule": self.learner.rule.state_dict(),
            "method": {"tasks_done": self.method.tasks_done, "state": self.method.state()},
            "optimiser": None if self.optimiser is None else self.optimiser.state_dict(),
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            "random": random_states(),
            "progress": asdict(self.progress),
        }
        save_checkpoint(self.checkpoint, tree)

    def _restore(self, path: Path) -> None:
        tree = load_checkpoint(path)
        load_weights(self.learner.model, tree["model"], path)
        load_weights(self.learner.rule, tree["rule"], path)
        self.progress = Progress(**tree["progress"])
        self.method.tasks_done = tree["method"]["tasks_done"]
        self.method.restore(tree["method"]["state"])
        if tree["optimiser"] is not None:
            shown = self.training[: self.progress.task + 1] if self.method.keeps_all_data else self._under_way()
            self._make_optimiser(sum(map(len, shown)))
            assert self.optimiser is not None
            assert self.scheduler is not None
            load_optimiser(self.optimiser, tree["optimiser"], path)
            self.scheduler.load_state_dict(tree["scheduler"])
        restore_random_states(tree["random"])
        logger.info("%s: going on with task %d, epoch %d", path, self.progress.task + 1, self.progress.epoch + 1)

    def _under_way(self) -> Sequence[TaskData]:
        return self.training[self.progress.task : self.progress.task + 1]


def _mixed(*numbers: int) -> int:
    """One seed out of several numbers; different ones give independent streams."""
    mixed = 0
    for number in numbers:
        mixed = (mixed * 1_000_003 + number + 1) % (2**63 - 1)
    return mixed

"""The training loop.

The order of things: step, log, checkpoint within the epoch; at an epoch's end validate, keep the best, checkpoint.
Every checkpoint holds all that the next step depends on - weights, optimiser, schedule, random states, place in the
epoch - so a run that was killed and resumed ends with the same bits as one that never stopped (same machine and
threads).

If a disk refuses a checkpoint, the previous one stays, the training goes on, and the refused one is tried again with
the next: what is in memory is worth more than stopping. Only when the checkpoints cannot be written at the very end is
that an error, and resuming then repeats no more than the steps since the previous one.
"""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler
from tqdm import tqdm

from spikelab.io.atomic import write_json_atomically
from spikelab.io.stop_request import StopRequest
from spikelab.learn.distributed import Processes
from spikelab.learn.evaluate import evaluate
from spikelab.learn.interrupt import TrainingInterrupted
from spikelab.learn.loading import EvaluationBatches, TrainingBatches
from spikelab.learn.logs import RunLog
from spikelab.learn.rules.bptt import BPTT
from spikelab.learn.rules.rule import LearningRule
from spikelab.learn.run_folder import RunFolder
from spikelab.learn.session import DivergedError, Session
from spikelab.learn.task import Batch, Task
from spikelab.settings import Train

logger = logging.getLogger(__name__)

_TINY = 1e-12  # stands for the weight of a batch in which nothing is labelled


def fit(
    model: nn.Module,
    task: Task,
    training: TrainingBatches,
    validation: EvaluationBatches,
    optimiser: torch.optim.Optimizer,
    scheduler: LRScheduler,
    settings: Train,
    folder: RunFolder,
    processes: Processes | None = None,
    rule: LearningRule | None = None,
) -> dict[str, Any]:
    """Train a model; go on from the folder's last checkpoint if there is one.

    Args:
        model: Already on the device of `processes`.
        task: Loss and figures.
        training: Batches to learn from.
        validation: The split that picks the best epoch.
        optimiser: Over the model's parameters.
        scheduler: Stepped once per optimiser step.
        settings: Epochs, precision, clipping, how often to log, validate and save.
        folder: Exists already; gets the log and the checkpoints.
        processes: The processes that train together; one alone if left out.
        rule: Makes gradients of a batch; backpropagation through time if left out.

    Returns:
        `epochs`, `steps`, `parameters`, the `best` validation (its epoch and figures), and the `seconds` taken, those
        before a resumption included.

    Raises:
        DivergedError: If loss, gradient or weights stop being finite; the last good checkpoint stays.
        TrainingInterrupted: After Ctrl-C or SIGTERM, when the checkpoint is written.
        CheckpointError: If a checkpoint is damaged, or the final one cannot be written.
    """
    rule = rule or BPTT(model, task, training.sample_shapes)
    session = Session(model, task, optimiser, scheduler, settings, folder, processes or Processes(), rule)
    session.sample_shapes = training.sample_shapes
    clock = _Clock(session)
    if folder.last.exists():
        session.restore()
        clock.go_on()
        if session.processes.is_main:
            logger.info("%s: going on from step %d", folder.path, session.progress.step)
    progress = session.progress
    network = session.processes.wrap(model)
    with _open_log(session) as log, StopRequest() as stop:
        while not session.complete:
            model.train()
            for batch in _with_bar(training, session):
                figures, stopping = train_step(session, network, batch, stop.requested)
                if progress.step % settings.log_every == 0:
                    _log(log, session, "train", figures)
                if stopping:
                    session.save(required=True)
                    clock.note()
                    raise TrainingInterrupted(_how_to_go_on(session))
                if settings.checkpoint_every and progress.step % settings.checkpoint_every == 0:
                    session.save()
                    clock.note()
            _finish_epoch(session, validation, log)
            stopping = _agreed(session, stop.requested)
            session.save(required=stopping or session.complete)
            clock.note()
            if stopping and not session.complete:
                raise TrainingInterrupted(_how_to_go_on(session))
    return {
        "folder": str(folder.path),
        "epochs": progress.epoch,
        "steps": progress.step,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "best": {"epoch": progress.best.epoch, **(progress.best_figures or {})},
        "seconds": round(clock.seconds, 3),
    }


def train_step(session: Session, network: nn.Module, batch: Batch, stop: bool = False) -> tuple[dict[str, float], bool]:
    """Take one optimiser step.

    Args:
        session: The run; its weights, optimiser, schedule and progress move on.
        network: The model as it must be called for training (see `Processes.wrap`).
        batch: This process's share of the batch.
        stop: Whether this process has been asked to stop.

    Returns:
        `loss`, `gradient_norm` (before clipping) and `learning_rate`; and whether any process has been asked to stop.

    Raises:
        DivergedError: If the loss or the gradient is not finite; the weights are left as they were.
    """
    settings, processes, progress = session.settings, session.processes, session.progress
    with torch.autocast(processes.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
        total, weight = session.rule.measure(network, batch)
    sums = torch.tensor([total.item(), weight.item(), float(stop)], dtype=torch.float64)
    processes.add_up([sums])
    loss_sum, weight_sum, stops = sums.tolist()
    if not math.isfinite(loss_sum):
        raise DivergedError(session.explain(f"the loss is {loss_sum}", batch))

    session.optimiser.zero_grad(set_to_none=True)
    # DDP averages gradients over the processes; dividing by the mean weight makes that the gradient of the whole batch.
    session.rule.write(processes.world_size / max(weight_sum, _TINY))
    trained = [*session.model.named_parameters(), *session.rule.named_parameters()]
    if not session.rule.backward_through_model:
        processes.average_gradients([p for _, p in trained])
    used = [(name, p) for name, p in trained if p.grad is not None]
    norm = nn.utils.get_total_norm([p.grad for _, p in used if p.grad is not None])
    if not norm.isfinite():
        bad = [name for name, p in used if p.grad is not None and not p.grad.isfinite().all()]
        raise DivergedError(
            session.explain(f"the gradient of {', '.join(bad[:3]) or 'the model'} is not finite", batch)
        )
    if settings.optimiser.gradient_clip:
        nn.utils.clip_grads_with_norm_([p for _, p in used], settings.optimiser.gradient_clip, norm)
    rate = session.optimiser.param_groups[0]["lr"]
    session.optimiser.step()
    session.scheduler.step()

    progress.step += 1
    progress.batch += 1
    progress.loss_total += loss_sum
    progress.loss_weight += weight_sum
    figures = {"loss": loss_sum / max(weight_sum, _TINY), "gradient_norm": norm.item(), "learning_rate": rate}
    return figures, stops > 0


class _Clock:
    """Seconds of a run over all its starts.

    They lie in the folder's record: a checkpoint and the log are to be the same bits however often a run was stopped.
    What was not checkpointed before a kill does not count, nor does what came before records had them.
    """

    def __init__(self, session: Session) -> None:
        self._session, self._earlier, self._started = session, 0.0, time.perf_counter()

    def go_on(self) -> None:
        """Start from what the record says that earlier pieces took."""
        self._earlier = float(self._session.folder.read_record().get("seconds", 0.0))

    @property
    def seconds(self) -> float:
        return self._earlier + time.perf_counter() - self._started

    def note(self) -> None:
        """Keep what was taken so far."""
        folder = self._session.folder
        if not self._session.processes.is_main:
            return
        try:
            write_json_atomically(folder.record, folder.read_record() | {"seconds": round(self.seconds, 3)})
        except OSError as error:
            logger.warning("cannot write %s (%s): training goes on", folder.record, error.strerror or error)


def _finish_epoch(session: Session, validation: EvaluationBatches, log: RunLog | None) -> None:
    """Validate where that is due, log, and keep the best."""
    settings, progress, task = session.settings, session.progress, session.task
    train_loss = progress.loss_total / max(progress.loss_weight, _TINY)
    progress.epoch, progress.batch, progress.loss_total, progress.loss_weight = progress.epoch + 1, 0, 0.0, 0.0
    message = f"epoch {progress.epoch}/{settings.epochs}: training loss {train_loss:.4f}"
    if progress.epoch % settings.validate_every == 0 or progress.epoch == settings.epochs:
        session.processes.average_buffers(session.model)
        figures = evaluate(session.model, task, validation, settings.precision, session.processes)
        better = progress.best.update(figures[task.score], progress.epoch, task.higher_is_better)
        _log(log, session, "validation", {"epoch": progress.epoch, "train_loss": train_loss, **figures})
        message += f", validation {task.summary(figures)}" + (" (best so far)" if better else "")
        if better:
            progress.best_figures = figures
            session.save(best=True)
    if session.processes.is_main:
        logger.info(message)
        if progress.best.exhausted(settings.patience):
            logger.info("stopped early: %d validations without improvement", progress.best.stale)


def _agreed(session: Session, stop: bool) -> bool:
    """Whether any process has been asked to stop."""
    wanted = torch.tensor([float(stop)])
    session.processes.add_up([wanted])
    return bool(wanted > 0)


def _how_to_go_on(session: Session) -> str:
    return f"stopped at step {session.progress.step}; go on with: spikelab train --resume {session.folder.path}"


def _open_log(session: Session) -> RunLog | nullcontext[None]:
    """The log in the main process; the others write none."""
    progress, folder = session.progress, session.folder
    if not session.processes.is_main:
        return nullcontext()
    return RunLog(
        folder.log, progress.log_lines, folder.tensorboard if session.settings.tensorboard else None, progress.step
    )


def _log(log: RunLog | None, session: Session, kind: str, figures: dict[str, Any]) -> None:
    if log is not None:
        log.write(kind, session.progress.step, figures)
        session.progress.log_lines = log.lines


def _with_bar(training: TrainingBatches, session: Session) -> Iterator[Batch]:
    """What is left of the epoch under way, with a progress bar where there is a terminal."""
    progress = session.progress
    yield from tqdm(
        training.epoch(progress.epoch, progress.batch),
        desc=f"epoch {progress.epoch + 1}/{session.settings.epochs}",
        total=training.steps_per_epoch,
        initial=progress.batch,
        leave=False,
        disable=None if session.processes.is_main else True,
    )

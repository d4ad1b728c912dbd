"""Judge a model on a split."""

import math
from typing import Any

import torch
from torch import nn

from spikelab.learn.distributed import Processes, join_processes
from spikelab.learn.environment import set_threads
from spikelab.learn.loading import EvaluationBatches
from spikelab.learn.precision import choose_precision
from spikelab.learn.restore import load_run, open_evaluation_data
from spikelab.learn.task import Task
from spikelab.settings import Evaluate


def evaluate(
    model: nn.Module,
    task: Task,
    batches: EvaluationBatches,
    precision: str = "float32",
    processes: Processes | None = None,
) -> dict[str, Any]:
    """Run a model over a split, without gradients and without touching any random state.

    Args:
        model: Is set to evaluation mode, and back to the mode it was in.
        task: Says how the model is called and judged.
        batches: The split; with several processes, this one's share.
        precision: "float32" or "bfloat16".
        processes: The figures are over the shares of all of them.

    Returns:
        The task's figures and the mean `loss` (None where it is not finite or nothing is labelled).
    """
    processes = processes or Processes()
    meter = task.meter(batches.dataset)
    sums = torch.zeros(2, dtype=torch.float64)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for indices, batch in batches:
            with torch.autocast(processes.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                output = task.forward(model, batch)
            total, weight = task.loss(output, batch)
            sums += torch.stack([total, weight]).double().cpu()
            meter.update(output, batch, indices)
    model.train(was_training)
    processes.add_up([sums, *meter.counts()])
    loss = float(sums[0] / sums[1]) if sums[1] > 0 else math.nan
    return {"loss": loss if math.isfinite(loss) else None, **meter.figures()}


def evaluate_run(settings: Evaluate) -> dict[str, Any]:
    """Judge a trained run on a split of its own data set, or of another one with the same classes.

    Args:
        settings: The run, its checkpoint, the data.

    Returns:
        The figures of `evaluate`, what was evaluated on what, and - where the model can count them - `energy`: the
        model's own account of operations and energy, averaged over samples.

    Raises:
        RunError: If the run is not there.
        CheckpointError: If its checkpoint is damaged or does not fit.
        ValueError: If the data set has other classes than the run was trained on.
    """
    with join_processes(settings.device) as processes:
        set_threads(settings.threads)
        run = load_run(settings.run, settings.checkpoint, processes.device)
        name, dataset = open_evaluation_data(run, settings.data)
        batches = EvaluationBatches(
            dataset, settings.data.split, settings.data.batch_size, settings.data.workers, processes
        )
        precision = choose_precision(settings.precision, processes.device)
        figures = evaluate(run.model, run.task, batches, precision, processes)
        figures |= {"run": settings.run, "checkpoint": settings.checkpoint, "step": run.step}
        figures |= {"dataset": name, "split": settings.data.split, "model": run.settings.model.name}
        figures["parameters"] = sum(parameter.numel() for parameter in run.model.parameters())
        if settings.energy_batches and hasattr(run.model, "energy"):
            figures["energy"] = _energy(run.model, batches, settings.energy_batches)
        return figures


def _energy(model: Any, batches: EvaluationBatches, limit: int) -> dict[str, Any]:
    """The model's `energy(events, frame)` figures, averaged over the first batches, each weighted by its samples."""
    sums: dict[str, Any] = {}
    samples = 0
    with torch.no_grad():
        for (indices, batch), _ in zip(batches, range(limit), strict=False):
            samples += len(indices)
            sums = _accumulate(sums, model.energy(batch), len(indices))
    return _scaled(sums, 1 / samples)


def _accumulate(sums: dict[str, Any], figures: dict[str, Any], weight: int) -> dict[str, Any]:
    added: dict[str, Any] = {}
    for name, value in figures.items():
        if isinstance(value, dict):
            added[name] = _accumulate(sums.get(name, {}), value, weight)
        else:
            added[name] = sums.get(name, 0.0) + weight * float(value)
    return added


def _scaled(sums: dict[str, Any], factor: float) -> dict[str, Any]:
    return {name: _scaled(v, factor) if isinstance(v, dict) else v * factor for name, v in sums.items()}

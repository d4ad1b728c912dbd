"""Learning-rate schedules as a pure function of the step, carried out by torch's LambdaLR."""

import math

import torch
from torch.optim.lr_scheduler import LambdaLR

from spikelab.settings import Schedule


def learning_rate_factor(schedule: Schedule, step: int, steps_per_epoch: int, epochs: int) -> float:
    """The share of the peak learning rate that a step uses.

    Args:
        schedule: Shape and parameters.
        step: Steps taken before this one, from 0.
        steps_per_epoch: Steps in an epoch.
        epochs: Epochs planned; cosine and polynomial reach their end with the last step.

    Returns:
        Warm-up: climbs linearly and is 1 first on the step after its last. Then cosine: half a cosine (Loshchilov and
        Hutter, 2017, equation 5, one cycle); polynomial: (1 - progress)^power (Chen et al., 2018), both from 1 to
        `final_factor`; step: `step_factor` to the power of the number of passed steps; constant: 1.
    """
    warmup = round(schedule.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    total = steps_per_epoch * epochs
    progress = min(1.0, (step - warmup) / max(1, total - 1 - warmup))
    span = 1 - schedule.final_factor
    if schedule.name == "cosine":
        return schedule.final_factor + span * (1 + math.cos(math.pi * progress)) / 2
    if schedule.name == "polynomial":
        return schedule.final_factor + span * (1 - progress) ** schedule.power
    if schedule.name == "step":
        return schedule.step_factor ** int((step - warmup) / (schedule.step_epochs * steps_per_epoch))
    return 1.0


def make_scheduler(optimiser: torch.optim.Optimizer, schedule: Schedule, steps_per_epoch: int, epochs: int) -> LambdaLR:
    """A scheduler to be stepped once after each optimiser step.

    Raises:
        ValueError: If the warm-up is longer than the training.
    """
    if schedule.warmup_epochs >= epochs and schedule.warmup_epochs > 0:
        raise ValueError(
            f"schedule.warmup_epochs = {schedule.warmup_epochs}: the training has {epochs} epochs; warm up for less"
        )
    return LambdaLR(optimiser, lambda step: learning_rate_factor(schedule, step, steps_per_epoch, epochs))

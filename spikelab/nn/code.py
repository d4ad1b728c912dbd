"""Encoders turn numbers into spike trains, decoders turn spike trains into numbers.

Spike trains are float tensors of 0 and 1, [T, B, ...].
"""

from __future__ import annotations

import torch
from torch import Tensor


def _require_unit_interval(values: Tensor, encoder: str) -> None:
    if values.numel() and not (0 <= float(values.min()) and float(values.max()) <= 1):
        low, high = float(values.min()), float(values.max())
        raise ValueError(f"{encoder}: values span {low:g} to {high:g}; scale them to 0 to 1 first")


def rate_code(values: Tensor, steps: int, generator: torch.Generator | None = None) -> Tensor:
    """Independent spikes at each step with probability ``values``.

    Args:
        values: [B, ...] in 0 to 1.
        steps: number of time steps T.
        generator: source of randomness; None uses torch's own.

    Returns:
        spike train [T, B, ...].
    """
    _require_unit_interval(values, "rate_code")
    draws = torch.rand((steps, *values.shape), generator=generator, device=values.device, dtype=values.dtype)
    return (draws < values).to(values.dtype)


def regular_rate_code(values: Tensor, steps: int, levels: int = 255) -> Tensor:
    """Evenly spaced spikes, as many as ``values`` asks for: nothing is random.

    Each value is rounded to a whole number of ``levels`` and added at every step to a sum that starts at half of
    ``levels``; where the sum reaches ``levels``, there is a spike and ``levels`` is taken off: an integrate-and-fire
    neuron with whole numbers. So the count is never more than one spike off, and a microcontroller repeats the very
    same spikes with one small integer for each value.

    Args:
        values: [B, ...] in 0 to 1: 1 spikes at every step, 0 never.
        steps: number of time steps T.
        levels: resolution of the values; 255 keeps an 8-bit picture as it is.

    Returns:
        spike train [T, B, ...].

    Raises:
        ValueError: for values outside 0 to 1, or less than one step or level.
    """
    _require_unit_interval(values, "regular_rate_code")
    if steps < 1 or levels < 1:
        raise ValueError(f"regular_rate_code: steps = {steps} and levels = {levels} must be at least 1")
    moments = torch.arange(steps + 1, device=values.device)
    counts = (moments[:, None] * torch.arange(levels + 1, device=values.device) + levels // 2) // levels
    spikes = counts.diff(dim=0).to(values.dtype)  # [T, levels + 1]: the train of each level
    return spikes[:, (values * levels).round().long()]


def latency_code(values: Tensor, steps: int) -> Tensor:
    """One spike each, the earlier the larger the value; value 0 stays silent.

    Args:
        values: [B, ...] in 0 to 1: 1 spikes in the first step, just above 0 in the last.
        steps: number of time steps T.

    Returns:
        spike train [T, B, ...] (time to first spike; Thorpe and Gautrais 1998).
    """
    _require_unit_interval(values, "latency_code")
    if steps < 1:
        raise ValueError(f"latency_code: steps = {steps} must be at least 1")
    moment = ((1 - values) * (steps - 1)).round().long()
    train = torch.zeros((steps, *values.shape), dtype=values.dtype, device=values.device)
    return train.scatter_(0, moment.unsqueeze(0), (values > 0).to(values.dtype).unsqueeze(0))


def delta_code(sequence: Tensor, threshold: float) -> Tensor:
    """Spikes where a signal has moved by ``threshold`` since its last spike: send-on-delta, as an event camera pixel.

    Args:
        sequence: [T, B, ...].
        threshold: size of the move, > 0.

    Returns:
        spike train [T, B, 2, ...]: channel 0 for falls, channel 1 for rises, at most one a step.
    """
    if threshold <= 0:
        raise ValueError(f"delta_code: threshold = {threshold} must be > 0")
    steps = sequence.unbind(0)
    if not steps:
        return sequence.new_zeros((0, sequence.shape[1], 2, *sequence.shape[2:]))
    reference, trains = steps[0].clone(), []
    for value in steps:
        rise, fall = value - reference >= threshold, reference - value >= threshold
        reference = reference + threshold * (rise.to(value.dtype) - fall.to(value.dtype))
        trains.append(torch.stack([fall, rise], dim=1).to(value.dtype))
    return torch.stack(trains)


def spike_count(train: Tensor) -> Tensor:
    """Number of spikes: [T, B, ...] to [B, ...]."""
    return train.sum(0)


def spike_rate(train: Tensor, dt: float) -> Tensor:
    """Spikes per second: [T, B, ...] to [B, ...]. An empty train has rate zero."""
    return train.sum(0) / (max(train.shape[0], 1) * dt)


def first_spike_time(train: Tensor, dt: float) -> Tensor:
    """Seconds from the start to the first spike, infinity for a silent neuron: [T, B, ...] to [B, ...]."""
    if train.shape[0] == 0:
        return torch.full(train.shape[1:], torch.inf, dtype=train.dtype, device=train.device)
    fired = train > 0
    time = fired.to(torch.uint8).argmax(0).to(train.dtype) * dt
    return torch.where(fired.any(0), time, torch.inf)

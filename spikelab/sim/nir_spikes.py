"""The spikes of a NIR graph's Input, as the caller gives them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from spikelab.registry import suggestion
from spikelab.sim.sources import PoissonSource, SpikeArray, SpikeSource


def spike_sources(
    spikes: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], dt: float
) -> dict[str, SpikeSource]:
    """Input -> source of its spikes.

    Args:
        spikes: Input -> (times, neurons), counts [T, N] or [T, *shape], or a source.
        shapes: Input -> shape of a step.
        dt: length of a step in seconds.

    Raises:
        ValueError: for an Input that is missing or does not exist, or spikes that do not fit it.
    """
    if not isinstance(spikes, Mapping):
        first = next(iter(shapes))
        raise TypeError(f"spikes: got a {type(spikes).__name__}; give them by the Input's name: {{{first!r}: ...}}")
    for name in spikes:
        if name not in shapes:
            raise ValueError(f"spikes: the graph has no Input {name!r}; {suggestion(str(name), list(shapes))}")
    missing = [name for name in shapes if name not in spikes]
    if missing:
        size = math.prod(shapes[missing[0]])
        raise ValueError(
            f"spikes: none for the Input {missing[0]!r}; give (times, neurons), counts [T, {size}] or a source; "
            f"SpikeArray([], []) is silent"
        )
    return {name: _source(spikes[name], shape, dt, f"spikes of {name!r}") for name, shape in shapes.items()}


def _source(given: Any, shape: tuple[int, ...], dt: float, what: str) -> SpikeSource:
    if isinstance(given, SpikeArray | PoissonSource):
        return given
    if isinstance(given, tuple):
        if len(given) != 2:
            raise ValueError(f"{what}: {len(given)} things; give (times, neurons)")
        return SpikeArray(*given)
    counts, size = np.asarray(given), math.prod(shape)
    if counts.dtype.kind not in "biuf" or counts.ndim < 2 or counts.shape[1:] not in ((size,), shape):
        layouts = dict.fromkeys((f"[T, {size}]", f"[T, {', '.join(map(str, shape))}]"))
        raise ValueError(
            f"{what}: {counts.dtype} of shape {list(counts.shape)}; give (times, neurons), or counts "
            f"{' or '.join(layouts)}"
        )
    wrong = counts[~((counts >= 0) & (counts == np.floor(counts)))]
    if wrong.size:
        raise ValueError(
            f"{what}: {wrong.flat[0]} spikes in a step; counts are whole numbers, 0 or more. Turn values into spikes "
            f"first, or give no spikes here and drive the population with a StepCurrent"
        )
    steps, neurons = np.nonzero(counts.reshape(len(counts), size))
    times = counts.reshape(len(counts), size)[steps, neurons].astype(np.int64)
    # a spike in step k carries the time of its end
    return SpikeArray((np.repeat(steps, times) + 1) * dt, np.repeat(neurons, times))

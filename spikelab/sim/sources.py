"""Populations without equations: Poisson sources, given spikes, event cameras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spikelab.sim.units import si

if TYPE_CHECKING:
    from spikelab.events.array import EventArray


@dataclass(frozen=True, eq=False)
class PoissonSource:
    """Neurons that spike at random, independently of each other, at most once a step.

    A step holds a spike with probability rate * dt, as in Brian2; so rates must stay well below 1 / dt.

    Attributes:
        rate: Hz: one number; one for each neuron, [size]; or a time course, [bins, 1 or size], with ``bin_width``.
        bin_width: seconds for which each row of a time course holds; after the last, the rate is zero.
    """

    rate: Any
    bin_width: Any = None

    def checked(self, what: str, size: int, dt: float) -> tuple[np.ndarray, int]:
        """(probability of a spike in a step, float64 [bins, 1 or size]; steps of a bin, 0 for a rate that stays).

        Raises:
            ValueError: for a rate that is negative or too high for the time step, or a shape that does not fit.
        """
        rate = np.asarray(si(self.rate, "Hz", f"{what}: rate"), float)
        course = self.bin_width is not None
        if rate.ndim != 2 if course else rate.ndim > 1:
            shape = (
                "[bins, 1 or size], with bin_width" if course else "one number or [size]; a time course needs bin_width"
            )
            raise ValueError(f"{what}: rate of shape {rate.shape}; takes {shape}")
        rate = rate if course else np.atleast_1d(rate)[None]
        if rate.shape[1] not in (1, size):
            raise ValueError(f"{what}: rates for {rate.shape[1]} neurons, the population has {size}")
        if (rate < 0).any() or (rate * dt > 1).any():
            worst = rate.min() if (rate < 0).any() else rate.max()
            raise ValueError(f"{what}: rate {worst:g} Hz must lie between 0 and 1 / dt = {1 / dt:g} Hz")
        steps = 0
        if course:
            width = float(si(self.bin_width, "s", f"{what}: bin_width"))
            steps = round(width / dt)
            if steps < 1 or abs(steps * dt - width) > 1e-6 * width:
                raise ValueError(f"{what}: bin_width {width:g} s must be a whole number of steps of {dt:g} s")
        return rate * dt, steps


@dataclass(frozen=True, eq=False)
class SpikeArray:
    """Given spikes.

    Attributes:
        times: of the spikes, seconds, all > 0, in any order, [spikes]. A spike in (k dt, (k + 1) dt] belongs to step k.
        neurons: which neuron spikes, [spikes].
    """

    times: Any
    neurons: Any

    def checked(self, what: str, size: int, dt: float) -> tuple[np.ndarray, np.ndarray]:
        """(steps int64, neurons int32), by step and then by neuron.

        Raises:
            ValueError: for spikes at or before time 0, unknown neurons, or arrays of unlike length.
        """
        times = np.atleast_1d(np.asarray(si(self.times, "s", f"{what}: times"), float))
        neurons = np.atleast_1d(np.asarray(self.neurons))
        if times.shape != neurons.shape or times.ndim != 1:
            raise ValueError(f"{what}: {times.shape} times but {neurons.shape} neurons; give one neuron for each time")
        if neurons.size and not np.issubdtype(neurons.dtype, np.integer):
            raise ValueError(f"{what}: neurons must be whole numbers, not {neurons.dtype}")
        if times.size and times.min() <= 0:
            raise ValueError(
                f"{what}: a spike at {times.min():g} s; the first step ends at dt = {dt:g} s: shift the times"
            )
        if neurons.size and (neurons.min() < 0 or neurons.max() >= size):
            wrong = neurons.min() if neurons.min() < 0 else neurons.max()
            raise ValueError(f"{what}: neuron {wrong} does not exist; the population has {size}")
        # a time that is a whole number of steps but for rounding belongs to the step that ends there
        steps = np.ceil(times / dt - 1e-6).astype(np.int64) - 1
        order = np.lexsort((neurons, steps))
        return steps[order], neurons[order].astype(np.int32)


#: What ``Network.source`` takes.
SpikeSource = PoissonSource | SpikeArray


def spikes_of_events(events: EventArray, *, t_start: int | None = None) -> SpikeArray:
    """The events of an event camera as spikes: one neuron for each pixel and polarity.

    Neuron ``(polarity * height + y) * width + x`` spikes where pixel (x, y) has an event, so a population for it has
    2 * height * width neurons.

    Args:
        events: the recording.
        t_start: time of the recording, in microseconds, that becomes time 0; the first event's by default. An event at
            that very time counts into the first step.
    """
    start = (int(events.t[0]) if len(events) else 0) if t_start is None else t_start
    polarity = (np.asarray(events.p) > 0).astype(np.int64)
    neurons = (polarity * events.height + events.y.astype(np.int64)) * events.width + events.x
    # microseconds are the clock of the camera: half of one later, nothing lies on an edge between steps
    return SpikeArray((events.t.astype(np.int64) - start) * 1e-6 + 0.5e-6, neurons)

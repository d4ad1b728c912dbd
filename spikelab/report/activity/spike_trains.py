"""The spikes of a group of neurons over a span of time: what every statistic and picture of activity starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from spikelab.sim.monitors import SpikeMonitor

#: Tolerance of the ends of a span, relative to the larger: a spike of the last step lies at steps * dt, which differs
#: from the span that was asked for by a rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class SpikeTrains:
    """Spikes of ``size`` neurons that were watched from ``start`` to ``stop``, silent ones included.

    The arrays are checked, put in order of time and made read-only.

    Attributes:
        times: of the spikes, seconds, float64 [spikes]; given in any order, kept ascending.
        neurons: which neuron spiked, 0 to size - 1, integers [spikes].
        size: number of neurons.
        start: when watching began, seconds.
        stop: when it ended, seconds; later than ``start``.

    Raises:
        TypeError: if neurons or the size are no whole numbers.
        ValueError: for arrays of unlike length, times that are not finite or outside of the span, unknown neurons, or a
            span without duration.
    """

    times: np.ndarray
    neurons: np.ndarray
    size: int
    start: float
    stop: float

    def __post_init__(self) -> None:
        start, stop = _seconds("start", self.start), _seconds("stop", self.stop)
        if not stop > start:
            raise ValueError(
                f"spike trains: stop = {stop:g} s must be later than start = {start:g} s; without time there is no "
                "activity: run the network first, or give the time until which it was watched"
            )
        size = _whole("size", self.size)
        times, neurons = _column("times", self.times), _column("neurons", self.neurons)
        if times.size != neurons.size:
            raise ValueError(
                f"spike trains: {times.size} times but {neurons.size} neurons; give one neuron for each time"
            )
        _check_neurons(neurons, size)
        times = _checked_times(times, start, stop)
        neurons = neurons.astype(np.int32 if size < 2**31 else np.int64, copy=False)
        if (np.diff(times) < 0).any():
            order = np.lexsort((neurons, times))
            times, neurons = times[order], neurons[order]
        for name, value in (("times", times), ("neurons", neurons)):
            value = value.view()
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        for name, number in (("size", size), ("start", start), ("stop", stop)):
            object.__setattr__(self, name, number)

    @classmethod
    def from_monitor(cls, monitor: SpikeMonitor, stop: float, start: float = 0.0) -> SpikeTrains:
        """The spikes that a network's monitor has recorded.

        Args:
            monitor: from ``Network.record_spikes``.
            stop: until when, in seconds: ``network.time`` for all of it. A monitor does not know how long nothing came.
            start: from when on, to leave out a warm-up.
        """
        times, neurons = monitor.times, monitor.neurons
        inside = inside_span(times, start, stop)
        return cls(times[inside], neurons[inside], monitor.group.size, start, stop)

    @classmethod
    def from_lists(cls, trains: Sequence[npt.ArrayLike], stop: float, start: float = 0.0) -> SpikeTrains:
        """One array of spike times, in seconds, for each neuron."""
        arrays = [np.atleast_1d(np.asarray(train, np.float64)) for train in trains]
        counts = [train.size for train in arrays]
        times = np.concatenate(arrays) if arrays else np.empty(0)
        return cls(times, np.repeat(np.arange(len(arrays)), counts), len(arrays), start, stop)

    @property
    def duration(self) -> float:
        """Seconds from start to stop."""
        return self.stop - self.start

    def __len__(self) -> int:
        return int(self.times.size)

    @cached_property
    def counts(self) -> np.ndarray:
        """Spikes of each neuron, int64 [size]."""
        return np.bincount(self.neurons, minlength=self.size)

    @cached_property
    def neuron_order(self) -> np.ndarray:
        """The places of the spikes, by neuron and then by time, int64 [spikes]."""
        return np.argsort(self.neurons, kind="stable")

    @cached_property
    def by_neuron(self) -> tuple[np.ndarray, np.ndarray]:
        """(times, neurons), by neuron and then by time."""
        return self.times[self.neuron_order], self.neurons[self.neuron_order]

    def trains(self) -> list[np.ndarray]:
        """The spike times of each neuron, in seconds."""
        return np.split(self.by_neuron[0], np.cumsum(self.counts)[:-1]) if self.size else []

    def between(self, start: float, stop: float) -> SpikeTrains:
        """The part of the recording after ``start`` and up to ``stop``, times unchanged."""
        if start < self.start or stop > self.stop:
            raise ValueError(
                f"spike trains: [{start:g}, {stop:g}] s was not watched; the recording is from {self.start:g} to "
                f"{self.stop:g} s"
            )
        inside = inside_span(self.times, start, stop, first=start == self.start)
        return SpikeTrains(self.times[inside], self.neurons[inside], self.size, start, stop)

    def select(self, neurons: slice | npt.ArrayLike) -> SpikeTrains:
        """Some of the neurons, numbered anew in the order in which they are named.

        Args:
            neurons: a range such as ``slice(0, 800)``, or their numbers.

        Raises:
            ValueError: for a neuron that does not exist or is named twice.
        """
        chosen = np.arange(self.size)[neurons] if isinstance(neurons, slice) else _column("neurons", neurons)
        _check_neurons(chosen, self.size)
        place = np.full(self.size, -1, np.int64)
        place[chosen] = np.arange(chosen.size)
        if np.unique(chosen).size != chosen.size:
            raise ValueError("spike trains: a neuron is selected twice; name each once")
        kept = place[self.neurons] >= 0
        return SpikeTrains(self.times[kept], place[self.neurons[kept]], chosen.size, self.start, self.stop)

    def to_neo(self) -> list[Any]:
        """The trains as ``neo.SpikeTrain``, for elephant's many other methods and neo's file formats.

        Raises:
            ImportError: if neo is not installed.
        """
        from spikelab.report.activity.libraries import load_library

        train = load_library("neo").SpikeTrain
        return [train(times, units="s", t_start=self.start, t_stop=self.stop) for times in self.trains()]


def inside_span(times: np.ndarray, start: float, stop: float, first: bool | None = None) -> np.ndarray:
    """Which times lie after ``start`` and up to ``stop``, bool [times].

    A spike at the very start ends the step before it, and so belongs to what came before, unless this is the beginning
    of a recording (``first``, by default a start at 0): of other programs, spikes may lie at time 0.
    """
    slack = _ROUNDING * max(abs(start), abs(stop))
    first = start == 0 if first is None else first
    return (times >= start - slack if first else times > start + slack) & (times <= stop + slack)


def _checked_times(times: np.ndarray, start: float, stop: float) -> np.ndarray:
    if times.dtype.kind not in "fiu":
        raise TypeError(f"spike trains: times are {times.dtype}; give seconds as numbers")
    times = times.astype(np.float64, copy=False)
    bad = np.flatnonzero(~np.isfinite(times))
    if bad.size:
        raise ValueError(
            f"spike trains: times[{bad[0]}] = {times[bad[0]]} is no time ({bad.size} such); leave these out"
        )
    outside = np.flatnonzero(~inside_span(times, start, stop, first=True))
    if outside.size:
        raise ValueError(
            f"spike trains: times[{outside[0]}] = {times[outside[0]]:g} s ({outside.size} such) lies outside of "
            f"start = {start:g} s to stop = {stop:g} s; times are in seconds: correct the span, or leave these out"
        )
    return np.clip(times, start, stop) if times.size else times


def _check_neurons(neurons: np.ndarray, size: int) -> None:
    if neurons.size and neurons.dtype.kind not in "iu":
        raise TypeError(f"spike trains: neurons are {neurons.dtype}; give whole numbers, 0 to size - 1")
    if neurons.size and (neurons.min() < 0 or neurons.max() >= size):
        wrong = neurons.min() if neurons.min() < 0 else neurons.max()
        raise ValueError(f"spike trains: neuron {wrong} does not exist; size = {size}, so they are 0 to {size - 1}")


def _column(name: str, values: npt.ArrayLike) -> np.ndarray:
    column = np.asarray(values)
    if column.ndim != 1:
        raise ValueError(f"spike trains: {name} must be one-dimensional, [spikes], not of shape {column.shape}")
    return column.astype(np.int64) if name == "neurons" and not column.size else column


def _seconds(name: str, value: Any) -> float:
    seconds = float(value)
    if not np.isfinite(seconds):
        raise ValueError(f"spike trains: {name} = {seconds} must be a time in seconds")
    return seconds


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"spike trains: {name} = {value!r} must be a whole number of neurons")
    if value < 0:
        raise ValueError(f"spike trains: {name} = {value} must not be negative")
    return int(value)

"""What is kept of a run: spikes, states, rates, weights; in memory, or streamed to an HDF5 file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spikelab.sim.recording_file import Rows, open_rows

if TYPE_CHECKING:
    from spikelab.sim.population import Group
    from spikelab.sim.projection import Projection


class _Recording:
    """What all monitors share: rows that grow, in memory or in a file.

    Attributes:
        recorded: the group or projection.
    """

    def __init__(self, recorded: Group | Projection, rows: Rows):
        self.recorded, self._rows = recorded, rows

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.recorded}, {len(self)} rows>"

    def __len__(self) -> int:
        return len(self._rows)

    def saved(self) -> dict[str, np.ndarray]:
        """What a checkpoint has to keep: the rows in memory; those in a file are safe there."""
        return self._rows.saved()

    def load(self, saved: dict[str, np.ndarray]) -> None:
        """The inverse of ``saved``; what was recorded since is dropped."""
        self._rows.load(saved)

    def begin(self) -> None:
        """Gets ready for a run; raises RecordingError if the file is closed, or holds another recording."""
        self._rows.begin()

    def close(self) -> None:
        """Closes the file, if there is one; what was recorded can still be read."""
        self._rows.close()


class SpikeMonitor(_Recording):
    """The spikes of a group. Made by ``Network.record_spikes``."""

    def __init__(self, group: Group, dt: float, file: str | None = None):
        self.group, self.dt = group, dt
        columns, facts = {"step": "int64", "neuron": "int32"}, {"dt": dt, "size": group.size}
        super().__init__(group, open_rows(file, f"spikes/{group}", columns, facts))
        self._exact = False

    def keep_exact_times(self) -> None:
        """Keeps the time of each spike beside its step, for an engine without a time grid; before the first spike."""
        if not self._exact:
            self._rows.add_column("time", "float64")
            self._exact = True

    def append(self, steps: np.ndarray, neurons: np.ndarray, times: np.ndarray | None = None) -> None:
        """Adds spikes of the whole population, ordered by step; those of other groups are left out.

        Args:
            steps: int64 [spikes].
            neurons: int32 [spikes].
            times: exact times in seconds, [spikes], where they are kept.
        """
        group, columns = self.group, {"step": steps, "neuron": neurons}
        if self._exact:
            columns["time"] = (steps + 1) * self.dt if times is None else times
        if group.size != group.population.size:
            mine = (neurons >= group.first) & (neurons < group.first + group.size)
            columns = {name: column[mine] for name, column in columns.items()}
            columns["neuron"] = columns["neuron"] - np.int32(group.first)
        self._rows.append(**columns)

    @property
    def times(self) -> np.ndarray:
        """When each spike happened, in seconds, ascending, float64 [spikes]."""
        return self._rows["time"] if self._exact else (self._rows["step"] + 1) * self.dt

    @property
    def neurons(self) -> np.ndarray:
        """Which neuron of the group spiked, int32 [spikes]."""
        return self._rows["neuron"]

    def trains(self) -> list[np.ndarray]:
        """The spike times of each neuron, in seconds."""
        neurons = self.neurons
        order = np.argsort(neurons, kind="stable")
        edges = np.searchsorted(neurons[order], np.arange(1, self.group.size))
        return np.split(self.times[order], edges)


class StateMonitor(_Recording):
    """States of a group at regular times. Made by ``Network.record_states``.

    Attributes:
        names: the states.
        every: steps between two samples.
    """

    def __init__(self, group: Group, names: Sequence[str], every: int, dt: float, file: str | None = None):
        self.group, self.names, self.every, self.dt = group, tuple(names), every, dt
        shapes: dict[str, Any] = {name: ("float64", group.size) for name in names}
        super().__init__(group, open_rows(file, f"states/{group}", {"step": "int64", **shapes}))

    def append(self, steps: np.ndarray, values: dict[str, np.ndarray]) -> None:
        """Adds samples: the steps before which they were taken [K], and each state [K, neurons]."""
        self._rows.append(step=steps, **values)

    @property
    def times(self) -> np.ndarray:
        """When the samples were taken, in seconds, float64 [samples]. The first is at time 0, the initial state."""
        return self._rows["step"] * self.dt

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.names:
            raise KeyError(f"{name!r} was not recorded from {self.group}; recorded are {', '.join(self.names)}")
        return self._rows[name]


class RateMonitor(_Recording):
    """The mean firing rate of a group in bins. Made by ``Network.record_rate``.

    Attributes:
        every: steps of a bin.
    """

    def __init__(self, group: Group, every: int, dt: float, file: str | None = None):
        self.group, self.every, self.dt = group, every, dt
        super().__init__(group, open_rows(file, f"rates/{group}", {"step": "int64", "count": "int64"}))
        self._open = 0

    def append(self, first: int, counts: np.ndarray) -> None:
        """Adds the spikes of the group in each step from ``first`` on, int64 [steps]."""
        if not counts.size:
            return
        bins = (first + np.arange(counts.size)) // self.every
        edges = np.flatnonzero(np.diff(bins, prepend=bins[0] - 1))
        sums = np.add.reduceat(counts, edges)
        sums[0] += self._open
        complete = (first + counts.size) % self.every == 0
        self._open = 0 if complete else int(sums[-1])
        done = slice(None) if complete else slice(-1)
        self._rows.append(step=bins[edges][done] * self.every, count=sums[done])

    @property
    def times(self) -> np.ndarray:
        """When each bin begins, in seconds, float64 [bins]. A bin that the run did not finish is left out."""
        return self._rows["step"] * self.dt

    def saved(self) -> dict[str, np.ndarray]:
        """The rows in memory, and the spikes of the bin that is open."""
        return {**super().saved(), "open": np.array(self._open)}

    def load(self, saved: dict[str, np.ndarray]) -> None:
        """The inverse of ``saved``."""
        self._open = int(saved["open"])
        super().load(saved)

    @property
    def rates(self) -> np.ndarray:
        """Mean rate of a neuron of the group in each bin, Hz, float64 [bins]."""
        return self._rows["count"] / (max(1, self.group.size) * self.every * self.dt)


class WeightMonitor(_Recording):
    """Weights of a projection at regular times. Made by ``Network.record_weights``.

    Attributes:
        synapses: which synapses, by their place in the projection's arrays, int64.
        count: synapses that the projection has.
        every: steps between two samples.
    """

    def __init__(
        self, projection: Projection, synapses: np.ndarray, count: int, every: int, dt: float, file: str | None = None
    ):
        self.projection, self.synapses, self.count, self.every, self.dt = projection, synapses, count, every, dt
        layout = {"step": "int64", "weight": ("float64", synapses.size)}
        super().__init__(projection, open_rows(file, f"weights/{projection.number}", layout))

    def append(self, step: int, weights: np.ndarray) -> None:
        """Adds the weights, [synapses], before a step."""
        self._rows.append(step=np.array([step]), weight=weights[None])

    @property
    def times(self) -> np.ndarray:
        """When the samples were taken, in seconds, float64 [samples]."""
        return self._rows["step"] * self.dt

    @property
    def weights(self) -> np.ndarray:
        """Float64 [samples, synapses]."""
        return self._rows["weight"]


#: What ``Network.monitors`` holds.
Monitor = SpikeMonitor | StateMonitor | RateMonitor | WeightMonitor

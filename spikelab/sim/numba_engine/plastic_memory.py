"""What a plastic projection remembers for its targets, beside what its rows and synapses remember."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikelab.kernels.generated import load_generated
from spikelab.sim.numba_engine.partition import aligned, padded
from spikelab.sim.numba_engine.plastic_history import HistoryKernels
from spikelab.sim.numba_engine.plastic_snapshot import SnapshotKernels, shortest_epoch
from spikelab.sim.numba_engine.plastic_source import Lines
from spikelab.sim.numba_engine.plastic_table import Layout
from spikelab.sim.plasticity.constants import Constants
from spikelab.sim.plasticity.spec import PlasticitySpec
from spikelab.sim.plasticity.strategy import growth

#: Spikes of a target that a list has room for, at least.
_ROOM = 32
#: Most steps between two visits of a row: bounds the tables of decays.
_LONGEST = 4096
#: Epochs whose sums are kept.
_EPOCHS = 16
#: Numbers of 64 bits in a cache line.
_LINE = 8


@dataclass(frozen=True)
class Memory:
    """A strategy's memory.

    Attributes:
        order: the kernels that run at the beginning of a step, those of the targets alone with "*".
        title: of the rule.
        source: of the compiled module.
        layout: of its kernels' tables.
        lines: the rule's lines.
        arrays: state that changes, by entry of the table.
        per_thread: state of which each thread keeps a copy, all alike, [threads, ...].
        fixed: the other entries that are the same for all parts of a projection.
        of_synapses: entry -> the variable of each synapse that it holds, "" for none of the rule's own.
    """

    order: tuple[str, ...]
    title: str
    source: str
    layout: Layout
    lines: Lines
    arrays: dict[str, np.ndarray]
    per_thread: dict[str, np.ndarray]
    fixed: dict[str, int | np.ndarray]
    of_synapses: dict[str, str]

    def kernels(self) -> Any:
        """The compiled module."""
        return load_generated(self.source, f"plasticity by {self.title[0].lower()}{self.title[1:]}")

    def share_out(self, threads: int) -> None:
        """Gives each of so many threads its copy of what they all keep."""
        for name, array in self.per_thread.items():
            self.per_thread[name] = np.repeat(array[:1], threads, axis=0)

    def clear(self, step: int) -> None:
        """Forgets the targets' spikes that wait, once all have been applied; later steps count from ``step``."""
        if "base_" in self.per_thread:
            self.per_thread["base_"][:] = step
            self.arrays["waiting_"][:] = 0
            self.arrays["latest_"][:] = self.arrays["earlier_"][:] = -1
        if "integral_" in self.per_thread:
            self.per_thread["integral_"][:, 0] = 0


def history_memory(
    spec: PlasticitySpec,
    numbers: Constants,
    size: int,
    dt: float,
    dtype: np.dtype,
    index: str,
    block: int,
    most: int,
    interval: int,
) -> Memory:
    """Lists of the targets' spikes.

    Args:
        spec: the rule.
        numbers: its constants.
        size: of the target population.
        dt: time step, seconds.
        dtype: working precision.
        index: type of the targets' numbers.
        block: steps of the driver's blocks.
        most: spikes that a neuron may emit in a block.
        interval: steps between two actions of continuous terms, 0 for none.
    """
    kernels, long = HistoryKernels(spec, str(dtype), index), padded(size)
    room = max(_ROOM, 1 << (2 * most - 1).bit_length()) if kernels.row.waits else 1
    names = [*(each.name for each in spec.pre), *kernels.row.decaying]
    longest, sums = _LONGEST, kernels.row.integral
    if sums is not None:
        # sums over a longer time would lose digits
        longest = int(min(max(1, 4 * numbers.tau[sums.variable] / dt), longest))
    steps = np.arange(longest + 2)
    return Memory(
        order=("sweep", "*begin", "arrive"),
        title=spec.title,
        source=kernels.source(),
        layout=kernels.layout,
        lines=kernels.lines,
        arrays={
            "requests_": np.full(2, -2, np.int64),
            "waiting_": aligned(long, np.int32),
            "latest_": aligned(long, np.int32, -1),
            "earlier_": aligned(long, np.int32, -1),
            "when_": aligned((long, room), np.int32),
            **{f"before_{name}_": aligned((long, room), dtype) for name in kernels.row.listed},
            **{f"last_{name}_": aligned(long, dtype) for name in kernels.row.listed},
            **{f"post_{each.name}_": aligned(long, dtype, numbers.rest[each.name]) for each in spec.post},
        },
        per_thread={
            "base_": np.zeros((1, _LINE), np.int64),
            **({"level_": np.zeros((1, _LINE), dtype)} if spec.modulated else {}),
            **({"sign_": np.zeros((1, _LINE), dtype), "integral_": np.zeros((1, longest + 2), dtype)} if sums else {}),
        },
        fixed={
            "block_": block,
            "longest_": longest,
            "interval_": interval,
            "room_": room,
            "most_": most,
            **{f"factor_{each.name}_": _factor(numbers.tau[each.name], dt, dtype) for each in spec.post},
            **{f"decay_{name}_": _decays(numbers.tau[name], dt, steps, dtype) for name in names},
            **({"lift_": np.exp(steps * dt / numbers.tau[sums.variable]).astype(dtype)} if sums else {}),
        },
        of_synapses={f"variable_{each.name}_": each.name for each in spec.synapse},
    )


def snapshot_memory(
    spec: PlasticitySpec, numbers: Constants, size: int, dt: float, dtype: np.dtype, index: str
) -> Memory:
    """Running sums of the targets; arguments as for ``history_memory``."""
    found = growth(spec, numbers, dt)
    kernels, long = SnapshotKernels(spec, found, str(dtype), index), padded(size)
    return Memory(
        order=("*begin", "sweep", "arrive"),
        title=spec.title,
        source=kernels.source(),
        layout=kernels.layout,
        lines=kernels.lines,
        arrays={
            **{f"post_{each.name}_": aligned(long, dtype, numbers.rest[each.name]) for each in spec.post},
            **{f"sum_{name}_": aligned(long, dtype) for name in kernels.terms},
            **{f"closed_{name}_": aligned((_EPOCHS, long), dtype) for name in kernels.terms},
        },
        per_thread={},
        fixed={
            "epoch_": shortest_epoch(dict(numbers.tau), found, dt),
            "kept_": _EPOCHS,
            **{f"factor_{each.name}_": _factor(numbers.tau[each.name], dt, dtype) for each in spec.post},
            **{f"rate_{each.name}_": np.array([-dt / numbers.tau[each.name]]) for each in spec.pre},
        },
        of_synapses={f"snapshot_{name}_": "" for name in kernels.terms},
    )


def _factor(tau: float, dt: float, dtype: np.dtype) -> np.ndarray:
    """Decay in one step, [1]."""
    return np.array([np.exp(-dt / tau)], dtype)


def _decays(tau: float, dt: float, steps: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Decay in each number of steps; numbers too small to matter are zero, as such numbers are slow."""
    found = np.exp(-steps * dt / tau)
    found[found < 1e-30] = 0
    return found.astype(dtype)

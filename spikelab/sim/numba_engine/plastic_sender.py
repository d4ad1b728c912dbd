"""Plasticity in which only the sender decides what arrives: short-term plasticity. No synapse remembers anything.

A trace of the sender follows its spikes as they arrive, all of them later by the same delay, so that the traces at
arrival are those that follow the spikes as they are emitted. Spikes are therefore delivered at once, as where weights
stay, and each synapse may have its own delay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spikelab.kernels.generated import load_generated
from spikelab.sim.numba_engine.delivery import thread_starts
from spikelab.sim.numba_engine.driver import Operation
from spikelab.sim.numba_engine.plastic_source import HEADER, SENDERS, Lines, Loop, block, kernel
from spikelab.sim.numba_engine.plastic_table import Layout, common_values, layout_with
from spikelab.sim.numba_engine.population_state import PopulationState
from spikelab.sim.numba_engine.spike_log import SpikeLog
from spikelab.sim.numba_engine.table import operation
from spikelab.sim.plasticity.choice import Plasticity
from spikelab.sim.plasticity.constants import Constants
from spikelab.sim.plasticity.spec import PlasticitySpec
from spikelab.sim.projection import Projection, Synapses


@dataclass(frozen=True)
class SenderKernel:
    """What decides how the kernel looks.

    Attributes:
        spec: the rule.
        dtype: "float32" or "float64".
        index: type of the targets' numbers, "uint16" or "uint32".
        one_weight: whether one weight serves all synapses.
        delay: type of the synapses' delays; "" where one serves all.
    """

    spec: PlasticitySpec
    dtype: str
    index: str
    one_weight: bool
    delay: str

    @cached_property
    def lines(self) -> Lines:
        """The rule's lines."""
        return Lines(self.spec)

    @property
    def layout(self) -> Layout:
        """The table's entries."""
        return layout_with(
            self.spec,
            {
                **{f"rate_{each.name}_": "np.float64, 1" for each in self.spec.pre},
                "weights_": f"FLOAT, {'1' if self.one_weight else 'synapses_'}",
                "delays_": f"np.{self.delay}, synapses_" if self.delay else "np.int64, 1",
            },
        )

    def source(self) -> str:
        """The kernel's module."""
        header = HEADER.format(title=self.spec.title, dtype=self.dtype, index=self.index)
        return header + self._loop.source() + kernel("deliver", self.layout, self.lines, self._deliver())

    @cached_property
    def _loop(self) -> Loop:
        lines, body = self.lines, ["j_ = np.int64(targets_[k_])", f"w = weights_[{'0' if self.one_weight else 'k_'}]"]
        if self.delay:
            body += [
                "slot_ = first_slot_ + np.int64(delays_[k_])",
                "slot_ = slot_ - slots_ if slot_ >= slots_ else slot_",
            ]
        body += lines.synapse(lines.pre.synapse, "ring_[slot_, j_]" if self.delay else "input_[j_]")
        traces = [*(each.name for each in self.spec.pre), *(name for name, _ in lines.pre.versions)]
        names = ["weights_", "delays_", "ring_", "input_", "first_slot_", "slots_", *traces, *lines.constants()]
        mine = {"targets_", *(() if self.one_weight else ("weights_",)), *(("delays_",) if self.delay else ())}
        return Loop("run_row", body, names, {name: "[begin_:end_]" for name in mine})

    def _deliver(self) -> str:
        lines = self.lines
        body = [
            "from_ = since_[thread_, sender_]",
            *lines.decay_row(),
            *lines.versions(lines.pre.versions),
            self._loop.call(),
            "since_[thread_, sender_] = step_",
            *(f"pre_{each.name}_[thread_, sender_] = {lines.pre.after[each.name]}" for each in self.spec.pre),
        ]
        start = ["emitted_ = step_"]
        start += ["first_slot_ = step_ % slots_"] if self.delay else ["input_ = ring_[(step_ + delays_[0]) % slots_]"]
        return block(start, 1) + SENDERS + block(body, 3)


class SenderState:
    """The synapses of a projection with short-term plasticity.

    Attributes:
        projection: what it was built from.
        synapses: their arrays.
        execution: how the rule is run: "per_sender".
    """

    execution = "per_sender"

    def __init__(
        self,
        projection: Projection,
        synapses: Synapses,
        target: PopulationState,
        numbers: Constants,
        dt: float,
        dtype: np.dtype,
    ):
        choice = projection.plasticity
        assert isinstance(choice, Plasticity)
        self.projection, self.synapses, self._target = projection, synapses, target
        self._weights = np.atleast_1d(np.asarray(synapses.weights, dtype))
        own_delays = np.ndim(synapses.delays) > 0
        self._delays = np.atleast_1d(np.asarray(synapses.delays))
        if not own_delays:
            self._delays = self._delays.astype(np.int64)
        self._kernel = SenderKernel(
            choice.rule,
            str(dtype),
            str(synapses.connectivity.targets.dtype),
            np.ndim(synapses.weights) == 0,
            str(self._delays.dtype) if own_delays else "",
        )
        self._constants = np.array([numbers.of(name, dt) for name in self._kernel.lines.constants()], dtype)
        self._rates = {f"rate_{each.name}_": np.array([-dt / numbers.tau[each.name]]) for each in choice.rule.pre}
        senders = projection.source.size
        self._rows = {"since_": np.zeros((1, senders), np.int64)}
        for each in choice.rule.pre:
            self._rows[f"pre_{each.name}_"] = np.full((1, senders), numbers.rest[each.name], dtype)
        self._bounds, self._starts = np.zeros(0, np.int64), np.zeros((0, 0), np.int64)

    def reach(self, population: str) -> int:
        """Steps that the log of a population has to reach back: none, as spikes are delivered at once."""
        return 0

    def before(self, bounds: np.ndarray, logs: Mapping[str, SpikeLog]) -> list[Operation]:
        """None: nothing happens when spikes arrive."""
        return []

    def after(self, bounds: np.ndarray, logs: Mapping[str, SpikeLog]) -> list[Operation]:
        """None: the targets' spikes do not matter."""
        return []

    def deliver(self, bounds: np.ndarray, logs: Mapping[str, SpikeLog]) -> list[Operation]:
        """The operation that takes a step's spikes to their targets."""
        connectivity = self.synapses.connectivity
        if not np.array_equal(bounds, self._bounds):
            self._bounds = bounds.copy()
            self._starts = thread_starts(connectivity.starts, connectivity.targets, bounds)
            self._rows = {name: np.repeat(each[:1], bounds.size - 1, axis=0) for name, each in self._rows.items()}
        values: dict[str, int | np.ndarray] = {
            **common_values(self.projection, self._target, logs),
            "bounds_": self._bounds,
            "constants_": self._constants,
            "synapses_": self.synapses.count,
            "starts_": self._starts,
            "targets_": connectivity.targets,
            "weights_": self._weights,
            "delays_": self._delays,
            **self._rates,
            **self._rows,
        }
        title = self._kernel.spec.title
        module = load_generated(self._kernel.source(), f"plasticity by {title[0].lower()}{title[1:]}")
        return [operation(int(module.deliver.address), self._kernel.layout.table(values))]

    def next_rewiring(self, step: int) -> int | None:
        """None: synapses that remember nothing are never weak."""
        return None

    def rewire(self, step: int, key: int) -> bool:
        """Never."""
        return False

    def weights(self, step: int = 0) -> np.ndarray:
        """The weights at any step: [1] where one serves all synapses, else [synapses]."""
        return self._weights

    def variable(self, name: str, step: int) -> np.ndarray:
        """Raises ValueError: its synapses have no variables."""
        raise ValueError(f"{self.projection}: {self._kernel.spec.name} has no variable {name!r} of synapses")

    def state(self) -> dict[str, np.ndarray]:
        """What changes during a run, by name."""
        return {name: each[:1] for name, each in self._rows.items()}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """The inverse of ``state``."""
        for name, each in self._rows.items():
            each[...] = state[name]

"""The synapses of a plastic projection, ready to run."""

from __future__ import annotations

import ctypes
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from spikelab.sim.numba_engine.delivery import thread_starts
from spikelab.sim.numba_engine.driver import Operation
from spikelab.sim.numba_engine.plastic_memory import history_memory, snapshot_memory
from spikelab.sim.numba_engine.plastic_parts import joined, rewire, split
from spikelab.sim.numba_engine.plastic_sender import SenderState
from spikelab.sim.numba_engine.plastic_signal import PlasticSignal
from spikelab.sim.numba_engine.plastic_table import common_values
from spikelab.sim.numba_engine.population_state import PopulationState
from spikelab.sim.numba_engine.spike_log import SpikeLog
from spikelab.sim.numba_engine.table import operation
from spikelab.sim.plasticity.choice import Plasticity
from spikelab.sim.plasticity.constants import Constants
from spikelab.sim.plasticity.strategy import choose
from spikelab.sim.projection import Projection, Synapses

#: Calls a kernel from Python.
_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


class PlasticState:
    """The synapses of a projection whose weights change.

    Args:
        projection: what it is built from.
        synapses: their arrays; weights are the initial ones.
        target: the target population.
        numbers: the rule's constants.
        dt: time step, seconds.
        dtype: working precision.
        block: steps of the driver's blocks.
        execution: how to run the rule: "snapshot" or "history".

    Attributes:
        execution: how the rule is run: "snapshot" or "history".
        parts: the synapses, by delay.
        connectivity: who is connected now.
        replaced: synapses that rewiring has replaced since this was built; a checkpoint does not hold it.
    """

    def __init__(
        self,
        projection: Projection,
        synapses: Synapses,
        target: PopulationState,
        numbers: Constants,
        dt: float,
        dtype: np.dtype,
        block: int,
        execution: str,
    ):
        self.projection, self.synapses, self._target, self._dtype = projection, synapses, target, dtype
        assert isinstance(projection.plasticity, Plasticity)
        self._spec = spec = projection.plasticity.rule
        self._numbers, self.execution = numbers, execution
        size, index = target.population.size, str(synapses.connectivity.targets.dtype)
        interval = numbers.steps_of_interval(dt, f"{projection}: {spec.name}")
        self._memory = (
            snapshot_memory(spec, numbers, size, dt, dtype, index)
            if execution == "snapshot"
            else history_memory(spec, numbers, size, dt, dtype, index, block, target.most_in(block), interval)
        )
        self._constants = np.array([self._numbers.of(name, dt) for name in self._memory.lines.constants()], dtype)
        self.parts = split(synapses, spec, numbers, list(self._memory.of_synapses), dtype)
        self._signal = PlasticSignal(projection.plasticity.modulator, f"{projection}: modulator", dt, dtype)
        if spec.modulated:
            self._memory.per_thread["level_"][:] = self._signal.numbers[0]
        self._bounds = np.zeros(0, np.int64)
        self._starts: list[np.ndarray] = []
        self._dt, self.connectivity, self.replaced = dt, synapses.connectivity, 0
        # of each part's synapses among all, once they have been rewired
        self._places: list[np.ndarray] = []
        rewiring, unit = projection.plasticity.rewiring, target.population.receptors[projection.receptor]
        self._rewiring = None if rewiring is None else rewiring.checked(f"{projection}: rewiring", unit, numbers, dt)

    # -------------------------------------------------------------------------------------------------- what it runs

    def reach(self, population: str) -> int:
        """Steps that the log of a population has to reach back: its spikes are looked at when they arrive."""
        mine = self.projection.source.population.name == population
        delays = [part.delay for part in self.parts] if mine else []
        return max([0, *delays, self._signal.delay if self._signal.population == population else 0])

    def before(self, bounds: np.ndarray, logs: Mapping[str, SpikeLog]) -> list[Operation]:
        """The operations at the beginning of a step: what the rule does in time, and spikes that arrive.

        Args:
            bounds: of the target population's threads.
            logs: by population.
        """
        self._share_out(bounds)
        kernels, found = self._memory.kernels(), []
        tables = [self._entries(place, logs) for place in range(len(self.parts))]
        for name in self._memory.order:
            chosen = tables[:1] if name.startswith("*") else tables
            found += [operation(int(getattr(kernels, name.strip("*")).address), each) for each in chosen]
        return found

    def after(self, bounds: np.ndarray, logs: Mapping[str, SpikeLog]) -> list[Operation]:
        """The operations that follow the targets' own spikes of a step."""
        self._share_out(bounds)
        address = int(self._memory.kernels().after.address)
        return [operation(address, self._entries(0, logs))] if self.parts else []

    def deliver(self, bounds: np.ndarray, logs: Mapping[str, SpikeLog]) -> list[Operation]:
        """None: spikes are kept until they arrive."""
        return []

    def _share_out(self, bounds: np.ndarray) -> None:
        """Gives each thread its part of every row, and a copy of what is remembered for rows."""
        if np.array_equal(bounds, self._bounds):
            return
        self._bounds, threads = bounds.copy(), bounds.size - 1
        self._starts = [thread_starts(part.starts, part.targets, bounds) for part in self.parts]
        for part in self.parts:
            for name in self._row_names():
                part.arrays[name] = np.repeat(part.arrays[name][:1], threads, axis=0)
        self._memory.share_out(threads)

    def _row_names(self) -> list[str]:
        return ["since_", *(f"pre_{each.name}_" for each in self._spec.pre)]

    def _entries(self, place: int, logs: Mapping[str, SpikeLog]) -> dict[str, int | np.ndarray]:
        """The kernels' table of a part."""
        part = self.parts[place]
        values: dict[str, int | np.ndarray] = {
            **common_values(self.projection, self._target, logs),
            "bounds_": self._bounds,
            "constants_": self._constants,
            "delay_": part.delay,
            "synapses_": part.targets.size,
            "starts_": self._starts[place],
            "targets_": part.targets,
            **self._memory.fixed,
            **self._memory.arrays,
            **self._memory.per_thread,
            **part.arrays,
        }
        if self._spec.modulated:
            values |= self._signal.entries(logs)
        return self._memory.layout.table(values)

    # --------------------------------------------------------------------------------------------- what can be asked

    def weights(self, step: int) -> np.ndarray:
        """The weights at the beginning of a step, the present one, [synapses]; nothing is changed by asking."""
        return self._brought(step, "weights_")

    def variable(self, name: str, step: int) -> np.ndarray:
        """A variable of the synapses at the beginning of the present step, [synapses]."""
        entries = {variable: entry for entry, variable in self._memory.of_synapses.items() if variable}
        if name not in entries:
            raise ValueError(
                f"{self.projection}: {self._spec.name} has no variable {name!r} of synapses; it has "
                f"{', '.join(['w', *entries])}"
            )
        return self._brought(step, entries[name])

    def _brought(self, step: int, entry: str) -> np.ndarray:
        """An entry of all synapses, in their own order, after all that waits has been applied to a copy."""
        result, delays = np.empty(self.synapses.count, self._dtype), np.asarray(self.synapses.delays)
        for place, part in enumerate(self.parts):
            where: slice | np.ndarray = slice(None)
            if self._places:
                where = self._places[place]
            elif len(self.parts) > 1:
                where = delays == part.delay
            arrays = part.arrays
            if step > 0 and self._bounds.size:
                arrays = {name: part.arrays[name].copy() for name in ("weights_", *self._memory.of_synapses)}
                self._flush(place, step, arrays)
            result[where] = arrays[entry]
        return result

    def _flush(self, place: int, step: int, arrays: dict[str, np.ndarray]) -> None:
        """Brings values of a part's synapses to the beginning of the present step, in place."""
        # of the logs, this reads nothing but the number of threads
        logs: Mapping[str, SpikeLog] = defaultdict(lambda: SpikeLog(0, self._bounds.size - 1, 1, 1))
        call = operation(0, self._memory.layout.table({**self._entries(place, logs), **arrays}))
        flush = _KERNEL(int(self._memory.kernels().flush.address))
        for thread in range(self._bounds.size - 1):
            flush(call.table.ctypes.data, thread, step)

    # ----------------------------------------------------------------------------------------------------- rewiring

    def next_rewiring(self, step: int) -> int | None:
        """The next step, after the present one, before which synapses are rewired; None for never."""
        return None if self._rewiring is None else (step // self._rewiring[0] + 1) * self._rewiring[0]

    def rewire(self, step: int, key: int) -> bool:
        """Replaces weak synapses if it is time; then the operations have to be listed again.

        Args:
            step: the present one.
            key: of the random numbers.
        """
        if self._rewiring is None or step % self._rewiring[0] or not step:
            return False
        _, below, weight = self._rewiring
        for place, part in enumerate(self.parts):
            self._flush(place, step, part.arrays)
            # what rows remember is then of the end of the step before this one, with nothing waiting
            age = step - 1 - part.arrays["since_"]
            for each in self._spec.pre:
                rest, values = self._numbers.rest[each.name], part.arrays[f"pre_{each.name}_"]
                values[...] = rest + (values - rest) * np.exp(-age * self._dt / self._numbers.tau[each.name])
            part.arrays["since_"][...] = step - 1
        self._memory.clear(step - 1)
        fresh = {"weights_": weight, **dict.fromkeys(self._memory.of_synapses, 0.0)}
        source, target = self.projection.source, self.projection.target
        offset = source.first if source.population is target.population else None
        self.replaced += rewire(self.parts, below, fresh, self.connectivity, offset, key)
        for part in self.parts:
            for name in self._memory.of_synapses:
                if name.startswith("snapshot_"):
                    # a row that was just visited has the target's present sum as its snapshot
                    part.arrays[name][:] = self._memory.arrays[name.replace("snapshot_", "sum_")][part.targets]
        self.connectivity, self._places = joined(self.parts, self.connectivity)
        self._bounds = np.zeros(0, np.int64)
        return True

    # ----------------------------------------------------------------------------------------------------- the state

    def state(self) -> dict[str, np.ndarray]:
        """All that a checkpoint has to keep."""
        found = {f"targets/{name}": array for name, array in self._memory.arrays.items()}
        found |= {f"shared/{name}": array[:1] for name, array in self._memory.per_thread.items()}
        found["signal"] = self._signal.values
        for place, part in enumerate(self.parts):
            rows = set(self._row_names())
            found |= {f"{place}/{n}": (each[:1] if n in rows else each) for n, each in part.arrays.items()}
            if self._rewiring is not None:
                found |= {f"{place}/starts": part.starts, f"{place}/targets": part.targets}
        return found

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """The inverse of ``state``."""
        self._signal.values[...] = state["signal"]
        for name, array in self._memory.arrays.items():
            array[...] = state[f"targets/{name}"]
        for name, array in self._memory.per_thread.items():
            array[...] = state[f"shared/{name}"]
        for place, part in enumerate(self.parts):
            for name, array in part.arrays.items():
                array[...] = state[f"{place}/{name}"]
            if self._rewiring is not None:
                part.starts, part.targets = state[f"{place}/starts"], state[f"{place}/targets"]
        if self._rewiring is not None:
            self.connectivity, self._places = joined(self.parts, self.connectivity)
            self._bounds = np.zeros(0, np.int64)

    def set_modulator(self, value: float) -> None:
        """Sets the signal that reaches all synapses alike, from now on."""
        if not self._spec.modulated:
            raise ValueError(f"{self.projection}: {self._spec.name} has no modulator in its equations")
        self._signal.set(value)


AnyPlasticState = PlasticState | SenderState


def plastic_state(
    projection: Projection, synapses: Synapses, target: PopulationState, dt: float, dtype: np.dtype, block: int
) -> AnyPlasticState:
    """The state that runs a projection's rule in the fastest way, or the one asked for.

    Raises:
        ValueError: for a rule or values that cannot be run.
    """
    choice = projection.plasticity
    assert isinstance(choice, Plasticity)
    unit = target.population.receptors[projection.receptor]
    weights = np.atleast_1d(np.asarray(synapses.weights, dtype))[: synapses.count]
    choice.check(unit, weights, np.atleast_1d(np.asarray(synapses.delays)), dt, str(projection))
    numbers = choice.constants(unit, str(projection))
    execution = choose(choice.rule, numbers, dt, choice.execution)
    if execution == "per_sender":
        return SenderState(projection, synapses, target, numbers, dt, dtype)
    return PlasticState(projection, synapses, target, numbers, dt, dtype, block, execution)

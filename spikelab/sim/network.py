"""The network: what there is, what is recorded of it, and its runs on an engine."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from spikelab import registry
from spikelab.sim.checkpoint import restore_network, save_network
from spikelab.sim.choices import check_names
from spikelab.sim.declaration import Declaration
from spikelab.sim.distributions import values
from spikelab.sim.feeding import feed_initial_weights
from spikelab.sim.monitors import RateMonitor, SpikeMonitor, StateMonitor, WeightMonitor
from spikelab.sim.population import Group, Population
from spikelab.sim.projection import Projection
from spikelab.sim.units import si
from spikelab.sim.wiring.connectivity import Connectivity


class Network(Declaration):
    """Populations of neurons, their projections, what drives them and what is recorded.

    Build it, record, ``run``; run again to go on. Quantities are numbers in SI units, quantities with units
    (``20 * ms``) or text (``"20 ms"``). Between runs states and modulators can be set; parameters, inputs and weights
    stay as they were declared (a current that changes is a ``StepCurrent``).

    Args:
        dt: time step.
        seed: of everything that is random; the same seed gives the same results on any number of threads.
        dtype: "float64", or "float32" for half the memory and up to twice the speed.
        wire_at_once: False draws synapses only when they are needed, for networks too large for arrays, which the
            engine "nest" can wire by itself; mistakes in a projection are then found as late.

    Attributes:
        populations: by name.
        projections: in order of declaration.
        inputs: in order of declaration.
        monitors: in order of declaration.
    """

    # ---------------------------------------------------------------------------------------------- what is recorded

    def record_spikes(self, group: Population | Group, *, file: str | None = None) -> SpikeMonitor:
        """Records spikes; with ``file``, straight into an HDF5 file."""
        return self._record(SpikeMonitor(self._own(group, "record_spikes"), self.dt, file))

    def record_states(
        self, group: Population | Group, names: Sequence[str] | str, *, every: Any = None, file: str | None = None
    ) -> StateMonitor:
        """Records states of neurons at regular times, every step by default."""
        chosen, wanted = self._own(group, "record_states"), [names] if isinstance(names, str) else list(names)
        spec = chosen.population.neuron
        known = list(spec.state_names) if spec is not None else []
        check_names(dict.fromkeys(wanted), known, str(chosen), "state")
        return self._record(StateMonitor(chosen, wanted, self._steps(every, "every"), self.dt, file))

    def record_rate(self, group: Population | Group, *, every: Any = 1e-3, file: str | None = None) -> RateMonitor:
        """Records the mean rate of a group in bins."""
        return self._record(RateMonitor(self._own(group, "record_rate"), self._steps(every, "every"), self.dt, file))

    def record_weights(
        self, projection: Projection, *, every: Any, synapses: Any = None, file: str | None = None
    ) -> WeightMonitor:
        """Records weights of a plastic projection at regular times: of all synapses, or of those at given places.

        The first sample is at time 0, the weights as they begin.
        """
        count = self.synapses(projection).count
        if synapses is not None and projection.plasticity is not None and projection.plasticity.rewiring is not None:
            raise ValueError(f"{projection} is rewired, so its synapses have no fixed places; record all of them")
        chosen = np.arange(count) if synapses is None else np.atleast_1d(np.asarray(synapses, np.int64))
        if chosen.size and (chosen.min() < 0 or chosen.max() >= count):
            raise ValueError(f"{projection}: synapse {chosen.max()} does not exist; there are {count}")
        return self._record(WeightMonitor(projection, chosen, count, self._steps(every, "every"), self.dt, file))

    # ----------------------------------------------------------------------------------------------------- what runs

    def run(
        self,
        duration: Any,
        *,
        engine: str = "numba",
        threads: int | None = None,
        progress: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Simulates ``duration`` seconds more.

        An interruption (Ctrl-C) ends the run at the step that was reached, with everything recorded so far kept;
        another ``run`` goes on from there.

        Args:
            duration: biological time, rounded to whole steps.
            engine: who runs it (``spikelab.registry.names("engines")``); one network stays with one engine.
            threads: how many; by default as many as pay, up to the number of cores. Results do not depend on it.
            progress: whether to show a progress bar.
            options: of the engine, by name, at the first run; see its class. Only "nest" and "triton" have any.

        Returns:
            Figures of this run: seconds of build, compilation and simulation, spikes, synaptic events.
        """
        seconds = float(si(duration, "s", "duration"))
        if seconds < 0:
            raise ValueError(f"duration = {seconds:g} s must not be negative")
        simulation = self.engine(engine, options)
        for monitor in self.monitors:
            monitor.begin()
        feed_initial_weights(self, simulation.steps_done, simulation.weights)
        return simulation.run(round(seconds / self.dt), threads=threads, progress=progress)

    def engine(self, name: str = "numba", options: Mapping[str, Any] | None = None) -> Any:
        """The engine that holds this network's state, built at the first call."""
        if self._engine is None:
            make, given = registry.load("engines", name), dict(options or {})
            check_names(given, list(inspect.signature(make).parameters)[1:], f"engine {name!r}", "option")
            self._engine = make(self, **given)
            self._engine.name, self._engine.options = name, given
        elif self._engine.name != name:
            raise ValueError(f"this network runs on the engine {self._engine.name!r}; build it again for {name!r}")
        elif options is not None and dict(options) != self._engine.options:
            raise ValueError(
                f"options = {dict(options)}: this network runs with {self._engine.options}; build it again"
            )
        return self._engine

    @property
    def time(self) -> float:
        """Biological time that has been simulated, in seconds."""
        return 0.0 if self._engine is None else self._engine.steps_done * self.dt

    def state(self, group: Population | Group, name: str) -> np.ndarray:
        """A state of a group's neurons as it is now, float64 [neurons]; before the first run, as it starts."""
        chosen = self._with_state(group, name)
        values = self.engine(self._engine_name()).values(chosen.population.name, name)
        return np.array(values[chosen.first : chosen.first + chosen.size], float)

    def set_state(self, group: Population | Group, name: str, value: Any) -> None:
        """Gives a state of a group's neurons new values: one, or one for each."""
        chosen = self._with_state(group, name)
        assert chosen.population.neuron is not None
        unit = next(each.unit for each in chosen.population.neuron.states if each.name == name)
        found = values(value, unit, chosen.size, 0, f"{chosen}: {name}")
        self.engine(self._engine_name()).values(chosen.population.name, name)[
            chosen.first : chosen.first + chosen.size
        ] = found

    def weights(self, projection: Projection) -> np.ndarray:
        """The weights of a projection as they are now, float64 [synapses], in the order of ``synapses``; a copy.

        To go on with what was learned but without learning, or with other weights, build a network with the wiring
        ``Explicit(senders, targets)`` of ``synapses`` and give it the weights.
        """
        synapses = self.synapses(projection)
        now = synapses.weights if self._engine is None else self._engine.weights(projection.number)
        return np.array(np.broadcast_to(now, synapses.count), float)

    def connectivity(self, projection: Projection) -> Connectivity:
        """Who is connected now, in the order of ``weights``; ``synapses`` tells who was before any rewiring."""
        self._own_projection(projection)
        held = None if self._engine is None else getattr(self._engine, "projections", {}).get(projection.number)
        return getattr(held, "connectivity", self.synapses(projection).connectivity)

    def set_modulator(self, projection: Projection, value: float) -> None:
        """Sets the modulator of a plastic projection from now on, between two runs: a reward, a third factor.

        Raises:
            ValueError: if its rule has no modulator, or spikes drive it.
        """
        self._own_projection(projection)
        if projection.plasticity is None:
            raise ValueError(f"{projection} has no plasticity, so no modulator")
        self.engine(self._engine_name()).projections[projection.number].set_modulator(value)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the state of the run, and what monitors hold in memory, to an HDF5 file."""
        save_network(self, path, self._engine_name())

    def restore(self, path: str | os.PathLike[str]) -> None:
        """Goes on where a network that was built in the same way had been saved; ``run`` then gives the same results.

        Raises:
            CheckpointError: if the file is no checkpoint, or that of another network.
        """
        restore_network(self, path)

    def close(self) -> None:
        """Closes the files to which monitors stream; what they hold can still be read.

        A network closes also at the end of ``with sim.Network(...) as network:``.
        """
        for monitor in self.monitors:
            monitor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------------------- pieces

    def __repr__(self) -> str:
        neurons = sum(each.size for each in self.populations.values())
        return (
            f"<network of {len(self.populations)} populations ({neurons} neurons) and {len(self.projections)} "
            f"projections, at {self.time:g} s>"
        )

    def _engine_name(self) -> str:
        return "numba" if self._engine is None else str(self._engine.name)

    def _with_state(self, group: Population | Group, name: str) -> Group:
        chosen = self._own(group, "state")
        spec = chosen.population.neuron
        check_names({name: None}, list(spec.state_names) if spec is not None else [], str(chosen), "state")
        return chosen

    def _steps(self, time: Any, what: str) -> int:
        if time is None:
            return 1
        seconds = float(si(time, "s", what))
        steps = round(seconds / self.dt)
        if steps < 1 or abs(steps * self.dt - seconds) > 1e-6 * seconds:
            raise ValueError(f"{what} = {seconds:g} s must be a whole number of steps of {self.dt:g} s, at least one")
        return steps

    def _record(self, monitor: Any) -> Any:
        self.monitors.append(monitor)
        return monitor

"""Runs the kernels of one plastic projection on given spikes, without neurons."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from spikelab.sim.numba_engine.driver import Driver, Operations
from spikelab.sim.numba_engine.partition import bounds, padded
from spikelab.sim.numba_engine.plastic_state import plastic_state
from spikelab.sim.numba_engine.spike_log import SpikeLog
from spikelab.sim.plasticity.choice import Plasticity
from spikelab.sim.population import Group, Population
from spikelab.sim.projection import Projection, Synapses
from spikelab.sim.wiring.connectivity import Connectivity, target_dtype


@dataclass
class Case:
    """Synapses and spikes.

    Attributes:
        sizes: senders and targets.
        senders: of each synapse, ascending [K].
        targets: of each synapse, ascending for each sender [K].
        delays: steps, [K].
        weights: [K].
        pre: for each step, the senders that spike.
        post: for each step, the targets that spike.
        dt: time step.
    """

    sizes: tuple[int, int]
    senders: np.ndarray
    targets: np.ndarray
    delays: np.ndarray
    weights: np.ndarray
    pre: list[np.ndarray]
    post: list[np.ndarray]
    dt: float = 1e-4


def random_case(
    seed: int,
    steps: int,
    sizes=(7, 90),
    rate=0.02,
    delays=(3,),
    density=0.6,
    post_rate=None,
) -> Case:
    """Random wiring and spikes; the last sender never spikes, and some neurons have no synapse."""
    rng = np.random.default_rng(seed)
    wired = rng.random(sizes) < density
    if sizes[0] > 2:
        wired[1] = False
    senders, targets = np.nonzero(wired)
    pre = [np.flatnonzero(rng.random(sizes[0]) < rate) for _ in range(steps)]
    pre = [each[each < sizes[0] - 1] for each in pre]
    post = [np.flatnonzero(rng.random(sizes[1]) < (post_rate or rate)) for _ in range(steps)]
    count = senders.size
    return Case(sizes, senders, targets, rng.choice(delays, count), rng.uniform(0, 1, count), pre, post)


class HandDriven:
    """A plastic projection between two populations whose spikes are given.

    Args:
        case: synapses and spikes.
        choice: the rule.
        dtype: working precision.
        threads: how many.
        block: steps of a block, at most the shortest delay.
    """

    def __init__(self, case: Case, choice: Plasticity, dtype="float64", threads=1, block=None):
        senders, targets = case.sizes
        self.case, self.threads, self.now = case, threads, 0
        self.block = block or int(min(case.delays, default=1))
        self.driver = Driver()
        source = Population("senders", senders)
        population = Population("targets", targets, receptors={"current": "1"})
        starts = np.searchsorted(case.senders, np.arange(senders + 1))
        index = target_dtype(targets)
        connectivity = Connectivity(senders, targets, starts, case.targets.astype(index))
        delays = case.delays if np.unique(case.delays).size > 1 else int(case.delays[0]) if case.delays.size else 1
        # one slot more than the engine has: what arrives is read after the step, when later spikes are on their way
        self.ring = np.zeros((int(max(case.delays, default=1)) + 1, padded(targets)), dtype)
        target = SimpleNamespace(
            population=population, rings={"current": self.ring}, slots=self.ring.shape[0], most_in=lambda steps: steps
        )
        projection = Projection(
            0, Group(source, 0, senders), Group(population, 0, targets), None, "current", 0.5, 1, choice
        )
        synapses = Synapses(connectivity, case.weights, delays)
        self.state = plastic_state(projection, synapses, target, case.dt, np.dtype(dtype), self.block)
        steps = len(case.pre)
        self.logs = {}
        for name, size, spikes in (("senders", senders, case.pre), ("targets", targets, case.post)):
            log = SpikeLog(size, threads, steps, sum(map(len, spikes)) + 1)
            when = np.repeat(np.arange(steps), [len(each) for each in spikes])
            log.write(0, when, np.concatenate([np.zeros(0, np.int32), *spikes]).astype(np.int32), steps)
            self.logs[name] = log
        edges = bounds(targets, threads)
        self.advance = Operations([*self.state.before(edges, self.logs), *self.state.after(edges, self.logs)])
        self.deliver = Operations(self.state.deliver(edges, self.logs))

    def step(self) -> np.ndarray:
        """One step; returns what arrived at each target."""
        slot = self.now % self.ring.shape[0]
        self.run(1)
        arrived = self.ring[slot, : self.case.sizes[1]].copy()
        self.ring[slot] = 0
        return arrived

    def run(self, steps: int) -> None:
        """Several steps at once; what arrives is thrown away."""
        first, last = self.now, self.now + steps
        self.driver.run(self.advance, self.deliver, first, last, self.block, self.threads)
        self.now = last

    def variable(self, name: str) -> np.ndarray:
        """The present values of the weight or a variable, for each synapse."""
        if name == "w":
            return np.broadcast_to(self.state.weights(self.now), self.case.senders.size)
        return self.state.variable(name, self.now)

    def weights(self) -> np.ndarray:
        """The present weights."""
        return self.state.weights(self.now)

"""The networks in spikelab, which shares the conventions of networks.py; only units are translated to SI.

spikelab counts the step of the spike into the refractory time, which is one step longer here for it. Weights of plastic
synapses are depressed before they are sent, as NEST does; spikelab's own ``pair_stdp`` sends first.
"""

from __future__ import annotations

import time
from dataclasses import replace
from importlib import metadata
from typing import Any

import numpy as np

from benchmarks.simulation import microcircuit
from benchmarks.simulation.networks import Brunel, Cuba, Izhikevich, Microcircuit, Network, PairRule
from benchmarks.simulation.outcome import Outcome
from spikelab import sim
from spikelab.sim.distributions import Uniform
from spikelab.sim.plasticity.choice import Plasticity
from spikelab.sim.plasticity.pair_stdp import PairSTDP
from spikelab.sim.wiring import FixedInDegree, FixedOutDegree, FixedProbability

DTYPE = "float32"
MS, MV, PA, PF = 1e-3, 1e-3, 1e-12, 1e-12
_CAPACITANCE = 200 * PF
#: Plastic synapses whose weights are read at the end, about as many.
_SAMPLED = 200_000
_DEPRESSED_FIRST = replace(
    PairSTDP,
    name="pair_stdp_depressed_first",
    on_pre=("w = w - a_minus * w_max * y_post", "deliver w", "x_pre = x_pre + 1"),
)


def versions() -> dict[str, str]:
    """Of what computes."""
    numba = metadata.version("numba")
    return {"spikelab": metadata.version("spikelab"), "numba": numba, "numpy": np.__version__, "dtype": DTYPE}


class Running:
    """A network and its engine."""

    def __init__(self, network: Network, seed: int, duration: float, threads: int, settle: bool, outcome: Outcome):
        self.duration, self.outcome = duration, outcome
        # with more than one allowed, the engine takes as many as pay; the session's environment says how many there are
        self.threads = 1 if threads == 1 else None
        start = time.perf_counter()
        self.network = sim.Network(dt=network.dt * MS, seed=seed, dtype=DTYPE)
        build: Any = {Cuba: _cuba, Brunel: _brunel, Izhikevich: _izhikevich, Microcircuit: _microcircuit}[type(network)]
        # weights that are plastic, and what turns them into the unit of networks.py
        self.plastic, self.unit = build(self.network, network, np.random.default_rng(seed))
        self.spikes = self.network.record_spikes(self.network.populations["cells"])
        self.weights = None
        if self.plastic is not None and not settle:
            made = self.network.synapses(self.plastic)
            sampled = np.arange(0, made.count, max(1, made.count // _SAMPLED))
            self.started = made.weights if isinstance(made.weights, float) else made.weights[sampled].copy()
            self.weights = self.network.record_weights(self.plastic, every=duration * MS, synapses=sampled)
        self.started_s = time.perf_counter() - start

    def advance(self) -> None:
        """Simulates on."""
        found = self.network.run(self.duration * MS, threads=self.threads)
        if not self.outcome.wall_s:
            self.outcome.build_s = self.started_s + found["build_seconds"]
            self.outcome.compile_s = found["compile_seconds"]
        self.outcome.wall_s, self.outcome.cpu_s = found["run_seconds"], found["run_cpu_seconds"]

    def collect(self) -> None:
        """Reads spikes and weights."""
        self.outcome.times = self.spikes.times / MS
        self.outcome.neurons = self.spikes.neurons.astype(np.int64)
        if self.weights is not None:
            self.outcome.weight_change = (self.weights.weights[-1] - self.started) / self.unit


def prepare(network: Network, seed: int, duration: float, threads: int, settle: bool, outcome: Outcome) -> Running:
    """Builds the network; each ``advance`` goes on from the last."""
    return Running(network, seed, duration, threads, settle, outcome)


def _cuba(network: sim.Network, given: Cuba, generator: np.random.Generator) -> tuple[Any, float]:
    cells = network.population(
        "cells",
        given.excitatory + given.inhibitory,
        "lif_membrane",
        tau_mem=given.tau_mem * MS,
        capacitance=_CAPACITANCE,
        v_leak=given.rest * MV,
        v_threshold=given.threshold * MV,
        v_reset=given.reset * MV,
        refractory=(given.refractory + given.dt) * MS,
        receptors={
            "excitatory": sim.Receptor("exponential_current", tau_syn=given.tau_excitatory * MS),
            "inhibitory": sim.Receptor("exponential_current", tau_syn=given.tau_inhibitory * MS),
        },
        initial={"v": Uniform(given.reset * MV, given.threshold * MV)},
    )
    unit = _CAPACITANCE / (given.tau_mem * MS) * MV
    excitatory, inhibitory = cells[: given.excitatory], cells[given.excitatory :]
    wiring, delay = FixedProbability(given.probability), given.delay * MS
    plastic = network.projection(
        excitatory,
        cells,
        wiring,
        receptor="excitatory",
        weight=given.weight_excitatory * unit,
        delay=delay,
        plasticity=_plasticity(given.stdp, unit),
    )
    network.projection(
        inhibitory, cells, wiring, receptor="inhibitory", weight=given.weight_inhibitory * unit, delay=delay
    )
    return (plastic if given.stdp else None), unit


def _brunel(network: sim.Network, given: Brunel, generator: np.random.Generator) -> tuple[Any, float]:
    cells = network.population(
        "cells",
        given.excitatory + given.inhibitory,
        "lif_membrane",
        tau_mem=given.tau_mem * MS,
        v_leak=0.0,
        v_threshold=given.threshold * MV,
        v_reset=given.reset * MV,
        refractory=(given.refractory + given.dt) * MS,
        receptors={"spikes": sim.Receptor("delta")},
        initial={"v": Uniform(0.0, given.threshold * MV)},
    )
    excitatory, inhibitory = cells[: given.excitatory], cells[given.excitatory :]
    jump = given.weight_excitatory * MV
    common: dict[str, Any] = {"receptor": "spikes", "delay": given.delay * MS}
    wiring = FixedInDegree(given.in_excitatory)
    plastic = None
    if given.stdp:
        rule = _plasticity(given.stdp, MV)
        plastic = network.projection(excitatory, excitatory, wiring, weight=jump, plasticity=rule, **common)
        network.projection(excitatory, inhibitory, wiring, weight=jump, **common)
    else:
        network.projection(excitatory, cells, wiring, weight=jump, **common)
    wiring = FixedInDegree(given.in_inhibitory)
    network.projection(inhibitory, cells, wiring, weight=given.weight_inhibitory * MV, **common)
    network.input(cells, sim.PoissonInput(rate=given.input_rate, weight=jump), receptor="spikes")
    return plastic, MV


def _izhikevich(network: sim.Network, given: Izhikevich, generator: np.random.Generator) -> tuple[Any, float]:
    ne, ni = given.excitatory, given.inhibitory
    e, i = generator.random(ne), generator.random(ni)
    b = np.concatenate([np.full(ne, 0.2), 0.25 - 0.05 * i])
    cells = network.population(
        "cells",
        ne + ni,
        "izhikevich",
        a=np.concatenate([np.full(ne, 0.02), 0.02 + 0.08 * i]),
        b=b,
        c=np.concatenate([-65.0 + 15.0 * e**2, np.full(ni, -65.0)]),
        d=np.concatenate([8.0 - 6.0 * e**2, np.full(ni, 2.0)]),
        initial={"v": -65.0, "u": -65.0 * b},
        method="half_step_euler",
    )
    common: dict[str, Any] = {"receptor": "current", "delay": given.delay * MS}
    wiring = FixedOutDegree(given.out_degree)
    plastic = network.projection(
        cells[:ne],
        cells,
        wiring,
        weight=Uniform(0.0, given.weight_excitatory),
        plasticity=_plasticity(given.stdp, 1.0),
        **common,
    )
    network.projection(cells[ne:], cells, wiring, weight=Uniform(given.weight_inhibitory, 0.0), **common)
    network.input(cells[:ne], sim.NoiseCurrent(standard_deviation=given.noise_excitatory))
    network.input(cells[ne:], sim.NoiseCurrent(standard_deviation=given.noise_inhibitory))
    return (plastic if given.stdp else None), 1.0


def _microcircuit(network: sim.Network, given: Microcircuit, generator: np.random.Generator) -> tuple[Any, float]:
    found, mc = microcircuit.circuit(given.scale), microcircuit
    sizes = found.sizes
    cells = network.population(
        "cells",
        int(sizes.sum()),
        "lif_membrane",
        tau_mem=mc.TAU_MEM * MS,
        capacitance=mc.CAPACITANCE * PF,
        v_leak=mc.REST * MV,
        v_threshold=mc.THRESHOLD * MV,
        v_reset=mc.RESET * MV,
        refractory=(mc.REFRACTORY + given.dt) * MS,
        receptors={"synapses": sim.Receptor("exponential_current", tau_syn=mc.TAU_SYN * MS)},
        initial={"v": generator.normal(np.repeat(mc.START_MEAN, sizes), np.repeat(mc.START_SPREAD, sizes)) * MV},
        bias=np.repeat(found.constant, sizes) * PA,
    )
    wired = microcircuit.wire(found, given.dt, generator)
    network.projection(
        cells,
        cells,
        sim.Explicit(wired.senders, wired.targets),
        receptor="synapses",
        weight=wired.weights * PA,
        delay=wired.steps * given.dt * MS,
    )
    for first, last, rate in zip(found.starts[:-1], found.starts[1:], found.external_rate, strict=True):
        drive = sim.PoissonInput(rate=rate, weight=found.external_weight * PA)
        network.input(cells[int(first) : int(last)], drive, receptor="synapses")
    return None, PA


def _plasticity(rule: PairRule | None, unit: float) -> Plasticity | None:
    if rule is None:
        return None
    return Plasticity(
        _DEPRESSED_FIRST,
        tau_plus=rule.time_constant * MS,
        tau_minus=rule.time_constant * MS,
        a_plus=rule.step_up,
        a_minus=rule.step_down,
        w_max=rule.weight_max * unit,
    )

"""The networks in GeNN's CPU back end, with ``optimize_code`` (-O3 -ffast-math) and -march=native, in single precision.

How the conventions of networks.py are met:

* GeNN gives a spike the time at which the step began; its times are shifted by one step when read.
* A spike reaches its targets in the step after at the earliest, so an axonal delay is one step shorter than ours.
* Neurons are written here, with the exact solution of their linear equations, as GeNN's users write theirs; the
  built-in ``LIF`` with ``ExpCurr`` holds the current for a step. The refractory time counts steps.
* Poisson input is drawn in the neuron, by inversion: one uniform number a step (the built-in ``PoissonExp`` takes
  several).
* Plasticity keeps traces in neurons, as in GeNN's documentation. Which spikes a trace holds when it is read depends on
  the order of GeNN's kernels; ``_pair_model`` says how events of the same step are told apart.
"""

from __future__ import annotations

import os
import tempfile
import time
from functools import cache
from importlib import metadata
from math import exp
from typing import Any

import numpy as np
from pygenn import (
    GeNNModel,
    create_neuron_model,
    create_weight_update_model,
    init_postsynaptic,
    init_sparse_connectivity,
    init_var,
    init_weight_update,
)

from benchmarks.simulation import microcircuit
from benchmarks.simulation.networks import Brunel, Cuba, Izhikevich, Microcircuit, Network, PairRule
from benchmarks.simulation.outcome import Outcome

_SPARSE = "SPARSE"
_POISSON = """
scalar chance = none;
scalar sum = chance;
unsigned int arrivals = 0;
const scalar drawn = gennrand_uniform();
while (drawn > sum && arrivals < 40) {
    arrivals++;
    chance *= mean / arrivals;
    sum += chance;
}
"""
_HOLD = """
if (hold > 0) {
    hold -= 1;
}
else {
    V = next;
}
"""


def versions() -> dict[str, str]:
    """Of what computes."""
    return {"pygenn": metadata.version("pygenn"), "numpy": np.__version__}


class Running:
    """A compiled network. Keeps the model, to which populations refer weakly."""

    def __init__(self, network: Network, seed: int, duration: float, outcome: Outcome):
        self.network, self.outcome = network, outcome
        self.steps = round(duration / network.dt)
        # removed when the process ends
        self._temporary = tempfile.TemporaryDirectory(prefix="genn_")
        os.environ["CXX"] = "g++ -march=native"
        start = time.perf_counter()
        self.model = model = GeNNModel("float", "network", backend="single_threaded_cpu", optimize_code=True)
        model.dt = network.dt
        model.seed = seed
        model.fuse_postsynaptic_models = True
        model.default_narrow_sparse_ind_enabled = True
        build: Any = {Cuba: _cuba, Brunel: _brunel, Izhikevich: _izhikevich, Microcircuit: _microcircuit}[type(network)]
        self.populations, self.plastic, self.started = build(model, network, np.random.default_rng(seed))
        for population in self.populations:
            population.spike_recording_enabled = True
        described = time.perf_counter()
        model.build(self._temporary.name)
        compiled = time.perf_counter()
        model.load(num_recording_timesteps=self.steps)
        outcome.compile_s = compiled - described
        outcome.build_s = time.perf_counter() - compiled + described - start

    def advance(self) -> None:
        """Simulates on."""
        with self.outcome.simulating():
            for _ in range(self.steps):
                self.model.step_time()
            self.model.pull_recording_buffers_from_device()

    def collect(self) -> None:
        """Reads spikes and weights."""
        times, neurons, first = [], [], 0
        for population in self.populations:
            when, who = population.spike_recording_data[0]
            times.append(when + self.network.dt)
            neurons.append(who.astype(np.int64) + first)
            first += population.num_neurons
        self.outcome.times, self.outcome.neurons = np.concatenate(times), np.concatenate(neurons)
        if self.plastic:
            changes = []
            for synapses, before in zip(self.plastic, self.started, strict=True):
                synapses.vars["g"].pull_from_device()
                changes.append(synapses.vars["g"].values - before)
            self.outcome.weight_change = np.concatenate(changes)
        self.model.unload()


def prepare(network: Network, seed: int, duration: float, threads: int, settle: bool, outcome: Outcome) -> Running:
    """Builds and compiles; each ``advance`` goes on from the last. There is one thread at most."""
    if threads != 1:
        raise ValueError(f"threads = {threads}: GeNN's CPU back end has one thread")
    return Running(network, seed, duration, outcome)


def _cuba(model: Any, network: Cuba, generator: np.random.Generator) -> tuple[Any, ...]:
    decay, excitatory, inhibitory = (
        exp(-network.dt / tau) for tau in (network.tau_mem, network.tau_excitatory, network.tau_inhibitory)
    )
    neuron = create_neuron_model(
        "current_based",
        params=["rest", "threshold", "reset", "steps", "decay", "decayE", "decayI", "fromE", "fromI"],
        vars=[("V", "scalar"), ("E", "scalar"), ("I", "scalar"), ("hold", "int")],
        additional_input_vars=[("toE", "scalar", 0.0), ("toI", "scalar", 0.0)],
        sim_code="const scalar next = rest + (V - rest) * decay + E * fromE + I * fromI;"
        + _HOLD
        + "E = E * decayE + toE; I = I * decayI + toI;",
        threshold_condition_code="V >= threshold",
        reset_code="V = reset; hold = steps;",
    )
    parameters = {
        "rest": network.rest,
        "threshold": network.threshold,
        "reset": network.reset,
        "steps": round(network.refractory / network.dt),
        "decay": decay,
        "decayE": excitatory,
        "decayI": inhibitory,
        "fromE": _carried(network.dt, network.tau_mem, network.tau_excitatory),
        "fromI": _carried(network.dt, network.tau_mem, network.tau_inhibitory),
    }
    start = {"V": init_var("Uniform", {"min": network.reset, "max": network.threshold}), "E": 0.0, "I": 0.0, "hold": 0}
    cells = [
        model.add_neuron_population(name, size, neuron, parameters, start)
        for name, size in (("excitatory", network.excitatory), ("inhibitory", network.inhibitory))
    ]
    axonal = round(network.delay / network.dt) - 1
    wiring = init_sparse_connectivity("FixedProbability", {"prob": network.probability})
    plastic = []
    for source, weight, receptor in ((0, network.weight_excitatory, "toE"), (1, network.weight_inhibitory, "toI")):
        for target in range(2):
            rule = network.stdp if source == 0 else None
            name = f"{source}_{target}"
            added = _project(model, name, cells[source], cells[target], rule, weight, axonal, wiring, network.dt)
            added.post_target_var = receptor
            if rule is not None:
                plastic.append(added)
    return cells, plastic, [network.weight_excitatory] * 2


def _brunel(model: Any, network: Brunel, generator: np.random.Generator) -> tuple[Any, ...]:
    mean = network.input_rate * network.dt / 1e3
    neuron = create_neuron_model(
        "delta",
        params=["threshold", "reset", "steps", "decay", "jump", "mean", "none"],
        vars=[("V", "scalar"), ("hold", "int")],
        sim_code=_POISSON + "const scalar next = V * decay + Isyn + jump * arrivals;" + _HOLD,
        threshold_condition_code="V >= threshold",
        reset_code="V = reset; hold = steps;",
    )
    parameters = {
        "threshold": network.threshold,
        "reset": network.reset,
        "steps": round(network.refractory / network.dt),
        "decay": exp(-network.dt / network.tau_mem),
        "jump": network.weight_excitatory,
        "mean": mean,
        "none": exp(-mean),
    }
    start = {"V": init_var("Uniform", {"min": 0.0, "max": network.threshold}), "hold": 0}
    cells = [
        model.add_neuron_population(name, size, neuron, parameters, start)
        for name, size in (("excitatory", network.excitatory), ("inhibitory", network.inhibitory))
    ]
    axonal = round(network.delay / network.dt) - 1
    plastic = []
    for source, weight, degree in (
        (0, network.weight_excitatory, network.in_excitatory),
        (1, network.weight_inhibitory, network.in_inhibitory),
    ):
        wiring = init_sparse_connectivity("FixedNumberPreWithReplacement", {"num": degree})
        for target in range(2):
            rule = network.stdp if source == target == 0 else None
            name = f"{source}_{target}"
            added = _project(model, name, cells[source], cells[target], rule, weight, axonal, wiring, network.dt)
            if rule is not None:
                plastic.append(added)
    return cells, plastic, [network.weight_excitatory]


def _izhikevich(model: Any, network: Izhikevich, generator: np.random.Generator) -> tuple[Any, ...]:
    half = "V += 0.5 * (0.04 * V * V + 5.0 * V + 140.0 - U + x);"
    neuron = create_neuron_model(
        "izhikevich_2003",
        params=["noise"],
        vars=[(name, "scalar") for name in ("V", "U", "a", "b", "c", "d")],
        sim_code="const scalar x = Isyn + noise * gennrand_normal();" + half + half + "U += a * (b * V - U);",
        threshold_condition_code="V >= 30.0",
        reset_code="V = c; U += d;",
    )
    e, i = generator.random(network.excitatory), generator.random(network.inhibitory)
    values = (
        {"a": np.full(e.size, 0.02), "b": np.full(e.size, 0.2), "c": -65.0 + 15.0 * e**2, "d": 8.0 - 6.0 * e**2},
        {"a": 0.02 + 0.08 * i, "b": 0.25 - 0.05 * i, "c": np.full(i.size, -65.0), "d": np.full(i.size, 2.0)},
    )
    cells = [
        model.add_neuron_population(
            name, size, neuron, {"noise": noise}, {"V": -65.0, "U": -65.0 * given["b"], **given}
        )
        for name, size, noise, given in (
            ("excitatory", e.size, network.noise_excitatory, values[0]),
            ("inhibitory", i.size, network.noise_inhibitory, values[1]),
        )
    ]
    rule = network.stdp
    plastic, started = [], []
    for source, low, high in ((0, 0.0, network.weight_excitatory), (1, network.weight_inhibitory, 0.0)):
        count, total = cells[source].num_neurons, network.neurons
        targets = generator.integers(0, total, (count, network.out_degree))
        for target, first, last in ((0, 0, network.excitatory), (1, network.excitatory, total)):
            senders, columns = np.nonzero((targets >= first) & (targets < last))
            found = targets[senders, columns] - first
            order = np.lexsort((found, senders))
            weights = generator.uniform(low, high, found.size)
            update = rule if source == 0 else None
            name = f"{source}_{target}"
            added = _project(model, name, cells[source], cells[target], update, weights, 0, None, network.dt)
            added.set_sparse_connections(senders[order], found[order])
            if update is not None:
                plastic.append(added)
                started.append(weights.astype(np.float32))
    return cells, plastic, started


def _microcircuit(model: Any, network: Microcircuit, generator: np.random.Generator) -> tuple[Any, ...]:
    found, mc = microcircuit.circuit(network.scale), microcircuit
    neuron = create_neuron_model(
        "current_based_with_background",
        params=["rest", "threshold", "reset", "steps", "decay", "decayI", "fromI", "fromConstant", "jump"],
        vars=[(name, "scalar") for name in ("V", "I", "constant", "mean", "none")] + [("hold", "int")],
        sim_code=_POISSON
        + "const scalar next = rest + (V - rest) * decay + I * fromI + constant * fromConstant;"
        + _HOLD
        + "I = I * decayI + Isyn + jump * arrivals;",
        threshold_condition_code="V >= threshold",
        reset_code="V = reset; hold = steps;",
    )
    resistance = mc.TAU_MEM / mc.CAPACITANCE
    parameters = {
        "rest": mc.REST,
        "threshold": mc.THRESHOLD,
        "reset": mc.RESET,
        "steps": round(mc.REFRACTORY / network.dt),
        "decay": exp(-network.dt / mc.TAU_MEM),
        "decayI": exp(-network.dt / mc.TAU_SYN),
        "fromI": resistance * _carried(network.dt, mc.TAU_MEM, mc.TAU_SYN),
        "fromConstant": resistance * (1.0 - exp(-network.dt / mc.TAU_MEM)),
        "jump": found.external_weight,
    }
    sizes = found.sizes
    mean = np.repeat(found.external_rate * network.dt / 1e3, sizes)
    start = {
        "V": generator.normal(np.repeat(mc.START_MEAN, sizes), np.repeat(mc.START_SPREAD, sizes)),
        "I": 0.0,
        "constant": np.repeat(found.constant, sizes),
        "mean": mean,
        "none": np.exp(-mean),
        "hold": 0,
    }
    cells = model.add_neuron_population("cells", int(sizes.sum()), neuron, parameters, start)
    wired = microcircuit.wire(found, network.dt, generator)
    order = np.lexsort((wired.targets, wired.senders))
    update = init_weight_update(
        "StaticPulseDendriticDelay",
        {},
        {"g": wired.weights[order], "d": (wired.steps[order] - 1).astype(np.uint8)},
    )
    synapses = model.add_synapse_population("synapses", _SPARSE, cells, cells, update, init_postsynaptic("DeltaCurr"))
    synapses.set_sparse_connections(wired.senders[order], wired.targets[order])
    synapses.max_dendritic_delay_timesteps = int(wired.steps.max())
    return [cells], [], []


def _carried(dt: float, tau_mem: float, tau_syn: float) -> float:
    """What a synaptic potential of 1 at the start of a step adds to the membrane by its end."""
    return tau_syn / (tau_mem - tau_syn) * (exp(-dt / tau_mem) - exp(-dt / tau_syn))


def _project(
    model: Any,
    name: str,
    source: Any,
    target: Any,
    rule: PairRule | None,
    weight: Any,
    axonal: int,
    wiring: Any,
    dt: float,
) -> Any:
    """Adds synapses; without ``wiring`` the caller sets their indices. One weight for all where it is one number."""
    if rule is not None:
        update = _pair_rule(rule, weight, dt)
    elif isinstance(weight, float):
        update = init_weight_update("StaticPulseConstantWeight", {"g": weight})
    else:
        update = init_weight_update("StaticPulse", {}, {"g": weight})
    arguments = (name, _SPARSE, source, target, update, init_postsynaptic("DeltaCurr"))
    added = model.add_synapse_population(*arguments, *([wiring] if wiring is not None else []))
    added.axonal_delay_steps = axonal
    return added


def _pair_rule(rule: PairRule, weight: Any, dt: float) -> Any:
    decay = exp(-dt / rule.time_constant)
    parameters = {
        "up": rule.step_up * rule.weight_max,
        # the trace is that of the step before
        "down": rule.step_down * rule.weight_max * decay,
        "largest": rule.weight_max,
        "decay": decay,
    }
    return init_weight_update(_pair_model(), parameters, {"g": weight}, {"x": 0.0, "last": 0.0}, {"y": 0.0})


@cache
def _pair_model() -> Any:
    """Pair STDP with traces in neurons. Cached because GeNN does not keep what it is given alive.

    Before neurons are updated in step s, GeNN handles the senders' spikes that arrive in that step and the targets'
    spikes of step s - 1, with traces as they were after step s - 1. The sender's trace takes in spikes one step late,
    so that it does not hold what arrives in step s when the target's spike of step s - 1 reads it.
    """
    return create_weight_update_model(
        "axonal_pair_rule",
        params=["up", "down", "largest", "decay"],
        vars=[("g", "scalar")],
        pre_vars=[("x", "scalar"), ("last", "scalar")],
        post_vars=[("y", "scalar")],
        pre_spike_syn_code="g = fmax(g - down * y, 0.0); addToPost(g);",
        post_spike_syn_code="g = fmin(g + up * x, largest);",
        pre_spike_code="last = 1.0;",
        pre_dynamics_code="x = x * decay + last; last = 0.0;",
        post_spike_code="y += 1.0;",
        post_dynamics_code="y *= decay;",
    )

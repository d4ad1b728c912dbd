"""The networks in NEST, through PyNEST.

NEST defines the conventions of networks.py, so nothing is translated but units: iaf_psc_exp takes pA, and a capacitance
of 200 pF turns a jump of 1 mV (Vogels and Abbott's unit) into 200 / tau_mem pA. ``izhikevich`` runs with
``consistent_integration`` off, which is the published scheme of two half steps.

Only plasticity differs: NEST's delay lies between synapse and soma. A pair of spikes is as far apart as networks.py
says plus twice the delay. The areas of the windows are made the same. For the statistics, where the delay is many
steps, spikes wait in parrot neurons before they reach a plastic synapse, which leaves 0.2 ms; timed is NEST as it is.
In Izhikevich's network the delay is one step of 1 ms and stays what it is, which can be seen in the weights.
"""

from __future__ import annotations

import time
from math import exp
from typing import Any

import nest
import numpy as np

from benchmarks.simulation import microcircuit
from benchmarks.simulation.measures import pending_potentiation
from benchmarks.simulation.networks import Brunel, Cuba, Izhikevich, Microcircuit, Network, PairRule
from benchmarks.simulation.outcome import Outcome

_CAPACITANCE = 200.0
#: Reading every plastic weight takes NEST minutes and gigabytes; those of so many senders are a sample.
_SAMPLED_SENDERS = 200


def versions() -> dict[str, str]:
    """Of what computes."""
    return {"nest": nest.__version__, "numpy": np.__version__}


class Running:
    """A network in NEST's kernel."""

    def __init__(self, network: Network, seed: int, duration: float, threads: int, settle: bool, outcome: Outcome):
        self.network, self.duration, self.outcome = network, duration, outcome
        start = time.perf_counter()
        nest.set_verbosity("M_ERROR")
        nest.ResetKernel()
        nest.SetKernelStatus({"local_num_threads": threads, "resolution": network.dt, "rng_seed": seed})
        build: Any = {Cuba: _cuba, Brunel: _brunel, Izhikevich: _izhikevich, Microcircuit: _microcircuit}[type(network)]
        self.neurons = build(network, seed)
        # whose spikes the plastic synapses get, and how much of the delay these spikes have behind them
        self.senders, self.axonal = self.neurons, 0.0
        if isinstance(network, Brunel):
            self.senders, self.axonal = _connect_brunel(network, self.neurons, relayed=not settle)
        self.recorder = nest.Create("spike_recorder")
        nest.Connect(self.neurons, self.recorder)
        nest.Prepare()
        outcome.build_s = time.perf_counter() - start
        if network.stdp is not None:
            self.sampled = nest.GetConnections(self.senders[:_SAMPLED_SENDERS], self.neurons, synapse_model="pair_stdp")
            self.started = np.asarray(self.sampled.get("weight"))

    def advance(self) -> None:
        """Simulates on."""
        with self.outcome.simulating():
            nest.Run(self.duration)

    def collect(self) -> None:
        """Reads spikes and weights."""
        nest.Cleanup()
        events = self.recorder.get("events")
        self.outcome.times, self.outcome.neurons = events["times"], events["senders"] - self.neurons[0].global_id
        if self.network.stdp is not None:
            self.outcome.weight_change = self._weight_change(self.network.stdp)

    def _weight_change(self, rule: PairRule) -> np.ndarray:
        network = self.network
        assert isinstance(network, Cuba | Brunel | Izhikevich)
        read = self.sampled.get(["source", "target", "weight"])
        waiting = pending_potentiation(
            np.asarray(read["source"]) - self.senders[0].global_id,
            np.asarray(read["target"]) - self.neurons[0].global_id,
            self.outcome.times,
            self.outcome.neurons,
            rule.time_constant,
            (self.axonal, network.delay - self.axonal),
            nest.biological_time,
            len(self.neurons),
        )
        unit = _CAPACITANCE / network.tau_mem if isinstance(network, Cuba) else 1.0
        weights = np.asarray(read["weight"]) / unit + rule.weight_max * _raised(rule, network.dt) * waiting
        return np.minimum(weights, rule.weight_max) - self.started / unit


def prepare(network: Network, seed: int, duration: float, threads: int, settle: bool, outcome: Outcome) -> Running:
    """Builds the network; each ``advance`` goes on from the last."""
    return Running(network, seed, duration, threads, settle, outcome)


def _cuba(network: Cuba, seed: int) -> Any:
    pa = _CAPACITANCE / network.tau_mem
    neurons = nest.Create(
        "iaf_psc_exp",
        network.excitatory + network.inhibitory,
        {
            "C_m": _CAPACITANCE,
            "tau_m": network.tau_mem,
            "E_L": network.rest,
            "V_th": network.threshold,
            "V_reset": network.reset,
            "t_ref": network.refractory,
            "tau_syn_ex": network.tau_excitatory,
            "tau_syn_in": network.tau_inhibitory,
            "V_m": nest.random.uniform(network.reset, network.threshold),
        },
    )
    rule = {"rule": "pairwise_bernoulli", "p": network.probability}
    excitatory = _plastic(network.stdp, network.dt, network.weight_excitatory * pa, network.delay, pa)
    inhibitory = {"synapse_model": "static_synapse", "weight": network.weight_inhibitory * pa, "delay": network.delay}
    nest.Connect(neurons[: network.excitatory], neurons, rule, excitatory)
    nest.Connect(neurons[network.excitatory :], neurons, rule, inhibitory)
    return neurons


def _brunel(network: Brunel, seed: int) -> Any:
    neurons = nest.Create(
        "iaf_psc_delta",
        network.excitatory + network.inhibitory,
        {
            "C_m": _CAPACITANCE,
            "tau_m": network.tau_mem,
            "E_L": 0.0,
            "V_th": network.threshold,
            "V_reset": network.reset,
            "t_ref": network.refractory,
            "V_m": nest.random.uniform(0.0, network.threshold),
        },
    )
    return neurons


def _connect_brunel(network: Brunel, neurons: Any, relayed: bool) -> tuple[Any, float]:
    """Connects, and gives the senders of plastic synapses and their axonal delay.

    Args:
        network: its numbers.
        neurons: all.
        relayed: whether the spikes to plastic synapses wait in parrot neurons, which makes all of the delay but one
            step axonal. This network fires in waves, and where in a wave the window lies can be seen in the weights.
    """
    ne, weight, delay = network.excitatory, network.weight_excitatory, network.delay
    excitatory = {"rule": "fixed_indegree", "indegree": network.in_excitatory}
    inhibitory = {"rule": "fixed_indegree", "indegree": network.in_inhibitory}
    static = {"synapse_model": "static_synapse", "weight": weight, "delay": delay}
    senders, axonal = neurons[:ne], 0.0
    if network.stdp is not None and relayed:
        axonal = delay - network.dt
        senders = nest.Create("parrot_neuron", ne)
        nest.Connect(neurons[:ne], senders, "one_to_one", {"delay": axonal})
    plastic = _plastic(network.stdp, network.dt, weight, delay - axonal, 1.0)
    nest.Connect(senders, neurons[:ne], excitatory, plastic)
    nest.Connect(neurons[:ne], neurons[ne:], excitatory, static)
    nest.Connect(neurons[ne:], neurons, inhibitory, static | {"weight": network.weight_inhibitory})
    noise = nest.Create("poisson_generator", params={"rate": network.input_rate})
    nest.Connect(noise, neurons, "all_to_all", static)
    return senders, axonal


def _izhikevich(network: Izhikevich, seed: int) -> Any:
    generator = np.random.default_rng(seed)
    ne, ni = network.excitatory, network.inhibitory
    neurons = nest.Create("izhikevich", ne + ni, {"consistent_integration": False, "V_th": 30.0, "V_m": -65.0})
    e, i = generator.random(ne), generator.random(ni)
    b = np.concatenate([np.full(ne, 0.2), 0.25 - 0.05 * i])
    neurons.set(
        a=np.concatenate([np.full(ne, 0.02), 0.02 + 0.08 * i]),
        b=b,
        c=np.concatenate([-65.0 + 15.0 * e**2, np.full(ni, -65.0)]),
        d=np.concatenate([8.0 - 6.0 * e**2, np.full(ni, 2.0)]),
        U_m=-65.0 * b,
    )
    rule = {"rule": "fixed_outdegree", "outdegree": network.out_degree}
    upper = nest.random.uniform(0.0, network.weight_excitatory)
    lower = nest.random.uniform(network.weight_inhibitory, 0.0)
    static = {"synapse_model": "static_synapse", "weight": lower, "delay": network.delay}
    nest.Connect(neurons[:ne], neurons, rule, _plastic(network.stdp, network.dt, upper, network.delay, 1.0))
    nest.Connect(neurons[ne:], neurons, rule, static)
    for part, spread in ((neurons[:ne], network.noise_excitatory), (neurons[ne:], network.noise_inhibitory)):
        noise = nest.Create("noise_generator", params={"mean": 0.0, "std": spread, "dt": network.dt})
        nest.Connect(noise, part, "all_to_all", {"delay": network.delay})
    return neurons


def _microcircuit(network: Microcircuit, seed: int) -> Any:
    found, mc = microcircuit.circuit(network.scale), microcircuit
    neurons = nest.Create(
        "iaf_psc_exp",
        int(found.sizes.sum()),
        {
            "C_m": mc.CAPACITANCE,
            "tau_m": mc.TAU_MEM,
            "tau_syn_ex": mc.TAU_SYN,
            "tau_syn_in": mc.TAU_SYN,
            "E_L": mc.REST,
            "V_th": mc.THRESHOLD,
            "V_reset": mc.RESET,
            "t_ref": mc.REFRACTORY,
        },
    )
    starts = found.starts
    parts = [neurons[int(starts[n]) : int(starts[n + 1])] for n in range(8)]
    for n, part in enumerate(parts):
        part.set(I_e=found.constant[n], V_m=nest.random.normal(mc.START_MEAN[n], mc.START_SPREAD[n]))
        noise = nest.Create("poisson_generator", params={"rate": found.external_rate[n]})
        nest.Connect(noise, part, "all_to_all", {"weight": found.external_weight, "delay": mc.DELAY_EXTERNAL})
    for target in range(8):
        for source in range(8):
            if not found.synapses[target, source]:
                continue
            weight, delay = found.weights[target, source], found.delays[source]
            bounds = {"min": 0.0, "max": np.inf} if weight > 0 else {"min": -np.inf, "max": 0.0}
            spread = abs(weight) * mc.WEIGHT_SPREAD
            nest.Connect(
                parts[source],
                parts[target],
                {"rule": "fixed_total_number", "N": int(found.synapses[target, source])},
                {
                    "synapse_model": "static_synapse",
                    "weight": nest.math.redraw(nest.random.normal(weight, spread), **bounds),
                    # what rounds to no step at all is drawn again
                    "delay": nest.math.redraw(
                        nest.random.normal(delay, delay * mc.DELAY_SPREAD), min=0.5 * network.dt, max=np.inf
                    ),
                },
            )
    return neurons


def _raised(rule: PairRule, dt: float) -> float:
    """NEST ignores a pair that coincides, networks.py potentiates it: so the areas of the windows are the same."""
    return rule.step_up * exp(dt / rule.time_constant)


def _plastic(rule: PairRule | None, dt: float, weight: Any, delay: float, unit: float) -> dict[str, Any]:
    """The synapses of excitatory neurons; ``unit`` turns the rule's weights into NEST's."""
    if rule is None:
        return {"synapse_model": "static_synapse", "weight": weight, "delay": delay}
    # NEST keeps the trace of the target's spikes in the neuron, with a time constant that 20 ms is the default of
    assert rule.time_constant == nest.GetDefaults("iaf_psc_exp", "tau_minus")
    nest.CopyModel(
        "stdp_synapse",
        "pair_stdp",
        {
            "tau_plus": rule.time_constant,
            "lambda": _raised(rule, dt),
            "alpha": rule.step_down / _raised(rule, dt),
            "mu_plus": 0.0,
            "mu_minus": 0.0,
            "Wmax": rule.weight_max * unit,
        },
    )
    return {"synapse_model": "pair_stdp", "weight": weight, "delay": delay}

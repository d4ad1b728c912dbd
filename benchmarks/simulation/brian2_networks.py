"""The networks in Brian2, compiled by its C++ standalone mode with its default optimisation (-O3 -march=native).

How the conventions of networks.py are met:

* Brian2 gives a spike the time at which the step began, one step earlier; its times are shifted when read.
* A refractory time of n steps holds Brian2's membrane for n - 1 steps, so one step is added.
* Synaptic currents jump after the threshold of a step, as in NEST: delays are the same.
* Where spikes jump the membrane, synapses come before the threshold in the schedule, as in NEST; a spike is then
  delivered one step later, so the delay is one step shorter. "(unless refractory)" drops jumps while refractory.
* Izhikevich's step of two half steps is written as code that runs each step; what arrives in one step is the input of
  the next, so the delay of one step is Brian2's 0.
* ``PoissonInput`` draws from a binomial distribution; with a million trains of a low rate it is Poisson's.
* Plasticity is written with event-driven traces as Brian2's documentation does, but for Izhikevich's network: there
  spikes of one step coincide often, and traces kept by neurons say what each event sees.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import brian2
import numpy as np
from brian2 import (
    BrianLogger,
    NeuronGroup,
    PoissonInput,
    SpikeMonitor,
    Synapses,
    defaultclock,
    get_device,
    hertz,
    ms,
    prefs,
    set_device,
)
from brian2 import (
    seed as set_seed,
)

from benchmarks.simulation import microcircuit
from benchmarks.simulation.networks import Brunel, Cuba, Izhikevich, Microcircuit, Network, PairRule
from benchmarks.simulation.outcome import Outcome

_TRAINS = 1_000_000
_JUMP_BEFORE_THRESHOLD = ["start", "groups", "synapses", "thresholds", "resets", "end"]
_SYNAPSES_AFTER_RESET = ["start", "groups", "thresholds", "resets", "synapses", "end"]


def versions() -> dict[str, str]:
    """Of what computes."""
    return {"brian2": brian2.__version__, "numpy": np.__version__}


class Running:
    """A compiled program."""

    def __init__(self, network: Network, seed: int, duration: float, threads: int, settle: bool, outcome: Outcome):
        self.network, self.outcome = network, outcome
        BrianLogger.log_level_error()
        # removed when the process ends
        self._temporary = tempfile.TemporaryDirectory(prefix="brian2_")
        self.folder = Path(self._temporary.name)
        set_device("cpp_standalone", build_on_run=False)
        # 0 is one thread without OpenMP
        prefs.devices.cpp_standalone.openmp_threads = threads if threads > 1 else 0
        prefs.codegen.cpp.headers += ["<sys/resource.h>"]
        start = time.perf_counter()
        set_seed(seed)
        defaultclock.dt = network.dt * ms
        build: Any = {Cuba: _cuba, Brunel: _brunel, Izhikevich: _izhikevich, Microcircuit: _microcircuit}[type(network)]
        neurons, self.plastic, self.started, objects = build(network, np.random.default_rng(seed))
        self.spikes = SpikeMonitor(neurons)
        whole = brian2.Network(neurons, self.spikes, *objects)
        if isinstance(network, Brunel):
            whole.schedule = _JUMP_BEFORE_THRESHOLD
        elif isinstance(network, Izhikevich):
            whole.schedule = _SYNAPSES_AFTER_RESET
        described = time.perf_counter()
        device = get_device()
        device.insert_code("main", "_making = _wall() - _start;")
        if settle:
            whole.run(duration * ms)
        _insert_clocks(device, self.folder / "clocks.txt")
        whole.run(duration * ms)
        device.build(str(self.folder / "code"), compile=True, run=False, with_output=False)
        outcome.compile_s = time.perf_counter() - described
        self.described_s = described - start

    def advance(self) -> None:
        """Runs the program from its start."""
        get_device().run(with_output=False)
        numbers = [float(word) for word in (self.folder / "clocks.txt").read_text().split()]
        self.outcome.wall_s, self.outcome.cpu_s, making, before, peak = numbers
        self.outcome.build_s = self.described_s + making
        # of the program, whose whole memory is the network
        self.outcome.peak_extra_bytes = int(peak - before) << 10

    def collect(self) -> None:
        """Reads spikes and weights."""
        self.outcome.times = np.asarray(self.spikes.t / ms) + self.network.dt
        self.outcome.neurons = np.asarray(self.spikes.i).astype(np.int64)
        if self.plastic is not None:
            self.outcome.weight_change = np.asarray(self.plastic.w[:]) - self.started


def prepare(network: Network, seed: int, duration: float, threads: int, settle: bool, outcome: Outcome) -> Running:
    """Builds and compiles.

    A standalone program starts anew each time, so with ``settle`` it simulates the duration twice, and the second time
    counts.
    """
    return Running(network, seed, duration, threads, settle, outcome)


def _insert_clocks(device: Any, file: Path) -> None:
    """Has the compiled program measure wall and CPU time of the next run alone, and memory."""
    device.insert_code(
        "before_start",
        """
        auto _wall = []() {
            struct timespec now; clock_gettime(CLOCK_MONOTONIC, &now); return now.tv_sec + 1e-9 * now.tv_nsec;
        };
        auto _cpu = []() {
            struct rusage all; getrusage(RUSAGE_SELF, &all);
            return all.ru_utime.tv_sec + all.ru_stime.tv_sec + 1e-6 * (all.ru_utime.tv_usec + all.ru_stime.tv_usec);
        };
        // ru_maxrss would be that of the Python process that started this one
        auto _peak_kib = []() {
            std::ifstream status("/proc/self/status"); std::string word; long kib = 0;
            while (status >> word) if (word == "VmHWM:") { status >> kib; break; }
            return kib;
        };
        double _start = _wall(), _making = 0, _wall_run = 0, _cpu_run = 0; long _memory = _peak_kib();
        """,
    )
    device.insert_code("before_network_run", "_wall_run = _wall(); _cpu_run = _cpu();")
    device.insert_code(
        "after_network_run",
        f"""
        _wall_run = _wall() - _wall_run; _cpu_run = _cpu() - _cpu_run;
        std::ofstream _file("{file}"); _file.precision(9);
        _file << _wall_run << " " << _cpu_run << " " << _making << " " << _memory << " " << _peak_kib();
        """,
    )


def _cuba(network: Cuba, generator: np.random.Generator) -> tuple[Any, ...]:
    n, rule = network.excitatory + network.inhibitory, network.stdp
    neurons = NeuronGroup(
        n,
        """
        dv/dt = (rest - v + excitation + inhibition) / tau_mem : 1 (unless refractory)
        dexcitation/dt = -excitation / tau_excitatory : 1
        dinhibition/dt = -inhibition / tau_inhibitory : 1
        """,
        threshold="v >= threshold",
        reset="v = reset",
        refractory=(network.refractory + network.dt) * ms,
        method="exact",
        namespace={
            "rest": network.rest,
            "tau_mem": network.tau_mem * ms,
            "tau_excitatory": network.tau_excitatory * ms,
            "tau_inhibitory": network.tau_inhibitory * ms,
            "threshold": network.threshold,
            "reset": network.reset,
        },
    )
    neurons.v = f"{network.reset} + rand() * {network.threshold - network.reset}"
    delay = network.delay * ms
    if rule is None:
        excitatory = Synapses(
            neurons[: network.excitatory],
            neurons,
            on_pre=f"excitation_post += {network.weight_excitatory}",
            delay=delay,
        )
    else:
        excitatory = _plastic(neurons[: network.excitatory], neurons, "excitation_post", rule, delay)
    inhibitory = Synapses(
        neurons[network.excitatory :], neurons, on_pre=f"inhibition_post += {network.weight_inhibitory}", delay=delay
    )
    excitatory.connect(p=network.probability)
    inhibitory.connect(p=network.probability)
    if rule is None:
        return neurons, None, None, (excitatory, inhibitory)
    excitatory.w = network.weight_excitatory
    return neurons, excitatory, network.weight_excitatory, (excitatory, inhibitory)


def _brunel(network: Brunel, generator: np.random.Generator) -> tuple[Any, ...]:
    ne, ni, rule = network.excitatory, network.inhibitory, network.stdp
    neurons = NeuronGroup(
        ne + ni,
        "dv/dt = -v / tau_mem : 1 (unless refractory)",
        threshold="v >= threshold",
        reset="v = reset",
        refractory=(network.refractory + network.dt) * ms,
        method="exact",
        namespace={"tau_mem": network.tau_mem * ms, "threshold": network.threshold, "reset": network.reset},
    )
    neurons.v = f"rand() * {network.threshold}"
    delay = (network.delay - network.dt) * ms
    jump = f"v_post += {network.weight_excitatory}"
    noise = PoissonInput(neurons, "v", _TRAINS, network.input_rate / _TRAINS * hertz, network.weight_excitatory)
    inhibitory = Synapses(neurons[ne:], neurons, on_pre=f"v_post += {network.weight_inhibitory}", delay=delay)
    _connect(inhibitory, _fixed_in_degree(generator, ni, ne + ni, network.in_inhibitory))
    if rule is None:
        excitatory = Synapses(neurons[:ne], neurons, on_pre=jump, delay=delay)
        _connect(excitatory, _fixed_in_degree(generator, ne, ne + ni, network.in_excitatory))
        return neurons, None, None, (excitatory, inhibitory, noise)
    # in this schedule the targets' spikes of a step are handled in the next, before what arrives there
    plastic = _plastic(
        neurons[:ne], neurons[:ne], "v_post", rule, delay, float(np.exp(-network.dt / rule.time_constant))
    )
    plastic.post.order = plastic.pre.order - 1
    _connect(plastic, _fixed_in_degree(generator, ne, ne, network.in_excitatory))
    plastic.w = network.weight_excitatory
    frozen = Synapses(neurons[:ne], neurons[ne:], on_pre=jump, delay=delay)
    _connect(frozen, _fixed_in_degree(generator, ne, ni, network.in_excitatory))
    return neurons, plastic, network.weight_excitatory, (plastic, frozen, inhibitory, noise)


def _izhikevich(network: Izhikevich, generator: np.random.Generator) -> tuple[Any, ...]:
    ne, ni, rule = network.excitatory, network.inhibitory, network.stdp
    # a neuron's trace of its earlier spikes, and whether it spikes now
    traces = "trace : 1\nnow : 1\n" if rule else ""
    neurons = NeuronGroup(
        ne + ni,
        "v : 1\nu : 1\na : 1\nb : 1\nc : 1\nd : 1\nnoise : 1\narrived : 1\n" + traces,
        threshold="v >= 30",
        reset="v = c\nu += d" + ("\nnow = 1" if rule else ""),
    )
    e, i = generator.random(ne), generator.random(ni)
    b = np.concatenate([np.full(ne, 0.2), 0.25 - 0.05 * i])
    neurons.a = np.concatenate([np.full(ne, 0.02), 0.02 + 0.08 * i])
    neurons.b = b
    neurons.c = np.concatenate([-65.0 + 15.0 * e**2, np.full(ni, -65.0)])
    neurons.d = np.concatenate([8.0 - 6.0 * e**2, np.full(ni, 2.0)])
    neurons.v = -65.0
    neurons.u = -65.0 * b
    neurons.noise = np.concatenate([np.full(ne, network.noise_excitatory), np.full(ni, network.noise_inhibitory)])
    step = """
        x = arrived + noise * randn()
        v += 0.5 * (0.04 * v**2 + 5 * v + 140 - u + x)
        v += 0.5 * (0.04 * v**2 + 5 * v + 140 - u + x)
        u += a * (b * v - u)
        arrived = 0
        """
    if rule:
        decay = float(np.exp(-network.dt / rule.time_constant))
        step += f"""
        trace = (trace + now) * {decay!r}
        now = 0
        """
    neurons.run_regularly(step, dt=network.dt * ms, when="groups")
    deliver = "arrived_post += w"
    targets = generator.integers(0, ne + ni, (ne + ni) * network.out_degree).astype(np.int32)
    split = ne * network.out_degree
    senders = np.repeat(np.arange(ne + ni, dtype=np.int32), network.out_degree)
    weights = np.concatenate(
        [
            generator.uniform(0.0, network.weight_excitatory, split),
            generator.uniform(network.weight_inhibitory, 0.0, len(targets) - split),
        ]
    )
    if rule is None:
        synapses = Synapses(neurons, neurons, "w : 1", on_pre=deliver)
        _connect(synapses, (senders, targets))
        synapses.w = weights
        return neurons, None, None, (synapses,)
    # a spike arrives in the step after: after the target's spike of its own step, before that of the next
    down, up = rule.step_down * rule.weight_max * decay, rule.step_up * rule.weight_max / decay
    plastic = Synapses(
        neurons[:ne],
        neurons,
        "w : 1",
        on_pre=f"w = clip(w - {down!r} * (trace_post + now_post), 0, {rule.weight_max!r})\n" + deliver,
        on_post=f"w = clip(w + {up!r} * trace_pre, 0, {rule.weight_max!r})",
    )
    plastic.post.order = plastic.pre.order - 1
    _connect(plastic, (senders[:split], targets[:split]))
    plastic.w = weights[:split]
    inhibitory = Synapses(neurons[ne:], neurons, "w : 1", on_pre=deliver)
    _connect(inhibitory, (senders[split:] - ne, targets[split:]))
    inhibitory.w = weights[split:]
    return neurons, plastic, weights[:split], (plastic, inhibitory)


def _microcircuit(network: Microcircuit, generator: np.random.Generator) -> tuple[Any, ...]:
    found, mc = microcircuit.circuit(network.scale), microcircuit
    neurons = NeuronGroup(
        int(found.sizes.sum()),
        """
        dv/dt = (rest - v + resistance * (current + constant)) / tau_mem : 1 (unless refractory)
        dcurrent/dt = -current / tau_syn : 1
        constant : 1 (constant)
        """,
        threshold="v >= threshold",
        reset="v = reset",
        refractory=(mc.REFRACTORY + network.dt) * ms,
        method="exact",
        namespace={
            "rest": mc.REST,
            "resistance": mc.TAU_MEM / mc.CAPACITANCE,
            "tau_mem": mc.TAU_MEM * ms,
            "tau_syn": mc.TAU_SYN * ms,
            "threshold": mc.THRESHOLD,
            "reset": mc.RESET,
        },
    )
    neurons.v = generator.normal(np.repeat(mc.START_MEAN, found.sizes), np.repeat(mc.START_SPREAD, found.sizes))
    neurons.constant = np.repeat(found.constant, found.sizes)
    starts = found.starts
    noise = [
        PoissonInput(
            neurons[int(starts[n]) : int(starts[n + 1])],
            "current",
            _TRAINS,
            found.external_rate[n] / _TRAINS * hertz,
            found.external_weight,
        )
        for n in range(8)
    ]
    wired = microcircuit.wire(found, network.dt, generator)
    order = np.argsort(wired.senders, kind="stable")
    synapses = Synapses(neurons, neurons, "w : 1", on_pre="current_post += w")
    _connect(synapses, (wired.senders[order], wired.targets[order]))
    synapses.w = wired.weights[order]
    synapses.delay = wired.steps[order] * network.dt * ms
    return neurons, None, None, (synapses, *noise)


def _plastic(senders: Any, targets: Any, variable: str, rule: PairRule, delay: Any, late: float = 1.0) -> Any:
    """Pair STDP as in Brian2's documentation, but depressed before it is sent.

    Where spikes of targets are handled a step after they happen, traces have decayed once too often when read at a
    target's spike, and once too little when read at a sender's: ``late`` is that decay, else 1.
    """
    down, up = rule.step_down * rule.weight_max * late, rule.step_up * rule.weight_max / late
    return Synapses(
        senders,
        targets,
        """
        w : 1
        dx/dt = -x / tau : 1 (event-driven)
        dy/dt = -y / tau : 1 (event-driven)
        """,
        on_pre=f"""
        x += 1
        w = clip(w - {down!r} * y, 0, {rule.weight_max!r})
        {variable} += w
        """,
        on_post=f"""
        y += 1
        w = clip(w + {up!r} * x, 0, {rule.weight_max!r})
        """,
        delay=delay,
        namespace={"tau": rule.time_constant * ms},
    )


def _fixed_in_degree(
    generator: np.random.Generator, sources: int, targets: int, degree: int
) -> tuple[np.ndarray, np.ndarray]:
    senders = generator.integers(0, sources, targets * degree).astype(np.int32)
    # grouped by sender, so that a spike walks through memory in order
    order = np.argsort(senders, kind="stable")
    return senders[order], np.repeat(np.arange(targets, dtype=np.int32), degree)[order]


def _connect(synapses: Any, pairs: tuple[np.ndarray, np.ndarray]) -> None:
    synapses.connect(i=pairs[0], j=pairs[1])

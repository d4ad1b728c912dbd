"""What is simulated, as numbers: every simulator builds its network from these records. Needs NumPy only.

Times are in ms, potentials and jumps of potentials in mV, rates in Hz.

Conventions, which the adapters translate into those of their simulator:

* A neuron that crosses threshold while the step from t to t + dt is integrated spikes at t + dt.
* A spike at time s raises synaptic currents at s + delay. Where it jumps the membrane itself, the jump belongs to the
  step that ends at s + delay, comes after the leak and before the threshold, and is lost in a refractory neuron.
* After a spike the membrane is held for refractory / dt whole steps; synaptic currents go on decaying.

Plasticity: when a sender's spike arrives at a synapse, the weight is first depressed by the target's trace, then sent;
when the target spikes, it is potentiated by the trace of what has arrived. Within a step arrivals come before the
target's own spike, so a pair that coincides there potentiates with the full trace.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

#: Statistics leave out what happens before so many ms.
WARM_UP = 200.0


@dataclass(frozen=True)
class PairRule:
    """Additive all-to-all pair STDP with hard bounds 0 and ``weight_max``.

    Attributes:
        weight_max: upper bound.
        step_up: by which a spike of the target raises the weight, times the sender's trace, as a fraction of
            ``weight_max``. Each trace rises by 1 at a spike.
        step_down: by which a sender's spike lowers the weight, times the target's trace, as such a fraction.
        time_constant: of both traces.
    """

    weight_max: float
    step_up: float = 0.005
    step_down: float = 0.00525
    time_constant: float = 20.0


@dataclass(frozen=True)
class Cuba:
    """Current-based network of Vogels and Abbott (2005) as in the benchmark of Brette et al. (2007).

    v' = (rest - v + i_excitatory + i_inhibitory) / tau_mem, each i decaying with its own time constant; v starts
    uniform in [reset, threshold], the currents at 0. Every pair is connected with ``probability``, a neuron to itself
    too. ``stdp`` acts on the synapses of excitatory neurons.
    """

    delay: float
    stdp: PairRule | None = None
    dt: float = 0.1
    excitatory: int = 3200
    inhibitory: int = 800
    probability: float = 0.02
    tau_mem: float = 20.0
    tau_excitatory: float = 5.0
    tau_inhibitory: float = 10.0
    rest: float = -49.0
    threshold: float = -50.0
    reset: float = -60.0
    refractory: float = 5.0
    weight_excitatory: float = 1.62
    weight_inhibitory: float = -9.0


@dataclass(frozen=True)
class Brunel:
    """Balanced network after Brunel (2000): delta synapses, g = 5, eta = 2.

    v' = -v / tau_mem; v starts uniform in [0, threshold]. Each neuron draws ``in_excitatory`` excitatory and
    ``in_inhibitory`` inhibitory senders, with replacement, itself included. Each gets a Poisson train of its own of
    ``input_rate`` with the excitatory weight. ``stdp`` acts on the synapses from excitatory to excitatory neurons.
    """

    stdp: PairRule | None = None
    dt: float = 0.1
    excitatory: int = 8000
    inhibitory: int = 2000
    in_excitatory: int = 800
    in_inhibitory: int = 200
    tau_mem: float = 20.0
    threshold: float = 20.0
    reset: float = 0.0
    refractory: float = 2.0
    weight_excitatory: float = 0.1
    weight_inhibitory: float = -0.5
    delay: float = 1.5
    input_rate: float = 20_000.0


@dataclass(frozen=True)
class Izhikevich:
    """Network of Izhikevich (2003) with sparse wiring.

    One step of 1 ms: the input is that of the spikes of the step before, plus noise of standard deviation
    ``noise_excitatory`` or ``noise_inhibitory``; two half steps of v; one step of u with the new v; then the threshold
    of 30 mV. Excitatory neurons have a = 0.02, b = 0.2, c = -65 + 15 r^2, d = 8 - 6 r^2, inhibitory ones
    a = 0.02 + 0.08 r, b = 0.25 - 0.05 r, c = -65, d = 2, with r uniform in [0, 1]; v starts at -65, u at b v. Each
    neuron has ``out_degree`` random targets, drawn with replacement. ``stdp`` acts on the synapses of excitatory
    neurons.
    """

    neurons: int
    stdp: PairRule | None = None
    dt: float = 1.0
    out_degree: int = 100
    weight_excitatory: float = 3.0
    weight_inhibitory: float = -6.0
    noise_excitatory: float = 5.0
    noise_inhibitory: float = 2.0
    delay: float = 1.0

    @property
    def excitatory(self) -> int:
        """Four in five."""
        return self.neurons * 4 // 5

    @property
    def inhibitory(self) -> int:
        """One in five."""
        return self.neurons - self.excitatory


@dataclass(frozen=True)
class Microcircuit:
    """Potjans and Diesmann (2014), with numbers of neurons and in-degrees scaled; see microcircuit.py."""

    scale: float = 0.1
    dt: float = 0.1
    stdp: None = None


Network = Cuba | Brunel | Izhikevich | Microcircuit

_IZHIKEVICH_RULE = PairRule(weight_max=3.0, step_up=0.02, step_down=0.021)

NETWORKS: dict[str, Network] = {
    "cuba": Cuba(delay=0.1),
    "cuba_delay": Cuba(delay=1.5),
    "cuba_stdp": Cuba(delay=0.1, stdp=PairRule(weight_max=2 * 1.62, step_up=0.02, step_down=0.021)),
    "brunel": Brunel(),
    "brunel_stdp": Brunel(stdp=PairRule(weight_max=0.2)),
    "izhikevich_1000": Izhikevich(1000),
    "izhikevich_10000": Izhikevich(10_000),
    "izhikevich_1000_stdp": Izhikevich(1000, stdp=_IZHIKEVICH_RULE),
    "izhikevich_10000_stdp": Izhikevich(10_000, stdp=_IZHIKEVICH_RULE),
    "microcircuit": Microcircuit(),
}


def without_stdp(network: Network) -> Network:
    """The same network with frozen weights."""
    return replace(network, stdp=None)

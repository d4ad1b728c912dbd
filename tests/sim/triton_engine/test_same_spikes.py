"""Every kind of neuron, receptor, input, source and synapse: spikes identical to those of the engine "numba", float64.

The networks are small and the runs short: the interpreter takes some milliseconds a step. That they spike enough to
tell something is asserted.
"""

import numpy as np
import pytest

pytest.importorskip("triton", reason="Triton is not installed: pip install 'spikelab[cuda]'")

from spikelab import registry, sim
from spikelab.sim import Network, Receptor
from spikelab.sim.triton_engine.device import INTERPRETED

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("device")]

MS = 1e-3


def same(build, seconds, *, fewest=1, tolerance=1e-12, **of_network):
    """Runs what ``build`` adds to a network on both engines and compares all that monitors hold."""
    found = []
    for engine in ("numba", "triton"):
        network = Network(**{"dt": 1e-4, "seed": 3, **of_network})
        build(network)
        for population in network.populations.values():
            network.record_spikes(population)
        for population in network.populations.values():
            if population.neuron is not None:
                network.record_states(population, population.neuron.state_names, every=5 * network.dt)
        figures = network.run(seconds, engine=engine, threads=1)
        found.append((network, figures))
    (numba, expected), (triton, figures) = found
    assert figures["spikes"] == expected["spikes"] >= fewest
    for one, other in zip(numba.monitors, triton.monitors, strict=True):
        for (name, a), (_, b) in zip(sorted(one.saved().items()), sorted(other.saved().items()), strict=True):
            if a.dtype.kind == "f":
                scale = max(1.0, np.abs(a).max()) if tolerance > 1e-9 else np.abs(a).max(initial=1e-30)
                np.testing.assert_allclose(b, a, rtol=0, atol=tolerance * scale, err_msg=f"{one.group}: {name}")
            else:
                np.testing.assert_array_equal(b, a, err_msg=f"{one.group}: {name}")
    return numba, triton


RECEPTORS = {
    "delta": (Receptor("delta"), 0.5),
    "exponential_current": (Receptor("exponential_current", tau_syn=5 * MS), 1.5),
    "alpha_current": (Receptor("alpha_current", tau_syn=3 * MS), 1.5),
    "exponential_conductance": (Receptor("exponential_conductance", tau_syn=5 * MS, reversal=4.0), 0.5),
    "alpha_conductance": (Receptor("alpha_conductance", tau_syn=2 * MS, reversal=4.0), 0.5),
    "current": (None, 60.0),
}


def test_these_are_all_receptors():
    assert set(registry.names("receptors")) | {"current"} == set(RECEPTORS)


@pytest.mark.parametrize("receptor", RECEPTORS)
def test_receptors(receptor):
    made, weight = RECEPTORS[receptor]

    def build(network):
        cells = network.population(
            "cells",
            70,
            "lif",
            refractory=1 * MS,
            tau_mem=sim.Uniform(10 * MS, 20 * MS),
            receptors={"synapse": made} if made else None,
            initial={"v": sim.Uniform(0.0, 1.0)},
            bias=2.0,
        )
        name = "synapse" if made else "current"
        network.projection(cells, cells, sim.FixedProbability(0.2), receptor=name, weight=weight / 14, delay=0.3 * MS)

    same(build, 10 * MS, fewest=20)


#: Neuron -> what makes it spike within some ms, and in what steps.
NEURONS = {
    "if": (dict(bias=200.0), 1e-4),
    "lif": (dict(bias=3.0), 1e-4),
    "cuba_lif": (dict(bias=3.0), 1e-4),
    "li": (dict(bias=3.0), 1e-4),
    "cuba_li": (dict(bias=3.0), 1e-4),
    "integrator": (dict(bias=3.0), 1e-4),
    "adaptive_lif": (dict(bias=4.0), 1e-4),
    "adex": (dict(bias=2e-9), 1e-4),
    "izhikevich": (dict(bias=15.0), 1e-3),
    "lif_membrane": (dict(bias=2e-9), 1e-4),
    "exponential_lif": (dict(bias=2e-9), 1e-4),
    "quadratic_lif": (dict(bias=2e-9), 1e-4),
    "hodgkin_huxley": (dict(bias=2e-9), 2e-5),
    "resonate_and_fire": (dict(bias=300.0), 1e-4),
}


def test_these_are_all_neurons():
    assert set(registry.names("neurons")) == set(NEURONS)


@pytest.mark.parametrize("neuron", NEURONS)
def test_neurons(neuron):
    settings, dt = NEURONS[neuron]

    def build(network):
        network.population("cells", 3, neuron, **settings)

    spikes = registry.load("neurons", neuron).spikes
    # one ulp of an exponential grows on the way to a spike
    same(build, 250 * dt, fewest=3 if spikes else 0, tolerance=1e-8, dt=dt)


def test_inputs_of_all_kinds():
    def build(network):
        cells = network.population(
            "cells",
            131,
            "lif",
            refractory=1 * MS,
            receptors={"excitatory": Receptor("exponential_current", tau_syn=2 * MS)},
        )
        network.input(cells, sim.NoiseCurrent(standard_deviation=9.0, mean=4.0))
        network.input(cells[65:130], sim.NoiseCurrent(np.linspace(0.0, 9.0, 65), mean=0.1))
        network.input(cells[3:71], sim.StepCurrent([1 * MS, 3 * MS], [3.0, -0.5]))
        network.input(cells[:2], sim.StepCurrent([0.0, 2 * MS, 4 * MS], [[1.0, 2.0], [3.0, 0.0], [0.0, 9.0]]))
        network.input(cells[:0], sim.StepCurrent([0.0], [3.0]))
        network.input(cells[1:], sim.PoissonInput(rate=500.0, weight=0.8), receptor="excitatory")
        network.input(cells, sim.PoissonInput(rate=8000.0, weight=sim.Uniform(0.0, 0.1)), receptor="excitatory")
        network.input(
            cells[20:100], sim.PoissonInput(rate=np.geomspace(10.0, 2e5, 80), weight=0.01), receptor="excitatory"
        )
        network.input(cells[100:], sim.PoissonInput(rate=np.linspace(0.0, 300.0, 31), weight=0.5), receptor="current")

    same(build, 6 * MS, fewest=30)


def test_sources_of_all_kinds():
    rng = np.random.default_rng(0)
    times, neurons = rng.uniform(1e-6, 9 * MS, 400), rng.integers(0, 150, 400)
    # one neuron three times in a step, as an event camera does
    times[:3], neurons[:3] = 5.05 * MS, 149

    def build(network):
        names = {
            "one_rate": (130, sim.PoissonSource(rate=300.0)),
            "own_rates": (5, sim.PoissonSource(rate=np.linspace(0.0, 1e4, 5))),
            "course": (3, sim.PoissonSource([[2000.0], [0.0], [4000.0]], bin_width=1 * MS)),
            "courses": (2, sim.PoissonSource([[2000.0, 0.0], [0.0, 5000.0]], bin_width=2 * MS)),
            "given": (150, sim.SpikeArray(times, neurons)),
            "silent": (4, sim.SpikeArray([], np.zeros(0, int))),
        }
        cells = network.population("cells", 9, "integrator", receptors={"jump": Receptor("delta")})
        for name, (size, source) in names.items():
            made = network.source(name, size, source)
            network.projection(made, cells, sim.AllToAll(), receptor="jump", weight=0.25, delay=0.2 * MS)

    numba, triton = same(build, 8 * MS, fewest=400)
    assert triton.time == numba.time == pytest.approx(8 * MS)


WIRED = {
    "one weight, one delay": dict(weight=0.4, delay=0.5 * MS),
    "own weights": dict(weight=sim.Normal(0.4, 0.2), delay=0.5 * MS),
    "own delays": dict(weight=0.4, delay=sim.Uniform(0.1 * MS, 2 * MS)),
    "both": dict(weight=sim.Normal(0.4, 0.2), delay=sim.Uniform(0.2 * MS, 2 * MS)),
    "long delays": dict(weight=0.4, delay=sim.Choice([0.3 * MS, 30 * MS])),
}


@pytest.mark.parametrize("kind", WIRED)
def test_synapses(kind):
    def build(network):
        cells = network.population(
            "cells",
            129,
            "lif",
            receptors={"synapse": Receptor("exponential_current", tau_syn=2 * MS)},
            initial={"v": sim.Uniform(0.0, 1.0)},
            bias=2.0,
        )
        network.projection(cells[:100], cells[7:], sim.FixedOutDegree(40), receptor="synapse", **WIRED[kind])
        network.projection(cells[100:], cells, sim.FixedProbability(0.1), receptor="synapse", weight=-1.0)

    same(build, 8 * MS, fewest=20)


@pytest.mark.parametrize("targets", [3, 70_000])
def test_both_widths_of_the_numbers_of_targets(targets):
    def build(network):
        source = network.source("source", 3, sim.SpikeArray([1 * MS, 1 * MS, 2 * MS], [0, 1, 2]))
        cells = network.population("cells", targets, "integrator", receptors={"jump": Receptor("delta")})
        last = targets - 1
        wiring = sim.Explicit([0, 1, 1, 2], [last, last, 0, 1])
        network.projection(source, cells, wiring, receptor="jump", weight=[1.0, 0.5, 2.0, 4.0])

    _, triton = same(build, 3 * MS, fewest=3, dt=1 * MS)
    cells = triton.populations["cells"]
    assert triton.state(cells, "v")[[0, 1, targets - 1]].tolist() == [2.0, 4.0, 1.5]


@pytest.mark.parametrize("size", [0, 1, 127, 128, 130])
def test_sizes(size):
    def build(network):
        one = network.population("one", size, "lif", bias=50.0, receptors={"jump": Receptor("delta")})
        other = network.population("other", 2, "lif", bias=40.0, receptors={"jump": Receptor("delta")})
        network.projection(one, other, sim.AllToAll(), receptor="jump", weight=-0.001)
        network.projection(other, one, sim.AllToAll(), receptor="jump", weight=0.01)
        network.input(one, sim.NoiseCurrent(1.0))

    same(build, 3 * MS, fewest=2)


def test_nothing_at_all():
    network = Network(dt=1e-3)
    assert network.run(0.1, engine="triton")["spikes"] == 0
    assert network.time == pytest.approx(0.1)


def test_single_precision():
    """The draws are the same, so a short run is as well, to rounding."""

    def build(network):
        cells = network.population(
            "cells", 100, "lif", receptors={"e": Receptor("exponential_current", tau_syn=2 * MS)}, refractory=1 * MS
        )
        network.projection(cells, cells, sim.FixedProbability(0.1), receptor="e", weight=sim.Normal(0.3, 0.1))
        network.input(cells, sim.NoiseCurrent(9.0, mean=4.0))
        network.input(cells, sim.PoissonInput(rate=1000.0, weight=0.5), receptor="e")

    same(build, 5 * MS, fewest=30, tolerance=1e-5, dtype="float32")


@pytest.mark.shared
def test_stored_network_with_delays(shared):
    """The stored network that the engine "numba" reproduces spike for spike; in the interpreter, its beginning."""
    files = sorted((shared / "data" / "reference_sims").glob("cuba_net*.npz"))
    if not files:
        pytest.skip(f"no cuba_net*.npz in {shared}/data/reference_sims")
    for file in files:
        with np.load(file) as stored:
            steps = min(400, stored["t_ms"].size) if INTERPRETED else stored["t_ms"].size
            network = Network(dt=1e-4)
            cells = network.population(
                "cells",
                stored["v0"].size,
                "lif",
                tau_mem=20 * MS,
                v_leak=-49.0,
                v_threshold=-50.0,
                v_reset=-60.0,
                refractory=5 * MS,
                receptors={
                    "excitatory": Receptor("exponential_current", tau_syn=5 * MS),
                    "inhibitory": Receptor("exponential_current", tau_syn=10 * MS),
                },
                initial={"v": stored["v0"]},
            )
            count = int(stored["n_exc"])
            for group, receptor, weight in [(cells[:count], "excitatory", 1.62), (cells[count:], "inhibitory", -9.0)]:
                mine = (stored["src"] >= group.first) & (stored["src"] < group.first + group.size)
                wiring = sim.Explicit(stored["src"][mine].astype(int) - group.first, stored["dst"][mine].astype(int))
                delay = stored["delay_ms"][mine] * 1e-3
                network.projection(group, cells, wiring, receptor=receptor, weight=weight, delay=delay)
            spikes = network.record_spikes(cells)
            network.run(steps * 1e-4, engine="triton")
            ours = sorted(zip(np.round(spikes.times * 1e4).astype(int) - 1, spikes.neurons.tolist(), strict=True))
            when = np.round(stored["spike_times_ms"] * 10).astype(int)
            theirs = [each for each in zip(when, stored["spike_ids"].tolist(), strict=True) if each[0] < steps]
            assert len(theirs) > 50
            assert ours == sorted(theirs), file

"""What NEST cannot express is refused before anything runs: the message names it and says what to do."""

import sys

import numpy as np
import pytest

from spikelab import sim
from spikelab.neurons.receptor import ReceptorModel
from spikelab.neurons.spec import NeuronSpec, State
from spikelab.sim import Network, Receptor
from spikelab.sim.nest_engine.support import NotSupported
from spikelab.sim.plasticity.choice import Plasticity

EXPONENTIAL = {"receptors": {"a": Receptor("exponential_current"), "b": Receptor("exponential_current")}}


def refused(network, match, **options):
    with pytest.raises(NotSupported, match=match):
        network.run(1e-3, engine="nest", options=options or None)


def with_cells(neuron="lif_membrane", dt=1e-4, **more):
    network = Network(dt=dt, seed=1)
    return network, network.population("cells", 4, neuron, **more)


OWN = NeuronSpec(
    name="own",
    title="Own",
    states=(State("v", "V", "x * 1e9 - v / 0.01", "membrane"),),
    parameters=(),
    source="here",
    input_unit="A",
    gate="v - 0.02",
    resets={"value": "0"},
)
ODD = ReceptorModel(
    name="odd",
    title="Odd",
    arrival="s",
    unit="input",
    source="here",
    states=(State("s", "input", "-s / 0.01", "s"),),
    current="s",
)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (dict(neuron="cuba_lif"), "population cells: NEST has no neuron 'cuba_lif': .*take a lif with"),
        (dict(neuron="hodgkin_huxley"), "hh_psc_alpha"),
        (dict(neuron=OWN), "NEST has no neuron 'own'.*lif_membrane.*engine='numba'"),
        (dict(receptors={"odd": Receptor(ODD)}), "NEST has no neuron 'lif_membrane_with_odd'"),
        (
            dict(neuron="izhikevich"),
            "method 'semi_implicit_euler' of izhikevich .* method='euler' or 'half_step_euler'",
        ),
        (dict(neuron="izhikevich", method="euler", refractory=2e-3), "no refractory time"),
        (dict(neuron="izhikevich", method="euler", time_unit=2e-3), "time_unit must be 1 ms"),
        (dict(method="euler"), "method 'euler'"),
        (dict(reset="subtract"), "cannot reset by 'subtract'"),
        (dict(neuron="lif", r=-1.0), "r must be above 0"),
        (dict(receptors={"a": Receptor("delta"), "b": Receptor("alpha_current")}), "kinds alpha_current and delta"),
        (
            dict(receptors={name: Receptor("exponential_conductance", reversal=0.0) for name in "abc"}),
            "two places for spikes, and there are 3 receptors",
        ),
        (dict(initial={"i_a": 1e-12}, **EXPONENTIAL), "cannot be given a starting value of 'i_a'"),
        (dict(v_threshold=-70e-3), "NEST refuses this network: .*[Rr]eset"),
        (dict(dt=1.5e-6), "no multiple of 1 us"),
    ],
    ids=str,
)
def test_populations(arguments, match):
    network, _ = with_cells(**arguments)
    refused(network, match)


def test_receptors_that_signs_cannot_tell_apart():
    network, cells = with_cells("adex", **EXPONENTIAL)
    for receptor in "ab":
        network.projection(cells, cells, sim.AllToAll(), receptor=receptor, weight=sim.Normal(0, 1e-12))
    refused(network, "tells its two receptors apart by the sign")


def test_a_spike_that_is_an_input_for_one_step():
    network, cells = with_cells(**EXPONENTIAL)
    network.projection(cells, cells, sim.AllToAll(), receptor="current", weight=1e-12)
    refused(network, "knows no spike that is an input for one step")


def test_negative_conductances():
    network, cells = with_cells(receptors={"g": Receptor("exponential_conductance")})
    # no engine takes them, so the network does not either, unless it leaves the wiring to NEST
    with pytest.raises(ValueError, match="weight -1e-09 is a conductance, which is never negative"):
        network.projection(cells, cells, sim.AllToAll(), receptor="g", weight=-1e-9)


@pytest.mark.parametrize(
    ("rule", "parameters", "match"),
    [
        ("triplet_stdp", dict(w_max=1e-9), "plasticity 'triplet_stdp' in NEST: .* take one of pair_stdp"),
        ("pair_stdp", dict(w_max=1e-9, a_plus=0.0), "a_plus = 0 must be above 0"),
        (
            "pair_stdp",
            dict(w_max=1e-9, rewiring=sim.Rewiring(interval=1e-2, below=1e-12, weight=2e-12)),
            "NEST has no rewiring",
        ),
    ],
)
def test_plasticity(rule, parameters, match):
    network, cells = with_cells(**EXPONENTIAL)
    network.projection(
        cells, cells, sim.AllToAll(), receptor="a", weight=1e-12, plasticity=Plasticity(rule, **parameters)
    )
    refused(network, match)


def test_what_nest_cannot_draw():
    def projection(wiring, weight=1e-12):
        network, cells = with_cells(positions=np.zeros((4, 2)), **EXPONENTIAL)
        network.projection(cells, cells, wiring, receptor="a", weight=weight)
        return network

    refused(projection(sim.DistanceDependent("gaussian", 1.0)), "no counterpart of the rule Distance", wiring="rules")
    refused(projection(sim.FixedTotalNumber(5, allow_multapses=False)), "may always draw a pair twice", wiring="rules")
    refused(
        projection(sim.AllToAll(), sim.Choice([1e-12, 2e-12])), "no counterpart of the distribution", wiring="rules"
    )
    network = projection(sim.FixedProbability(0.5))
    network.record_weights(network.projections[0], every=1e-3)
    refused(network, "record_weights of projection 0 .*: NEST drew its synapses", wiring="rules")
    with pytest.raises(ValueError, match=r"wiring='file': takes 'arrays' or 'rules'"):
        projection(sim.AllToAll()).run(1e-3, engine="nest", options={"wiring": "file"})
    with pytest.raises(ValueError, match="engine 'nest' has no option 'wires'; did you mean 'wiring'"):
        projection(sim.AllToAll()).run(1e-3, engine="nest", options={"wires": "file"})
    with pytest.raises(ValueError, match="engine 'numba' has no option 'wiring'"):
        projection(sim.AllToAll()).run(1e-3, options={"wiring": "rules"})


def test_dales_law_holds_for_what_nest_draws():
    network = Network(wire_at_once=False)
    cells = network.population("cells", 4, "lif_membrane", sign="excitatory", **EXPONENTIAL)
    network.projection(cells, cells, sim.AllToAll(), receptor="a", weight=sim.Normal(1e-12, 1e-12))
    refused(network, "excitatory population.*Dale", wiring="rules")


def test_states_that_nest_does_not_tell():
    network, cells = with_cells(receptors={"a": Receptor("alpha_current")})
    network.record_states(cells, ["rise_a"])
    refused(network, "does not tell 'rise_a'; it has v, i_a")
    network, cells = with_cells(**EXPONENTIAL)
    network.run(1e-3, engine="nest")
    with pytest.raises(NotSupported, match="'i_a' of NEST's iaf_psc_exp cannot be read; record it"):
        network.state(cells, "i_a")
    network.record_states(cells, ["v"])
    refused(network, "before the first run")


def test_nest_cannot_save(tmp_path):
    network, _ = with_cells()
    network.run(1e-3, engine="nest")
    with pytest.raises(NotSupported, match="NEST cannot save"):
        network.save(tmp_path / "state.h5")


def test_a_missing_nest_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "nest", None)
    network, _ = with_cells()
    with pytest.raises(ImportError, match=r"pip install 'spikelab\[nest\]'"):
        network.run(1e-3, engine="nest")

"""What cannot be simulated is refused, with the name of the thing, the value and the remedy."""

import h5py
import numpy as np
import pytest

from spikelab import sim
from spikelab.sim import Network, Receptor, ms, mV, pA


@pytest.fixture
def network():
    network = Network(dt=0.1 * ms)
    network.population(
        "cells", 20, "lif", receptors={"input": Receptor("exponential_current")}, sign="excitatory", v_threshold=1.0
    )
    network.population("others", 10, "lif", sign="inhibitory")
    network.source("spikes", 5, sim.SpikeArray([1e-3], [0]))
    return network


def connect(network, source="cells", target="cells", wiring=None, **options):
    options = {"receptor": "input", "weight": 0.1, "delay": 1e-3, **options}
    wiring = wiring or sim.FixedProbability(0.5)
    return network.projection(network.populations[source], network.populations[target], wiring, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delay": -1 * ms}, r"projection 0 \(cells to cells\): delay -0\.001 s is negative"),
        ({"delay": 0.05 * ms}, r"delay 5e-05 s is below the time step of 0\.0001 s"),
        ({"delay": 0.0}, r"delay 0 s is below the time step"),
        ({"delay": 0.25 * ms}, r"delay 0\.00025 s is no whole number of steps of 0\.0001 s"),
        ({"delay": sim.Uniform(-1 * ms, 1 * ms)}, r"is negative|below the time step"),
        ({"delay": float("nan")}, "delay.*nan"),
        ({"delay": 1e9}, r"more than 65536 steps"),
        ({"delay": 3 * mV}, "delay.*s"),
        ({"weight": float("nan")}, "weight.*nan"),
        ({"weight": float("inf")}, "weight.*inf"),
        ({"weight": -0.1}, r"weight -0\.1 of an excitatory population.*Dale"),
        ({"weight": sim.Normal(0.1, 1.0)}, r"of an excitatory population"),
        ({"weight": 3 * pA}, "weight"),
        ({"weight": "much"}, "weight.*much"),
        ({"receptor": "outout"}, r"cells has no receptor 'outout'.*Known: current, input"),
        ({"target": "spikes"}, "spikes is a source of spikes; nothing can arrive there"),
        ({"source": "others", "weight": 0.1}, "of an inhibitory population"),
        ({"weight": np.ones(7)}, "7"),
    ],
)
def test_projections(network, options, message):
    with pytest.raises(ValueError, match=message):
        connect(network, **options)
    assert network.projections == [], "what was refused is not in the network"


def test_more_synapses_than_can_be_numbered():
    network = Network()
    large = network.population("large", 60_000, "if")
    with pytest.raises(ValueError, match=r"60000 to 60000 neurons makes 3\.6e\+09 synapses, more than the 2147483647"):
        network.projection(large, large, sim.AllToAll(), receptor="current", weight=1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tau_mem": float("nan")}, "new: tau_mem.*nan"),
        ({"tau_mem": np.array([1.0, np.nan])}, "new: tau_mem.*nan"),
        ({"tau_mem": -1 * ms}, r"new: tau_mem = -0\.001 s \(membrane time constant\) must be finite and > 0"),
        ({"tau_mem": sim.Uniform(-1 * ms, 1 * ms)}, r"must be finite and > 0"),
        ({"tau_mem": np.ones(3)}, "3"),
        ({"tau_men": 1 * ms}, r"no parameter 'tau_men'; did you mean 'tau_mem'\?"),
        ({"initial": {"w": 1.0}}, "no state 'w'"),
        ({"initial": {"v": np.inf}}, "initial v.*inf"),
        ({"refractory": -1 * ms}, r"refractory = -0\.001 s must not be negative"),
        ({"bias": 5 * pA}, "bias"),
        ({"sign": "exciting"}, "sign 'exciting'"),
        ({"receptors": {"current": Receptor("delta")}}, "'current' is always there"),
        ({"positions": np.zeros((3, 2))}, r"positions of shape \(3, 2\); takes \[2,"),
    ],
)
def test_populations(options, message):
    network = Network()
    with pytest.raises(ValueError, match=message):
        network.population("new", 2, "lif", **options)
    assert not network.populations


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("two words", 1, "population name 'two words'"),
        ("cells", 1, "there is a population 'cells' already"),
        ("new", -1, "new: size -1"),
        ("new", 2.5, "new: size 2.5"),
        ("new", 2**31, "from 0 to 2147483647"),
    ],
)
def test_names_and_sizes(network, name, size, message):
    with pytest.raises(ValueError, match=message):
        network.population(name, size, "lif")


def test_unknown_models(network):
    with pytest.raises(KeyError, match="unknown name 'liff'; did you mean 'lif'"):
        network.population("new", 1, "liff")
    with pytest.raises(KeyError, match="did you mean 'exponential_current'"):
        Receptor("exponential_curent")
    with pytest.raises(ValueError, match="receptor exponential_current has no parameter 'tau'"):
        Receptor("exponential_current", tau=1.0)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (sim.SpikeArray([0.0], [0]), "new: a spike at 0 s; the first step ends at dt"),
        (sim.SpikeArray([1e-3], [3]), "new: neuron 3 does not exist; the population has 3"),
        (sim.SpikeArray([1e-3, 2e-3], [0]), r"\(2,\) times but \(1,\) neurons"),
        (sim.SpikeArray([1e-3], [0.5]), "whole numbers"),
        (sim.SpikeArray([np.nan], [0]), "nan"),
        (sim.PoissonSource(-1.0), "rate -1 Hz must lie between 0 and 1 / dt"),
        (sim.PoissonSource(1e6), "rate 1e.06 Hz must lie between 0 and 1 / dt"),
        (sim.PoissonSource([1.0, 2.0]), "rates for 2 neurons, the population has 3"),
        (sim.PoissonSource([[1.0]]), "a time course needs bin_width"),
        (sim.PoissonSource([[1.0]], bin_width=0.15e-3), "whole number of steps"),
    ],
)
def test_sources(source, message):
    with pytest.raises(ValueError, match=message):
        Network(dt=1e-4).source("new", 3, source)


@pytest.mark.parametrize(
    ("input", "receptor", "message"),
    [
        (sim.PoissonInput(1.0, 1.0), "outout", "no receptor 'outout'"),
        (sim.NoiseCurrent(1.0), "input", "is a current; it cannot act on the receptor 'input'"),
        (sim.PoissonInput(-1.0, 1.0), "input", r"input 0 \(PoissonInput into cells\): rate = -1 Hz"),
        (sim.PoissonInput(1e12, 1.0), "input", "rate = 1e.12 Hz in steps of 0.0001 s"),
        (sim.PoissonInput(1.0, np.nan), "input", "weight.*nan"),
        (sim.NoiseCurrent(-1.0), "current", "standard_deviation = -1 must not be negative"),
        (sim.StepCurrent([1.0, 0.5], [1.0, 2.0]), "current", "times must ascend"),
        (sim.StepCurrent([0.0], [1.0, 2.0]), "current", "1 times but 2 values"),
        (sim.StepCurrent([0.0], [[1.0, 2.0]]), "current", r"takes \[times\] or \[times, 20 neurons\]"),
    ],
)
def test_inputs(network, input, receptor, message):
    with pytest.raises(ValueError, match=message):
        network.input(network.populations["cells"], input, receptor=receptor)
    assert network.inputs == []


def test_monitors(network):
    cells = network.populations["cells"]
    with pytest.raises(ValueError, match=r"cells has no state 'u'; did you mean|cells has no state 'u'; Known: "):
        network.record_states(cells, "u")
    with pytest.raises(ValueError, match="has no state 'v'; it has none at all"):
        network.record_states(network.populations["spikes"], "v")
    with pytest.raises(ValueError, match=r"every = 0\.00025 s must be a whole number of steps"):
        network.record_states(cells, "v", every=0.25e-3)
    other = Network().population("cells", 3, "lif")
    with pytest.raises(ValueError, match="belongs to another network"):
        network.record_spikes(other)
    with pytest.raises(ValueError, match="belongs to another network"):
        network.projection(other, cells, sim.AllToAll(), receptor="input", weight=1.0)
    projection = connect(network)
    with pytest.raises(ValueError, match=r"synapse 100000 does not exist"):
        network.record_weights(projection, every=1e-3, synapses=[100000])


def test_a_network_that_runs_takes_nothing_more(network):
    network.run(1e-3)
    with pytest.raises(RuntimeError, match="already runs"):
        network.population("late", 1, "lif")
    with pytest.raises(RuntimeError, match="already runs"):
        connect(network)
    with pytest.raises(ValueError, match="runs on the engine 'numba'"):
        network.run(1e-3, engine="event_driven")


@pytest.mark.parametrize(
    "options", [{"dt": 0.0}, {"dt": -1.0}, {"dt": float("nan")}, {"dtype": "float16"}, {"seed": -1}]
)
def test_networks(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}"):
        Network(**options)


def test_runs(network):
    with pytest.raises(ValueError, match="duration"):
        network.run(-1.0)
    with pytest.raises(ValueError, match="duration"):
        network.run(float("nan"))
    with pytest.raises(ValueError, match="threads = 0"):
        network.run(1e-3, threads=0)


def test_groups_are_contiguous_ranges(network):
    cells = network.populations["cells"]
    assert (cells[5:].first, cells[5:].size, cells[5:][2:4].first) == (5, 15, 7)
    assert cells[-3:].first == 17
    with pytest.raises(ValueError, match="contiguous range"):
        cells[::2]
    with pytest.raises(TypeError, match="takes a range"):
        cells[3]


def test_what_belongs_to_another_network_is_refused_everywhere(network):
    other = Network(dt=0.1 * ms)
    cells = other.population("cells", 7, "lif")
    own = connect(network)
    theirs = other.projection(cells, cells, sim.AllToAll(), receptor="current", weight=7.0)
    for use in (
        lambda: network.input(cells, sim.NoiseCurrent(1.0)),
        lambda: network.state(cells, "v"),
        lambda: network.set_state(cells, "v", 1.0),
        lambda: network.weights(theirs),
        lambda: network.synapses(theirs),
        lambda: network.connectivity(theirs),
        lambda: network.set_modulator(theirs, 1.0),
    ):
        with pytest.raises(ValueError, match="belongs to another network"):
            use()
    assert network.weights(own).size


def test_things_of_another_kind_are_told_apart(network):
    cells = network.populations["cells"]
    with pytest.raises(TypeError, match="takes a PoissonInput, NoiseCurrent or StepCurrent, got PoissonSource"):
        network.input(cells, sim.PoissonSource(1.0))
    with pytest.raises(TypeError, match="got str"):
        network.input(cells, "poisson")
    with pytest.raises(TypeError, match="a source is a PoissonSource or a SpikeArray, got PoissonInput"):
        network.source("new", 3, sim.PoissonInput(1.0, 1.0))
    with pytest.raises(TypeError, match=r"receptors takes name -> sim\.Receptor"):
        network.population("new", 3, "lif", receptors=[Receptor("delta")])
    with pytest.raises(TypeError, match="got int"):
        network.weights(0)


def test_a_conductance_is_never_negative():
    network = Network()
    cells = network.population(
        "cells",
        5,
        "lif_membrane",
        sign="inhibitory",
        receptors={"gaba": Receptor("exponential_conductance", reversal=-80 * mV)},
    )
    common = {"receptor": "gaba", "delay": 1 * ms}
    network.projection(cells, cells, sim.AllToAll(), weight=3e-9, **common)
    with pytest.raises(ValueError, match="weight -3e-09 is a conductance, which is never negative"):
        network.projection(cells, cells, sim.AllToAll(), weight=-3e-9, **common)
    with pytest.raises(ValueError, match="is a conductance, which is never negative"):
        network.input(cells, sim.PoissonInput(10.0, -3e-9), receptor="gaba")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Network(dt=0.1), r"dt = 0\.1 s is unusually large; .* SI units"),
        (lambda: Network().population("a", 2, "lif_membrane", v_leak=-65.0), "a: v_leak = 65 V is unusually large"),
        (
            lambda: Network().population("a", 2, "lif_membrane", refractory=2.0),
            "a: refractory = 2 s is unusually large",
        ),
    ],
)
def test_numbers_that_were_meant_in_other_units_are_told(make, message):
    with pytest.warns(UserWarning, match=message):
        make()


def test_a_unit_of_the_wrong_case_is_told():
    with pytest.raises(ValueError, match=r"bias = '16\.2 pa' must be .*did you mean 16\.2 pA\?"):
        Network().population("a", 2, "lif_membrane", bias="16.2 pa")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "eulr"}, "a: unknown method 'eulr'"),
        ({"reset": "sub"}, "a: lif_membrane has no reset 'sub'"),
        ({"v_reset": -40 * mV}, "a: v_reset = -40 mV lies above v_threshold"),
        ({"v_reset": [-60 * mV, -40 * mV]}, "a: v_reset = -40 mV lies above v_threshold"),
    ],
)
def test_what_would_only_show_in_the_run_shows_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        Network().population("a", 2, "lif_membrane", **options)


def test_poisson_spikes_need_a_receptor_where_there_is_a_choice(network):
    drive = sim.PoissonInput(rate=10.0, weight=0.1)
    with pytest.raises(ValueError, match="receptor='current' or 'input'"):
        network.input(network.populations["cells"], drive)
    assert network.input(network.populations["others"], drive).receptor == "current"


def test_a_weight_is_only_left_out_where_the_wiring_brings_one(network):
    with pytest.raises(ValueError, match="weight is missing"):
        connect(network, weight=None)
    matrix = np.array([[0.0, 0.5], [0.25, 0.0]])
    cells = network.populations["cells"]
    made = network.projection(cells[:2], cells[2:4], sim.FromMatrix(matrix), receptor="input")
    assert network.weights(made).tolist() == [0.5, 0.25]


def test_parameters_stay_what_the_network_was_built_with():
    tau_mem = np.array([10e-3, 20e-3])
    cells = Network().population("a", 2, "lif_membrane", tau_mem=tau_mem)
    tau_mem[0] = 1.0
    assert cells.parameters["tau_mem"].tolist() == [10e-3, 20e-3]
    with pytest.raises(ValueError, match="read-only"):
        cells.parameters["tau_mem"][0] = 1.0
    with pytest.raises(TypeError):
        cells.parameters["tau_mem"] = 1.0


def test_a_checkpoint_needs_a_folder(network, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere; make it first"):
        network.save(tmp_path / "nowhere" / "state.h5")


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda n, c: n.population("b", 2, "lif_membrane", bias=400.0), "b: bias = 400 A is unusually large"),
        (lambda n, c: n.input(c, sim.StepCurrent([0.0], [300.0])), r"input 0 .*= 300 A is unusually large"),
        (
            lambda n, c: n.projection(c, c, sim.AllToAll(), receptor="current", weight=1 * pA, delay=1.5),
            r"projection 0 .*: delay = 1\.5 s is unusually large",
        ),
        (
            lambda n, c: n.projection(c, c, sim.AllToAll(), receptor="current", weight=16.2),
            r"projection 0 .*: weight = 16\.2 A is unusually large",
        ),
        (
            lambda n, c: n.population("b", 2, "lif", refractory=0.01 * ms),
            "b: refractory = 10 us is less than half",
        ),
    ],
)
def test_numbers_without_their_unit_are_told_wherever_they_are(declare, message):
    network = Network()
    cells = network.population("cells", 2, "lif_membrane")
    with pytest.warns(UserWarning, match=message):
        declare(network, cells)


def test_a_refractory_time_is_one_for_all():
    with pytest.raises(ValueError, match="b: refractory takes one time for all neurons, not 2; make populations"):
        Network().population("b", 2, "lif", refractory=[1 * ms, 2 * ms])


def test_weights_that_the_wiring_brings_are_not_overruled(network):
    cells = network.populations["cells"]
    with pytest.raises(ValueError, match="the wiring brings weights of its own; leave out weight"):
        network.projection(cells[:2], cells[2:4], sim.FromMatrix(np.eye(2)), receptor="input", weight=0.5)


def test_what_is_no_checkpoint_says_so(network, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nope\.h5: there is no such checkpoint"):
        network.restore(tmp_path / "nope.h5")
    with h5py.File(tmp_path / "other.h5", "w"):
        pass
    with pytest.raises(ValueError, match=r"other\.h5: not a checkpoint of a network, though an HDF5 file"):
        network.restore(tmp_path / "other.h5")

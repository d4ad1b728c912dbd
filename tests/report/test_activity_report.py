import json
import re

import numpy as np
import pytest
from activity_samples import clocks, poisson_trains

from spikelab import sim
from spikelab.report.activity import SpikeTrains, activity_report, count_synapses, weight_matrix
from spikelab.report.activity.network_groups import divided_groups, group_names
from spikelab.report.activity.source import recorded
from spikelab.sim.plasticity.choice import Plasticity

pytest.importorskip("elephant")


def small_network(plastic=False, run=0.3):
    """Eighty excitatory and twenty inhibitory neurons in one population, and a Poisson source."""
    network = sim.Network(dt=1e-4, seed=2)
    cells = network.population(
        "cells",
        100,
        "lif_membrane",
        tau_mem=20e-3,
        v_leak=0.0,
        v_threshold=20e-3,
        v_reset=0.0,
        refractory=2e-3,
        receptors={"spikes": sim.Receptor("delta")},
    )
    source = network.source("source", 10, sim.PoissonSource(50.0))
    rule = Plasticity("pair_stdp", a_plus=1e-5, a_minus=1e-5, w_max=1e-3) if plastic else None
    wire = sim.FixedProbability(0.2)
    network.projection(cells[:80], cells, wire, receptor="spikes", weight=5e-4, delay=1e-3, plasticity=rule)
    network.projection(cells[80:], cells, wire, receptor="spikes", weight=-1e-3, delay=1e-3)
    network.projection(source, cells[:80], wire, receptor="spikes", weight=2e-4, delay=1e-3)
    network.input(cells, sim.PoissonInput(rate=20_000.0, weight=1e-4), receptor="spikes")
    return network, cells


def test_report_of_spike_trains(tmp_path):
    groups = {"noise": poisson_trains(neurons=30), "clocks": clocks(neurons=5, duration=4.0)}
    result = activity_report(groups, tmp_path / "new" / "folder", title="Two <groups>")
    saved = json.loads((tmp_path / "new" / "folder" / "activity.json").read_text())
    assert saved == result
    noise, regular = result["groups"]["noise"], result["groups"]["clocks"]
    assert noise["spikes"] == len(groups["noise"])
    assert noise["mean_rate_hz"] == pytest.approx(20, rel=0.1)
    assert noise["cv"] == pytest.approx(1, rel=0.1)
    assert regular["cv"] == pytest.approx(0, abs=1e-6)
    assert regular["peak_frequency_hz"] == 100
    assert noise["peak_frequency_hz"] is None
    page = (tmp_path / "new" / "folder" / "activity.html").read_text()
    assert "Two &lt;groups&gt;" in page
    pictures = [name for name in result["files"] if name.endswith(".png")]
    assert len(re.findall(r'src="data:image/png;base64,', page)) == len(pictures) == 6
    assert not re.findall(r'(?:src|href)="(?!data:)', page)  # nothing is fetched from elsewhere
    for name in result["files"]:
        assert (tmp_path / "new" / "folder" / name.rpartition("/")[2]).stat().st_size > 0


def test_part_of_a_recording(tmp_path):
    trains = poisson_trains(neurons=30)
    result = activity_report(trains, tmp_path, start=1.0, stop=2.0)
    assert (result["start"], result["stop"]) == (1.0, 2.0)
    assert result["groups"]["neurons"]["spikes"] == np.sum((trains.times > 1.0) & (trains.times <= 2.0))


@pytest.mark.filterwarnings("error::UserWarning", "error::RuntimeWarning")
@pytest.mark.parametrize(
    "trains",
    [
        SpikeTrains(np.empty(0), np.empty(0, int), 4, 0.0, 1.0),
        SpikeTrains(np.empty(0), np.empty(0, int), 0, 0.0, 1.0),
        SpikeTrains(np.array([0.5]), np.array([0]), 1, 0.0, 1.0),
        SpikeTrains(np.arange(1, 90) / 100, np.full(89, 7), 50, 0.0, 1.0),  # all silent but one
        SpikeTrains(np.array([1e-4]), np.array([1]), 2, 0.0, 2e-4),  # too short for most measures
        SpikeTrains(np.array([0.5, 0.5, 0.5, 0.5]), np.zeros(4, int), 2, 0.0, 1.0),  # four spikes at one time
    ],
)
def test_report_of_next_to_nothing(trains, tmp_path):
    figures = activity_report(trains, tmp_path)["groups"]["neurons"]
    assert figures["spikes"] == len(trains)
    assert ("too short" in (tmp_path / "activity.html").read_text()) == (trains.duration < 0.2)


def test_report_of_a_network(tmp_path):
    network, cells = small_network(plastic=True)
    spikes = network.record_spikes(cells)
    network.record_states(cells[:4], "v")
    network.record_rate(cells)
    network.record_weights(network.projections[0], every=0.05)
    network.run(0.3)
    result = activity_report(network, tmp_path)
    assert list(result["groups"]) == ["excitatory cells", "inhibitory cells"]
    assert sum(each["spikes"] for each in result["groups"].values()) == len(spikes) > 0
    assert result["stop"] == pytest.approx(0.3)
    names = {name.rpartition("/")[2] for name in result["files"]}
    assert {"rates.png", "states_0.png", "weights_0.png", "synapses.png", "weight_matrix.png"} <= names
    named = recorded(network, groups={"inhibitory": cells[80:]}).spikes
    assert {name: len(trains) for name, trains in named.items()} == {
        "inhibitory": result["groups"]["inhibitory cells"]["spikes"]
    }
    alone = recorded([spikes], stop=network.time).spikes
    assert {name: len(trains) for name, trains in alone.items()} == {"cells": len(spikes)}
    of_states = recorded(network).states[0][1]
    np.testing.assert_array_equal(of_states.times, alone["cells"].select(slice(0, 4)).times)


def test_what_cannot_be_reported(tmp_path):
    network, cells = small_network()
    with pytest.raises(ValueError, match="nothing was recorded"):
        activity_report(network, tmp_path)
    spikes = network.record_spikes(cells[:10])
    with pytest.raises(ValueError, match="stop = 0 s must be later"):
        activity_report(network, tmp_path)
    with pytest.raises(ValueError, match=r"give stop=network\.time"):
        activity_report([spikes], tmp_path)
    network.run(0.01)
    with pytest.raises(ValueError, match=r"all: no monitor recorded the spikes of all of cells"):
        activity_report(network, tmp_path, groups={"all": cells})
    with pytest.raises(TypeError, match="got int"):
        activity_report(3, tmp_path)
    with pytest.raises(ValueError, match="groups are parts of a network"):
        activity_report(clocks(), tmp_path, groups={"all": cells})


def test_synapses_counts_every_synapse_once():
    network, _ = small_network()
    assert [str(group) for group in divided_groups(network)] == ["cells[0:80]", "cells[80:100]", "source"]
    found = count_synapses(network, {"source": "noise"})
    assert found.names == ("excitatory cells", "inhibitory cells", "noise")
    matrix = weight_matrix(network)
    present = np.isfinite(matrix)
    blocks = [slice(0, 80), slice(80, 100), slice(100, 110)]
    for row, senders in enumerate(blocks):
        np.testing.assert_array_equal(found.out_degrees[row], present[senders].sum(axis=1))
        np.testing.assert_array_equal(found.in_degrees[row], present[:, senders].sum(axis=0))
        for column, targets in enumerate(blocks):
            assert found.counts[row, column] == present[senders, targets].sum()
            assert found.excitatory[row, column] == (matrix[senders, targets] > 0).sum()
    assert found.densities[0, 0] == pytest.approx(0.2, abs=0.02)
    assert found.densities[2, 1] == 0


def test_synapses_with_weights_for_each_synapse_and_several_synapses_of_a_pair():
    network = sim.Network()
    cells = network.population("cells", 4, "lif_membrane", receptors={"spikes": sim.Receptor("delta")})
    weights = np.array([1.0, 2.0, 3.0]) * 1e-3
    pairs = sim.Explicit([0, 0, 3], [1, 2, 2])
    network.projection(cells, cells, pairs, receptor="spikes", weight=weights, delay=1e-3)
    network.projection(cells[3:], cells[2:], sim.AllToAll(), receptor="spikes", weight=-1e-3, delay=1e-3)
    matrix = weight_matrix(network)
    assert matrix[0, 1] == pytest.approx(1e-3)
    assert matrix[3, 2] == pytest.approx(2e-3)  # 3 mV and -1 mV
    found = count_synapses(network)
    assert found.counts.sum() == 5
    assert found.excitatory.sum() == 3
    assert np.nansum(matrix) == pytest.approx(4e-3)


def conductances(reversal):
    """Eight neurons, the last two of which act through a conductance with that reversal potential."""
    network = sim.Network()
    receptors = {
        "fast": sim.Receptor("exponential_conductance", tau_syn=5e-3, reversal=0.0),
        "slow": sim.Receptor("exponential_conductance", tau_syn=10e-3, reversal=reversal),
    }
    cells = network.population("cells", 8, "lif_membrane", v_threshold=-50e-3, receptors=receptors)
    for group, receptor in ((cells[:6], "fast"), (cells[6:], "slow")):
        network.projection(group, cells, sim.AllToAll(), receptor=receptor, weight=1e-9, delay=1e-3)
    return network


def test_a_conductance_inhibits_where_its_reversal_potential_lies_below_threshold():
    network = conductances(-80e-3)
    found, matrix = count_synapses(network), weight_matrix(network)
    assert found.names == ("excitatory cells", "inhibitory cells")
    np.testing.assert_array_equal(found.excitatory, found.counts * [[1], [0]])
    np.testing.assert_allclose(matrix, np.repeat([[1e-9], [-1e-9]], [6, 2], axis=0) * np.ones(8))
    # between rest and threshold it still inhibits, above it excites; one potential for each neuron
    assert group_names(conductances(-60e-3))["cells[6:8]"] == "inhibitory cells"
    assert group_names(conductances(np.full(8, -40e-3)))["cells[6:8]"] == "cells[6:8]"


def test_names_of_groups():
    network = sim.Network()
    cells = network.population("cells", 9, "lif_membrane", receptors={"spikes": sim.Receptor("delta")})
    for part, weight in ((cells[:3], 1e-3), (cells[3:5], sim.Uniform(-1e-3, 1e-3)), (cells[5:8], -1e-3)):
        network.projection(part, cells, sim.AllToAll(), receptor="spikes", weight=weight, delay=1e-3)
    assert group_names(network) == {
        "cells[0:3]": "excitatory cells",
        "cells[3:5]": "cells[3:5]",  # both
        "cells[5:8]": "inhibitory cells",
        "cells[8:9]": "cells[8:9]",  # neither
    }


@pytest.mark.shared
def test_recordings_of_another_simulator(shared, tmp_path):
    found = 0
    for path in sorted((shared / "data" / "reference_sims").glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            if not {"spike_ids", "spike_times_ms", "t_ms"} <= set(file):
                continue
            neurons, times, clock = file["spike_ids"], 1e-3 * file["spike_times_ms"], 1e-3 * file["t_ms"]
        stop = float(2 * clock[-1] - clock[-2])
        trains = SpikeTrains(times, neurons, int(neurons.max()) + 1, 0.0, stop)
        figures = activity_report(trains, tmp_path / path.stem)["groups"]["neurons"]
        assert figures["spikes"] == len(times)
        assert figures["mean_rate_hz"] == pytest.approx(len(times) / (neurons.max() + 1) / stop)
        first = [times[neurons == neuron].min() for neuron in np.unique(neurons)]
        assert figures["first_spike_median_s"] == pytest.approx(np.median(first))
        found += 1
    assert found

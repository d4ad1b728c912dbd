"""Every row of the table of neurons: one driven neuron in NEST and here, state by state."""

import numpy as np
import pytest

from spikelab import sim
from spikelab.sim import Network, Receptor
from spikelab.sim.nest_engine.neuron_table import ROWS, SAME

DT = 0.1e-3
#: Spikes that reach each receptor, in seconds; several in one step, and some while neurons are refractory.
ARRIVALS = np.array([2.0, 2.0, 3.7, 8.0, 15.2, 15.3, 15.4, 15.5, 21.0, 30.0, 31.1, 40.0, 41.0, 42.0, 55.0]) * 1e-3
#: neuron -> parameters, constant input and refractory time that let it spike now and then
CELLS = {
    "lif": (dict(tau_mem=20e-3, r=2.0, v_threshold=1.0, v_reset=0.1), 0.6, 2e-3),
    "lif_membrane": (dict(tau_mem=15e-3, capacitance=200e-12, v_threshold=-57e-3), 250e-12, 2e-3),
    "adex": (dict(v_peak=0.0, v_reset=-58e-3), 1000e-12, 2e-3),
    "exponential_lif": (dict(), 500e-12, 2e-3),
    "izhikevich": (dict(), 8.0, 0.0),
}
#: (neuron, receptor) -> weights of two receptors: the second inhibits
STRENGTH = {"1": 0.2, "V": 2e-3, "A": 200e-12, "S": 4e-9}


def receptors_of(row):
    """As many receptors as the model has places for, with unlike time constants."""
    count = 3 if row.slots.kind == "ports" else 2
    if row.receptor == "current":
        return {}
    rests = {"lif": (2.0, -0.5, 1.0), "adex": (0.0, -80e-3, -20e-3)}
    reversals = rests.get(row.neuron, (0.0, -80e-3, -20e-3))
    found = {}
    for k in range(count):
        given = {}
        if row.receptor != "delta":
            given["tau_syn"] = (2e-3, 6e-3, 3e-3)[k]
        if row.slots.conductance:
            given["reversal"] = reversals[k]
        found[f"r{k}"] = Receptor(row.receptor, **given)
    return found


def network_of(row, dt, method, every):
    parameters, bias, refractory = CELLS[row.neuron]
    network = Network(dt=dt)
    receptors = receptors_of(row)
    cell = network.population(
        "cell", 2, row.neuron, receptors=receptors, bias=bias, refractory=refractory, method=method, **parameters
    )
    spikes = network.source("spikes", 1, sim.SpikeArray(ARRIVALS, np.zeros(len(ARRIVALS), int)))
    unit = cell.receptors["current"]
    for k, name in enumerate(receptors or ["current"]):
        strength = STRENGTH[cell.receptors[name]] if name != "current" else 5.0
        # the second inhibits; a conductance is never negative, its reversal potential does it
        share = 1.0 if k != 1 else 0.2 if row.slots.conductance else -0.2
        network.projection(
            spikes, cell, sim.AllToAll(), receptor=name, weight=share * strength, delay=(1 + k) * max(0.4e-3, dt)
        )
    step = {"1": 0.1, "A": 40e-12}[unit]
    network.input(cell[1:], sim.StepCurrent([0.0, 10e-3], [step, -step]))
    states = [name for name in cell.neuron.state_names if not name.startswith("rise_")]
    return network, network.record_states(cell, states, every=every), network.record_spikes(cell)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.neuron}-{row.receptor}-{row.model}")
def test_one_neuron_of_each_row(row):
    method = row.methods[-1]
    if row.agreement == SAME:
        dt = 1e-3 if row.neuron == "izhikevich" and row.receptor == "current" else DT
        theirs, traces, spikes = network_of(row, dt, method, dt)
        theirs.run(70e-3, engine="nest")
        assert theirs._engine._neurons["cell"].row == row
        ours, our_traces, our_spikes = network_of(row, dt, method, dt)
        ours.run(70e-3)
        assert len(our_spikes) >= 3, "spikes to compare"
        np.testing.assert_array_equal(spikes.neurons, our_spikes.neurons)
        np.testing.assert_allclose(spikes.times, our_spikes.times, atol=1e-12)
        np.testing.assert_array_equal(traces.times, our_traces.times)
        for name in traces.names:
            scale = np.abs(our_traces[name]).max()
            np.testing.assert_allclose(traces[name], our_traces[name], rtol=1e-9, atol=1e-11 * scale, err_msg=name)
    else:
        # NEST solves to a tolerance, and resets at its own substeps: both approach each other with the step
        theirs, traces, spikes = network_of(row, 0.01e-3, method, 0.1e-3)
        theirs.run(70e-3, engine="nest")
        assert theirs._engine._neurons["cell"].row == row
        ours, our_traces, our_spikes = network_of(row, 0.01e-3, method, 0.1e-3)
        ours.run(70e-3)
        assert len(our_spikes) >= 2, "spikes to compare"
        np.testing.assert_array_equal(spikes.neurons, our_spikes.neurons)
        np.testing.assert_allclose(spikes.times, our_spikes.times, atol=0.1e-3)
        before = traces.times < our_spikes.times[0] - 1e-3
        for name in traces.names:
            scale = np.ptp(our_traces[name])
            np.testing.assert_allclose(traces[name][before], our_traces[name][before], atol=2e-3 * scale, err_msg=name)

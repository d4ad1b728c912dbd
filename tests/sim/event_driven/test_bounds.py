"""The functions behind a crossing, on cells of many kinds in random states, against dense evaluation."""

import numpy as np
import pytest
from numba import njit

from spikelab import sim
from spikelab.sim import Network, Receptor
from spikelab.sim.event_driven.cells import FREE, GATE, HERE, VALUES, scratch_of
from spikelab.sim.event_driven.crossing import first_crossing, safe_time
from spikelab.sim.event_driven.loop import SOURCES
from spikelab.sim.event_driven.solution import chain_value, state_after, variations
from spikelab.sim.event_driven.source_number import source_number

KINDS = {
    "exponential": ("lif", {"a": Receptor("exponential_current", tau_syn=3e-3)}),
    "two": (
        "lif_membrane",
        {"a": Receptor("exponential_current", tau_syn=3e-3), "b": Receptor("exponential_current", tau_syn=9e-3)},
    ),
    "alpha": ("lif", {"a": Receptor("alpha_current", tau_syn=4e-3), "b": Receptor("alpha_current", tau_syn=20e-3)}),
    "equal": (
        "lif",
        {"a": Receptor("alpha_current", tau_syn=20e-3), "b": Receptor("exponential_current", tau_syn=20e-3)},
    ),
    "cuba": ("cuba_lif", {"a": Receptor("alpha_current", tau_syn=5e-3)}),
    "adaptive": ("adaptive_lif", {"a": Receptor("exponential_current", tau_syn=3e-3)}),
    "no leak": ("if", {"a": Receptor("exponential_current", tau_syn=3e-3)}),
}
SIZE = 150


@njit
def _distances(cells, cell, times):
    found = np.empty(times.size)
    for k in range(times.size):
        state_after(cells, cell, FREE, times[k])
        found[k] = chain_value(cells, cell, GATE)
    return found


@njit
def _safe(cells, cell):
    state_after(cells, cell, FREE, 0.0)
    return safe_time(cells, cell)


@njit
def _variations(cells, cell, time):
    state_after(cells, cell, FREE, time)
    return variations(cells, cell)


@pytest.fixture(params=KINDS)
def cells(request):
    """Cells below threshold, with currents of both signs, large and small."""
    neuron, receptors = KINDS[request.param]
    random = np.random.default_rng(1)
    network = Network(dt=1e-3)
    unit = 1e-10 if neuron == "lif_membrane" else 1.0
    bias = random.choice([0.0, 0.9, 3.0, -1.0], SIZE) * unit
    population = network.population("cells", SIZE, neuron, receptors=receptors, bias=bias)
    built = network.engine("event_driven")._cells
    for k, state in enumerate(population.neuron.states):
        numbers = random.normal(size=SIZE) * 10 ** random.uniform(-2, 1.5, SIZE)
        if state.name == "v":
            threshold = population.parameters["v_threshold"]
            scale = 10e-3 if neuron == "lif_membrane" else 1.0
            numbers = threshold - scale * 10 ** random.uniform(-4, 1, SIZE)
        elif state.name == "a":
            numbers = np.abs(numbers)
        elif state.unit == "A":
            numbers = numbers * unit
        built.state[:, VALUES + k] = numbers
    return built


def test_no_crossing_before_the_bound(cells):
    close = 0
    for cell in range(SIZE):
        bound = _safe(cells.address, cell)
        assert bound >= 0
        horizon = min(bound, 0.5)
        distances = _distances(cells.address, cell, np.linspace(0, horizon, 500))
        # to rounding of what is added up
        assert distances.max() < 1e-13, cell
        close += 0 < bound < np.inf
    assert close > 10


def test_first_crossings(cells):
    grid = np.concatenate([[0.0], np.geomspace(1e-8, 0.4, 4001)])
    crossed = missed = 0
    for cell in range(SIZE):
        distances = _distances(cells.address, cell, grid)
        crossing, safe = first_crossing(cells.address, cell, 0.0, 0.4)
        above = np.flatnonzero(distances > 0)
        if not above.size:
            # a peak between two points of the grid is possible, if hardly above threshold
            if np.isfinite(crossing):
                missed += 1
                around = crossing + np.linspace(0, 1e-4, 1001)
                assert 0 < _distances(cells.address, cell, around).max() < 1e-3, cell
            else:
                assert safe >= 0.4
            continue
        crossed += 1
        assert grid[above[0] - 1] <= crossing <= grid[above[0]], cell
        # the sign changes within a few of the last bits of what is added up
        state_after(cells.address, cell, FREE, crossing)
        size = np.abs(scratch_of(cells.address)[HERE, : cells.state.shape[1] - VALUES]).max()
        assert abs(chain_value(cells.address, cell, GATE)) < 1e-13 * max(1, size), cell
    assert crossed > 20
    assert missed <= 2


def test_variations_never_grow_and_bound_the_zeros(cells):
    grid = np.linspace(0, 0.2, 1001)
    for cell in range(0, SIZE, 3):
        counts = np.array([_variations(cells.address, cell, time) for time in grid])
        assert (np.diff(counts) <= 0).all(), cell
        zeros = np.count_nonzero(np.diff(np.sign(_distances(cells.address, cell, grid))))
        assert counts[0] - counts[-1] >= zeros, cell
        assert (counts[0] - counts[-1] - zeros) % 2 == 0, cell


def test_the_machine_code_is_that_of_these_sources():
    network = Network(dt=1e-3)
    network.population("cells", 1, "lif")
    network.source("source", 1, sim.PoissonSource(1.0))
    network.run(0.01, engine="event_driven")
    assert network.engine("event_driven")._counters[SOURCES] == source_number()

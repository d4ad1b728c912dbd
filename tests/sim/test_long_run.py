"""An hour of biological time."""

import os

import numpy as np
import psutil
import pytest

from spikelab import sim
from spikelab.sim import Network, Receptor


@pytest.mark.slow
def test_an_hour_in_constant_memory(tmp_path):
    network = Network(dt=0.1e-3, dtype="float32", seed=2)
    cells = network.population(
        "cells", 60, "lif", receptors={"input": Receptor("exponential_current")}, refractory=2e-3, v_threshold=1.0
    )
    network.projection(cells, cells, sim.FixedProbability(0.1), receptor="input", weight=-0.1, delay=1.5e-3)
    network.input(cells, sim.PoissonInput(rate=400.0, weight=0.6), receptor="input")
    spikes = network.record_spikes(cells, file=str(tmp_path / "spikes.h5"))
    rate = network.record_rate(cells, every=1.0)
    process = psutil.Process(os.getpid())
    # HDF5's caches fill for a quarter of an hour
    network.run(900.0, threads=1)
    before = process.memory_info().rss
    network.run(2700.0, threads=1)
    grown = process.memory_info().rss - before
    assert network.time == pytest.approx(3600.0)
    assert rate.times.size == 3600
    assert rate.rates.min() > 0, "still alive"
    assert np.std(rate.rates[1:].reshape(-1)) < 3
    assert len(spikes) == round(rate.rates.sum() * 60)
    assert grown < 8e6, f"{grown / 1e6:.1f} MB more in 45 minutes"
    assert len(spikes) * 12 > 5 * 8e6, "what was recorded would have been seen"

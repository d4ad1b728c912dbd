"""Sources of spikes emit what they are asked for."""

import numpy as np
import pytest

from spikelab import sim


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [1, 7, 64, 300])
def test_poisson_rates(size, threads):
    net = sim.Network(dt=1e-4, seed=8)
    rates = np.linspace(200, 900, size)
    sources = [
        net.source("one_rate", size, sim.PoissonSource(400.0)),
        net.source("many", size, sim.PoissonSource(rates)),
    ]
    found = [net.record_spikes(each) for each in sources]
    net.run(2.0, threads=threads)
    for spikes, wanted in zip(found, (np.full(size, 400.0), rates), strict=True):
        count = np.bincount(spikes.neurons, minlength=size)
        # a step holds a spike with probability p, so counts vary by sqrt(n p (1 - p)); five of these for each neuron
        p = wanted * net.dt
        assert (abs(count - 20_000 * p) < 5 * np.sqrt(20_000 * p * (1 - p))).all()


def test_a_time_course_of_rates_ends():
    net = sim.Network(dt=1e-4, seed=9)
    course = np.array([[1000.0, 0.0], [0.0, 2000.0]])
    spikes = net.record_spikes(net.source("source", 2, sim.PoissonSource(course, bin_width=0.1)))
    net.run(0.3)
    first, second = (spikes.times[spikes.neurons == each] for each in (0, 1))
    assert 60 < first.size < 140
    assert first.max() <= 0.1
    assert 150 < second.size < 250
    assert 0.1 < second.min()
    assert second.max() <= 0.2

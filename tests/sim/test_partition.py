"""How neurons are shared out to threads."""

from itertools import pairwise

import numpy as np
import pytest

from spikelab.sim.numba_engine.partition import LANES, bounds


@pytest.mark.parametrize("size", [0, 1, 2, 63, 64, 65, 1000, 10_000])
@pytest.mark.parametrize("threads", [1, 2, 3, 16])
@pytest.mark.parametrize("rising", [None, 0.0, 3.0])
def test_every_neuron_belongs_to_one_thread_and_ranges_begin_at_whole_vectors(size, threads, rising):
    cost = None if rising is None else 1.0 + rising * np.arange(size)
    edges = bounds(size, threads, cost)
    assert (edges[0], edges[-1], edges.size) == (0, size, threads + 1)
    assert (np.diff(edges) >= 0).all()
    assert (edges[:-1] % LANES == 0).all()


def test_shares_are_of_cost_and_not_of_neurons():
    size = 64 * 100
    cost = np.where(np.arange(size) < 64 * 80, 4.0, 1.0)
    for threads in (2, 4):
        edges = bounds(size, threads, cost)
        paid = [cost[a:b].sum() for a, b in pairwise(edges)]
        assert max(paid) < 1.05 * cost.sum() / threads
    assert bounds(size, 2, np.ones(size)).tolist() == bounds(size, 2).tolist()

"""How neurons are shared out to threads."""

from itertools import pairwise

import numpy as np
import pytest

from spikelab.sim.numba_engine.partition import LANES, aligned, bounds, padded


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


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("shape", [64, np.int32(128), (3, 192), (0, 64), 0])
def test_arrays_that_are_shared_out_begin_with_a_cache_line(shape, dtype):
    for value in (0, 3):
        array = aligned(shape, dtype, value)
        assert array.ctypes.data % 128 == 0 or not array.size
        assert array.shape == (shape if isinstance(shape, tuple) else (shape,))
        assert array.dtype == dtype
        assert (array == value).all()
        assert array.flags.c_contiguous
        assert array.flags.writeable


def test_numpy_numbers_are_sizes_too():
    assert aligned(padded(np.int32(70)), np.float32).shape == (128,)

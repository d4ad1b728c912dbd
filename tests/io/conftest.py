"""A sound NIR graph, and a file of it, for tests that damage them."""

from itertools import pairwise

import nir
import numpy as np
import pytest

from spikelab.io.nir_save import write_nir


@pytest.fixture
def good_graph():
    """A picture through a convolution, a pool, a delay and a recurrent layer."""
    values = {"tau": 0.01, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
    nodes = {
        "input": nir.Input(np.array([2, 8, 8])),
        "conv": nir.Conv2d((8, 8), np.ones((4, 2, 3, 3)), 1, 1, 1, 1, np.zeros(4)),
        "pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "flat": nir.Flatten({"input": np.array([4, 4, 4])}, 0, -1),
        "weights": nir.Affine(np.ones((3, 64)), np.zeros(3)),
        "delay": nir.Delay(np.full(3, 2e-3)),
        "lif": nir.LIF(**{name: np.full(3, value) for name, value in values.items()}),
        "loop": nir.Linear(np.ones((3, 3))),
        "output": nir.Output(np.array([3])),
    }
    chain = ["input", "conv", "pool", "flat", "weights", "delay", "lif", "output"]
    edges = [*pairwise(chain), ("lif", "loop"), ("loop", "lif")]
    return nir.NIRGraph(nodes, edges, type_check=False)


@pytest.fixture
def file(tmp_path, good_graph):
    path = tmp_path / "net.nir"
    write_nir(path, good_graph)
    return path

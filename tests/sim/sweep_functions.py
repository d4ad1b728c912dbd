"""What the workers of test_sweep.py import."""

import os
import time
from pathlib import Path

import numpy as np
import torch
from numba import config

from spikelab.sim import Network


def rate(bias, size, seed):
    network = Network(dt=0.1e-3, seed=seed)
    cells = network.population("cells", size, "lif_membrane", bias=bias, initial={"v": -60e-3})
    spikes = network.record_spikes(cells)
    network.run(0.1)
    return {"rate": len(spikes) / size / 0.1, "times": spikes.times, "process": os.getpid()}


def counted(folder, x, seed):
    """Leaves a mark of each call."""
    with open(Path(folder) / f"{x}-{seed}", "a") as file:
        file.write("called ")
    if x == 3 and not (Path(folder) / "repaired").exists():
        raise ValueError("3 is broken")
    return {
        "square": x * x,
        "nested": {"list": [1, 2.5, None, "text"]},
        "flag": np.bool_(True),
        "nothing": float("nan"),
    }


def threads(seed):
    return {
        "numba": config.NUMBA_NUM_THREADS,
        "torch": torch.get_num_threads(),
        "env": os.environ.get("OMP_NUM_THREADS"),
    }


def bad_result(kind, seed):
    return {
        "none": None,
        "object": {"thing": object()},
        "pickled": {"array": np.array([object()])},
        "taken": {"kind": 3},
    }[kind]


def slow(x, seed):
    if x >= 2:
        time.sleep(60)
    return {"x2": x * 2}

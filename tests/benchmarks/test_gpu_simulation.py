"""The measurement of the engine for a CUDA device: refused without one, and what it tells is right."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.simulation import gpu
from spikelab import sim


def test_refused_without_a_device(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main(["--write", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert "this measures a CUDA device" in captured.err
    assert "nothing was measured" in captured.err
    assert captured.out == ""
    assert not list(tmp_path.iterdir())


def test_unknown_networks_are_refused():
    with pytest.raises(SystemExit):
        gpu.main(["--networks", "brunell"])


@pytest.mark.parametrize("name", gpu.NETWORKS)
def test_every_network_exists_and_has_no_plasticity(name, monkeypatch):
    arguments = {key: value for key, value in gpu.NETWORKS[name][0].items() if key not in ("neurons", "scale")}
    small = {"scale": 0.005} if name.startswith("microcircuit") else {"neurons": 100}
    if name == "brunel":
        small["in_degree"] = 10
    monkeypatch.setitem(gpu.NETWORKS, name, ({**arguments, **small}, 0.1))
    network = gpu.build(name, "float32")
    assert network.dtype == "float32"
    assert len(network.monitors) == len(network.populations) > 0
    assert all(each.plasticity is None for each in network.projections)


def network_with(times):
    network = sim.Network(dt=1e-3)
    source = network.source("source", 2, sim.SpikeArray(times, np.zeros(len(times), int)))
    network.record_spikes(source)
    network.run(0.1)
    return network


def test_the_first_spike_that_differs_is_found():
    one, other = network_with([5e-3, 20e-3, 30e-3]), network_with([5e-3, 21e-3, 30e-3])
    assert gpu.first_difference(one, other) == pytest.approx(20e-3)
    assert gpu.first_difference(one, one) is None


def test_the_table_has_a_row_for_each_measurement():
    engine = {"wall": 0.5, "turns": [0.5], "spikes": 90, "build_seconds": 0.1, "compile_seconds": 2.0}
    row = {
        "network": "brunel",
        "neurons": 10,
        "synapses": 20,
        "dtype": "float32",
        "captured": True,
        "first_difference": 0.03,
        "threads": 2,
        "ratio": 4.0,
        "triton": engine,
        "numba": {**engine, "wall": 2.0, "spikes": 100},
    }
    last = gpu.table([row]).splitlines()[-1]
    assert last.split(" | ")[3:10] == ["float32, captured", "0.5", "2", "2", "4.00", "0.9000", "0.0300 s"]
    assert "| the end |" in gpu.table([{**row, "first_difference": None}])

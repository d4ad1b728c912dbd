"""The sweeps of docs/performance.md: cases, counted operations, pictures; and the models among the cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import roofline, sweep_pictures, sweeps
from benchmarks.cases import CASES, Case, make_input
from benchmarks.floors import judge
from benchmarks.peers import spikelab_dense, spikelab_layers
from benchmarks.table import as_csv
from spikelab import nn


def test_a_sweep_changes_one_thing():
    for what, values, case_at in sweeps.SWEEPS.values():
        cases = [case_at(value) for value in values]
        assert len({case.name for case in cases}) == len(values), what
        kept = {
            tuple(v for k, v in case.to_json().items() if k not in ("steps", "neurons", "density")) for case in cases
        }
        assert len(kept) == 1


def test_operations_of_a_neuron_are_those_of_its_equations():
    ahead, back = roofline.operations(nn.LIF(dt=1e-3, tau_mem=10e-3).step)
    # two products and a sum for the membrane, the threshold test, the spike, the reset
    assert 5 <= ahead <= 12
    assert back > ahead
    more, _ = roofline.operations(nn.AdaptiveLIF(dt=1e-3).step)
    assert more > ahead


def test_points_of_the_roofline_are_measured(monkeypatch):
    monkeypatch.setattr(roofline, "STEPS", 20)
    monkeypatch.setattr(roofline, "PRODUCT", 64)
    points = [*roofline.neuron_points(8, "from cache"), *roofline.product_points()]
    assert len({point["name"] for point in points}) == 4
    for point in points:
        assert point["ms"] > 0
        assert point["gflops"] > 0
        assert point["flops_per_byte"] > 0


def test_pictures_are_drawn_of_what_is_there(tmp_path):
    rows = [
        {"peer": peer, "value": value, "cpu_ms": 2.0 * value, "peak_extra_mib": memory}
        for peer, memory in (("spikelab_layers", 3.0), ("snntorch", None))
        for value in (10, 100)
    ]
    point = {"name": "a kernel", "gflops": 10.0, "flops_per_byte": 1.0}
    found = {
        "length": {"what": "steps", "rows": rows},
        "density": {"what": "density", "rows": [{**row, "peak_extra_mib": None} for row in rows]},
        "roofline": {"product_gflops": 80.0, "copy_gb_per_s": 20.0, "points": [point]},
    }
    lines = as_csv(sweeps.rows_of(found)).splitlines()
    assert lines[0] == "sweep,changes,peer,value,cpu_ms,peak_extra_mib"
    assert lines[1:3] == ["length,steps,spikelab_layers,10,20.0,3.0", "length,steps,spikelab_layers,100,200.0,3.0"]
    assert len(lines) == 1 + 8
    paths = list(sweep_pictures.draw(found, tmp_path))
    assert [path.name for path in paths] == [f"performance_{name}.png" for name in found]
    widths = [Image.open(path).width for path in paths]
    # time and memory, or time alone
    assert widths[0] > 1.5 * widths[1]
    assert all(np.asarray(Image.open(path).convert("L")).std() > 10 for path in paths)


def test_motion_of_a_video_lies_in_blocks_and_mostly_stands_still():
    x = make_input(Case("video", 4, batch=3))
    assert x.shape == (4, 3, 3, 96, 160)
    motion, residual = x[:, :, :2], x[:, :, 2]
    assert 0.01 < (motion != 0).mean() < 0.5
    assert 0.01 < (residual != 0).mean() < 0.3
    assert np.abs(residual).max() <= 0.3
    blocks = motion.reshape(4, 3, 2, 12, 8, 20, 8)
    assert np.array_equal(blocks, np.broadcast_to(blocks[:, :, :, :, :1, :, :1], blocks.shape))


def test_our_models_are_the_same_with_dense_products():
    for case in (Case("halsie", 2, batch=1), Case("video", 2, batch=1), Case("convolutional", 4, batch=2)):
        found = []
        for adapter in (spikelab_layers, spikelab_dense):
            torch.manual_seed(0)
            model = adapter.build(case).double().eval()
            with torch.no_grad():
                found.append(model(torch.from_numpy(make_input(case)).double()))
        torch.testing.assert_close(*found)


def test_who_chooses_is_judged_against_dense_products():
    summary = {"case": "video_T11", "threads": 1, "speedup_over_dense_cpu": 0.93, "speedup_over_dense_wall": 2.0}
    (verdict,) = judge([summary])
    assert (verdict["floor"], verdict["measured"], verdict["kept"]) == (0.95, 0.93, False)
    (verdict,) = judge([{**summary, "threads": 2}])
    assert verdict["kept"]


def test_models_are_among_the_cases():
    for name in ("halsie_T5", "video_T11"):
        assert name in CASES
        assert f"{name}_forward" in CASES
    with pytest.raises(ValueError, match="unknown kind 'movie'"):
        Case("movie", 3)

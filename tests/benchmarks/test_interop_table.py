"""The table of equal spikes: how a cell reads, and that what is committed claims nothing that was not measured."""

import json
from pathlib import Path

import pytest
import torch

pytest.importorskip("snntorch")
pytest.importorskip("norse")

from benchmarks import interop


def test_cells_say_all_only_where_all_are_equal():
    score = interop.Score()
    score.add(torch.ones(100, 100), torch.ones(100, 100))
    assert "100 % float64" in interop.text(interop.cell({"float64": score}))
    score.add(torch.ones(1), torch.zeros(1))
    shown = interop.text(interop.cell({"float64": score, "float32": score}))
    assert "100 %" not in shown
    assert "99.990 % float64, 99.990 % float32" in shown


@pytest.mark.parametrize("framework", ["snnTorch", "Norse"])
def test_a_cell_is_measured_or_refused(framework):
    found = interop.to_module(framework, "LIF", "zero")
    assert found["equal_float64"] == 1
    assert found["spikes"] > 500
    assert "use LIF or CubaLIF" in interop.to_module(framework, "adaptive LIF", "zero")["reason"]


def test_the_committed_table_is_equal_wherever_it_claims_support():
    found = json.loads((Path(interop.RESULTS) / "interop.json").read_text())
    assert interop.failures(found) == []
    supported = [cell for cells in found["out"].values() for cell in cells.values() if cell["supported"]]
    assert len(supported) > 20
    assert all(cell["spikes"] > 500 for cell in supported)
    broken = json.loads(json.dumps(found))
    broken["out"]["LIF, zero"]["Norse"]["equal_float64"] = 0.999
    assert interop.failures(broken) == ["LIF, zero -> Norse"]
    assert (Path(interop.RESULTS) / "interop.md").read_text() == interop.report(found)

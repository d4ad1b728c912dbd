"""Operations and energy of compressed video: estimates against counts by hand, meters against made-up counters."""

import importlib.util
from pathlib import Path

import pytest
import torch

from spikelab.models.hybrid_energy import modelled_joule, spiking_operations
from spikelab.models.measured_energy import Meter, measure
from spikelab.models.video_energy import energy
from spikelab.nn import LIF, Dense, Integrator, Network
from spikelab.nn.operation_costs import TABLES

_spec = importlib.util.spec_from_file_location("compressed_videos", Path(__file__).with_name("test_video.py"))
compressed_videos = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(compressed_videos)
settled, videos = compressed_videos.settled, compressed_videos.videos

MAC, ACCUMULATE = 4.6e-12, 0.9e-12


def test_ordinary_operations_equal_a_count_by_hand():
    """32 x 48 pictures: maps of 16 x 24, 8 x 12, 4 x 6; 2 groups of 16 tokens of width 64."""
    model = settled(modality="image", depth=1, mixer=1)
    encoder = 2 * (27 * 16 * 16 * 24 + 144 * 32 * 8 * 12 + 288 * 64 * 4 * 6)
    tokens = 32 * 64 * 64
    transformer = 32 * 64 * (4 * 64 + 2 * 128) + 2 * 32 * 32 * 64
    mixer = 64 * 2 * 32 * 128 + 32 * 2 * 64 * 128
    found = energy(model, videos())
    assert found["ordinary_macs"] == encoder + tokens + transformer + mixer + 64 * 5
    assert found["estimated_joule_45nm_float32"]["by_counting"] == pytest.approx(found["ordinary_macs"] * MAC)
    assert "spike_rates" not in found


def test_spikes_between_layers_are_counted():
    network = Network(
        {"weights": Dense(3, 4, bias=False), "neurons": LIF(), "sum": Integrator()},
        [("input", "weights"), ("weights", "neurons"), ("neurons", "sum"), ("sum", "output")],
    )
    with torch.no_grad():
        network.nodes["weights"].weight.fill_(100.0)
    x = torch.zeros(5, 2, 3)
    x[1, 0, 0] = 1.0
    x[3, 1, :2] = 1.0
    found = spiking_operations(network, x, samples=2)
    spikes = float(network.evaluate(x)["neurons"].sum())
    assert spikes >= 8
    assert found["layers"]["weights"] == {
        "steps": 5, "dense_macs": 12, "input_rate": 0.1, "synaptic_operations": 3 * 4 / 2, "real_valued_input": 1.0,
    }  # fmt: skip
    assert found["layers"]["neurons -> sum"]["synaptic_operations"] == spikes / 2
    assert found["spike_rates"] == {"neurons": pytest.approx(spikes / 40)}
    assert found["membrane_updates"] == 2 * 5 * 4
    joule = modelled_joule(1000, found, TABLES["45nm_float32"])
    counted = 1000 * MAC + 6 * MAC + spikes / 2 * ACCUMULATE + 40 * 2 * MAC
    assert joule["by_counting"] == pytest.approx(counted)
    assert joule["by_formula"]["conservative"] == pytest.approx(1060 * MAC + 4 * 5 * spikes / 40 * ACCUMULATE)


def test_a_video_of_two_groups_costs_both():
    model = settled()
    found = energy(model, videos())
    first = found["layers"]["layer1_weights"]
    assert first["dense_macs"] == 2 * 27 * 16 * 8 * 12
    assert first["steps"] == 4
    assert set(found["spike_rates"]) == {"layer1", "layer2", "layer3"}
    assert all(0 < rate < 0.9 for rate in found["spike_rates"].values())
    again = energy(model, {name: value[:1] for name, value in videos().items()})
    assert again["ordinary_macs"] == found["ordinary_macs"]


def test_ordinary_modulators_cost_more_than_spiking_ones():
    joule = {
        stm: energy(settled(modality="motion", stm=stm), videos())["estimated_joule_45nm_float32"]["by_counting"]
        for stm in ("spiking", "ordinary")
    }
    assert joule["spiking"] < joule["ordinary"]


def test_a_table_without_multiplications_is_refused():
    with pytest.raises(ValueError, match="'loihi' has no multiply-accumulate"):
        energy(settled(), videos(), "loihi")


def test_rapl_packages_are_read_and_their_parts_are_not(tmp_path):
    for name, folder, start in (("package-0", "intel-rapl:0", 996_000_000), ("core", "intel-rapl:0:0", 5)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "name").write_text(name + "\n")
        (tmp_path / folder / "energy_uj").write_text(f"{start}\n")
        (tmp_path / folder / "max_energy_range_uj").write_text("1000000000\n")

    def run():
        # three joules a run, and the counter wraps at a thousand
        counter = tmp_path / "intel-rapl:0" / "energy_uj"
        counter.write_text(str((int(counter.read_text()) + 3_000_000) % 1_000_000_000))

    found = measure(run, samples=6, seconds=0, powercap=tmp_path)
    assert found["runs"] == 1
    assert found["joule_per_sample"]["rapl:package-0"] == pytest.approx(0.5)
    assert "rapl:core" not in found["joule_per_sample"]


def test_a_meter_that_wraps():
    meter = Meter("some", lambda: 0.0, wraps_at=100.0)
    assert meter.between(99.0, 2.0) == 3.0
    assert meter.between(2.0, 99.0) == 97.0


def test_no_meter_no_joules(tmp_path):
    found = measure(lambda: None, samples=1, seconds=0, powercap=tmp_path)
    assert all(not name.startswith("rapl") for name in found.get("joule_per_sample", {}))

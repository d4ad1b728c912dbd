"""The simulate command, as one types it."""

import json

import h5py
import pytest

from spikelab import registry
from spikelab.cli import main

SMALL = """
[network]
dt = "0.1 ms"
duration = "20 ms"
[populations.cells]
size = 30
neuron = "lif"
bias = 1.5
[[projections]]
source = "cells"
target = "cells"
wiring = { rule = "fixed_probability", p = 0.2 }
receptor = "current"
weight = 2.0
delay = "1 ms"
"""


@pytest.fixture
def small(tmp_path):
    (tmp_path / "small.toml").write_text(SMALL)
    return str(tmp_path / "small.toml")


def figures_of(tmp_path, *words):
    assert main(["simulate", *words, "--json", str(tmp_path / "figures.json")]) == 0
    return json.loads((tmp_path / "figures.json").read_text())["figures"]


def test_a_file(small, tmp_path, capsys):
    figures = figures_of(tmp_path, small, "--folder", str(tmp_path / "out"), "--duration", "60 ms")
    assert figures["biological_seconds"] == pytest.approx(0.06)
    assert figures["rates"]["cells"] > 10
    assert "small.toml: 0.06 s of" in capsys.readouterr().out
    assert (tmp_path / "out" / "activity.html").stat().st_size > 10_000


def test_files_of_others_in_the_folder_stay(small, tmp_path):
    (tmp_path / "spikes.h5").write_bytes(b"recorded")
    figures_of(tmp_path, small, "--folder", str(tmp_path), "--report", "false")
    assert (tmp_path / "spikes.h5").read_bytes() == b"recorded"


@pytest.mark.parametrize("name", registry.names("networks"))
def test_every_example_runs(name, tmp_path):
    size = {"microcircuit": ["--options.scale", "0.01"]}.get(name, ["--options.neurons", "500"])
    size += ["--options.in_degree", "50"] if name == "brunel" else []
    words = [name, "--duration", "50 ms", "--report", "false", "--dtype", "float32", *size]
    figures = figures_of(tmp_path, *words, "--folder", str(tmp_path / "out"))
    assert figures["spikes"] > 0
    assert figures["synapses"] > 1000


def test_an_interrupted_run_goes_on_from_its_checkpoint(small, tmp_path):
    state = ["--checkpoint", str(tmp_path / "state.h5"), "--report", "false", "--folder", str(tmp_path / "out")]
    whole = figures_of(tmp_path, small, "--duration", "40 ms", "--report", "false", "--folder", str(tmp_path / "one"))
    state += ["--record", str(tmp_path / "spikes.h5")]
    parts = [figures_of(tmp_path, small, "--duration", time, *state) for time in ("20 ms", "40 ms", "40 ms")]
    assert [each["biological_seconds"] for each in parts] == pytest.approx([0.02, 0.02, 0.0])
    assert sum(each["spikes"] for each in parts) == whole["spikes"]
    assert parts[1]["spikes"] > 0
    assert parts[2]["rates"] == whole["rates"]
    with h5py.File(tmp_path / "spikes.h5", "r") as file:
        assert sum(group["neuron"].shape[0] for group in file["spikes"].values()) == whole["spikes"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["vogels"], "'vogels' is neither a .toml file nor an example; did you mean 'vogels_abbott'?"),
        (["brunel", "--options.nurons", "5"], "--options.nurons: brunel has no such argument; did you mean 'neurons'?"),
        (["nowhere.toml"], "nowhere.toml"),
        (["brunel", "--duration", "2 mV"], "duration"),
        (["brunel", "--engine", "nunba"], "unknown name 'nunba'"),
        (["brunel", "--threads", "-1"], "threads"),
    ],
)
def test_mistakes_take_one_line(words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if words[0] == "brunel":
        words = [*words, "--options.neurons", "50", "--options.in_degree", "5"]
    assert main(["simulate", *words, "--report", "false"]) in (1, 2)
    said = capsys.readouterr().err.strip().splitlines()
    assert message in said[-1]

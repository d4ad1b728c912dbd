"""The configurations for data sets that are not published with this library run on files of their form."""

import dataclasses
import json
from pathlib import Path

import pytest

from spikelab.cli import main
from spikelab.datasets.ddd17 import miniature as ddd17_miniature
from spikelab.datasets.dsec import miniature as dsec_miniature
from spikelab.io import settings_file
from spikelab.learn.build import build_dataset, build_model, options_from_data
from spikelab.learn.train import train
from spikelab.settings import Compare

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
WRITERS = {
    "ddd17": lambda folder: ddd17_miniature.write(folder, labels=2),
    "dsec": lambda folder: dsec_miniature.write(folder, scale=8, labels=8),
}
SMALLER = {"ddd17": {"crop": [32, 48]}, "dsec": {"crop": [32, 48], "last_events": 2000}}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("miniatures")
    return {name: writer(root / name) for name, writer in WRITERS.items()}


def read(name, **options):
    found = settings_file.read(Compare, BENCHMARKS / f"{name}.toml")
    data = dataclasses.replace(found.train.data, options={**found.train.data.options, **options}, workers=0)
    return dataclasses.replace(found.train, data=data)


@pytest.mark.parametrize("name", WRITERS)
def test_an_epoch_of_a_small_model(name, folders, tmp_path):
    settings = read(name, path=str(folders[name]), **SMALLER[name])
    settings = dataclasses.replace(
        settings,
        folder=str(tmp_path / "run"),
        epochs=1,
        log_every=1,
        device="cpu",
        tensorboard=False,
        model=dataclasses.replace(settings.model, options={"size": "small"}),
        data=dataclasses.replace(settings.data, batch_size=4),
    )
    result = train(settings)
    assert 0 < result["best"]["pixel_accuracy"] <= 1
    words = [
        "predict",
        str(tmp_path / "run"),
        "--folder",
        str(tmp_path / "pictures"),
        "--count",
        "1",
        "--device",
        "cpu",
    ]
    assert main(words) == 0
    assert len(list((tmp_path / "pictures").iterdir())) == 1


@pytest.mark.parametrize("name", WRITERS)
def test_the_whole_model_fits_the_data(name, folders):
    """As configured but for the place of the files: classes, time bins and the window come from the data."""
    settings = read(name, path=str(folders[name]))
    dataset = build_dataset(settings.data.name, "test", settings.data.options)
    options = options_from_data(settings.model.name, dataset, settings.model.options)
    model = build_model(settings.model.name, options).eval()
    assert sum(each.numel() for each in model.parameters()) == pytest.approx(5e6, rel=0.1)
    sample = dataset[0]
    logits = model(sample["events"][None], sample["frame"][None])
    assert logits.shape == (1, len(dataset.class_names), *sample["label"].shape)


def test_data_check(folders, tmp_path, capsys):
    words = ["data", "check", "--name", "dsec_semantic", "--splits", "test", "--options.path", str(folders["dsec"])]
    assert main([*words, "--options.last_events", "2000", "--json", str(tmp_path / "check.json")]) == 0
    figures = json.loads((tmp_path / "check.json").read_text())["figures"]["splits"]["test"]
    assert figures["samples"] == 3
    assert figures["size"] == [55, 80]
    assert figures["conditions"] == {f"zurich_city_{name}": 1 for name in ("13_a", "14_c", "15_a")}
    assert sum(figures["classes"].values()) == pytest.approx(1)

"""The comparison of modalities, end to end on a handful of small scenes."""

import json

import pytest

from spikelab.report.compare import compare, table
from spikelab.settings import Compare, Data, Model, Train

SCENES = {"height": 32, "width": 48, "samples": 8, "workers": 1, "progress": False}


def settings(folder, **changes):
    training = Train(model=Model(options={"size": "small"}), data=Data(options=SCENES), epochs=1, tensorboard=False)
    return Compare(folder=str(folder), train=training, **changes)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison") / "first"
    return folder, compare(settings(folder))


@pytest.mark.slow
def test_compares_and_goes_on_where_it_stopped(done, monkeypatch):
    folder, first = done
    assert [(run["modality"], run["seed"]) for run in first["runs"]] == [("both", 0), ("events", 0), ("frames", 0)]
    better = max(first["summary"][name]["mean_iou"] for name in ("events", "frames"))
    assert first["gain"] == pytest.approx(first["summary"]["both"]["mean_iou"] - better)
    stored = json.loads((folder / "comparison.json").read_text())
    assert stored["summary"] == json.loads(json.dumps(first["summary"]))
    for name in ("comparison.md", "export/events.nir", "export/head.onnx", "export/manifest.json"):
        assert (folder / name).is_file()
    assert len(list((folder / "predictions").glob("*.png"))) == 8
    text = table(first, markdown=True)
    assert "| mean IoU" in text
    assert "events only" in text

    # complete runs are not repeated: training again would have to call the loop
    monkeypatch.setattr("spikelab.learn.train.fit", lambda *args: pytest.fail("a complete run was repeated"))
    again = compare(settings(folder))
    assert again["summary"] == first["summary"]


@pytest.mark.slow
def test_fine_tuning_starts_from_the_counterparts(done, tmp_path):
    folder, _ = done
    tuned = compare(settings(tmp_path, initialise_from=str(folder)))
    assert {run["modality"] for run in tuned["runs"]} == {"both", "events", "frames"}
    for modality in ("both", "events", "frames"):
        stored = (tmp_path / f"{modality}-seed0" / "settings.toml").read_text()
        assert f'initialise_from = "{folder / f"{modality}-seed0"}"' in stored


def test_seeds_are_checked():
    with pytest.raises(ValueError, match="seeds = \\[\\]: give at least one"):
        Compare(seeds=[])
    with pytest.raises(ValueError, match="each seed once"):
        Compare(seeds=[1, 1])

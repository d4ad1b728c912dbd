"""The benchmark of compressed video: speed and energy beside the same model on decoded pictures."""

import json

import pytest

from spikelab.cli import main

SIZE = ["--data.options.height=32", "--data.options.width=48", "--data.options.samples=8"]
BUDGET = ["--device=cpu", "--threads=1"]


def trained(folder, cache, *more):
    options = ["--task=classification", "--model.name=compressed_video", "--data.name=moving_shapes", "--epochs=1"]
    place = [f"--data.options.cache={cache}", "--tensorboard=false"]
    assert main(["train", f"--folder={folder}", *options, *place, *SIZE, *BUDGET, *more]) == 0
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def run(tmp_path_factory, cache):
    return trained(tmp_path_factory.mktemp("runs") / "both", cache)


def test_speed_and_energy_of_both_ways(run, tmp_path, capsys):
    path = tmp_path / "report.json"
    given = ["--videos=4", "--rounds=2", "--batch_size=3", "--json", str(path)]
    assert main(["bench", "video", str(run), *given]) == 0
    figures = json.loads(path.read_text())["figures"]
    compressed, decoded, ratios = figures["compressed"], figures["decoded"], figures["ratios"]
    # 24 pictures go through the encoder of I-frames in place of 2
    assert decoded["ordinary_macs"] > 8 * compressed["ordinary_macs"]
    assert compressed["synaptic_operations"] > 0 == decoded["synaptic_operations"]
    for kind in ("usual", "conservative", "by_counting"):
        joules = decoded["estimated_joule"][kind], compressed["estimated_joule"][kind]
        assert ratios[kind] == pytest.approx(joules[0] / joules[1])
        assert ratios[kind] > 1
    # no multiply-accumulate that is not there is paid for
    assert decoded["estimated_joule"]["by_counting"] == pytest.approx(4.6e-12 * decoded["ordinary_macs"])
    for way in (compressed, decoded):
        alone, together = way["videos_per_second"]["model"], way["videos_per_second"]["with_reading"]
        # reading makes a batch slower, but by less than a busy machine may, so no order is asserted
        assert 0 < together
        assert alone == pytest.approx(1 / way["seconds"]["model"])
    printed = capsys.readouterr().out
    assert "videos per second, with reading" in printed
    assert ("measured in joules" in printed) == (not compressed["measured_joule"])


def test_a_model_without_p_frames_is_refused(tmp_path, cache, capsys):
    run = trained(tmp_path / "image", cache, "--model.options.modality=image")
    capsys.readouterr()
    assert main(["bench", "video", str(run)]) == 1
    assert "sees I-frames only (modality image); take one with modality both or motion" in capsys.readouterr().err


def test_another_model_is_refused(tmp_path, capsys):
    run = tmp_path / "digits"
    options = ["--task=classification", "--model.name=spiking_classifier", "--data.name=drawn_digits", "--epochs=1"]
    options += ["--data.options.train=64"]
    assert main(["train", f"--folder={run}", *options, "--tensorboard=false", *BUDGET]) == 0
    capsys.readouterr()
    assert main(["bench", "video", str(run)]) == 1
    assert "its model is spiking_classifier; `spikelab bench video` takes a run of" in capsys.readouterr().err

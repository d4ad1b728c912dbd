"""Compressed video on the command line: train, eval, predict, export, verify, quantise."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spikelab import registry
from spikelab.cli import main
from spikelab.models.video import CompressedVideo

sys.path.append(str(Path(__file__).parent.parent / "learn"))


@pytest.fixture(autouse=True, scope="module")
def _tiny_registered():
    known = dict(registry.TABLES["datasets"])
    registry.TABLES["datasets"]["tiny_videos"] = "tiny_videos:TinyVideos"
    yield
    registry.TABLES["datasets"].clear()
    registry.TABLES["datasets"].update(known)


def words(run, **options):
    given = {
        "folder": run,
        "task": "classification",
        "model.name": "compressed_video",
        "data.name": "tiny_videos",
        "data.options.samples": 96,
        "data.batch_size": 12,
        "optimiser.learning_rate": 2e-3,
        "tensorboard": "false",
        "device": "cpu",
        "threads": 1,
        "epochs": 5,
        **options,
    }
    return ["train", *(f"--{name}={value}" for name, value in given.items())]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    from spikelab.learn.seeds import random_states, restore_random_states

    states = random_states()
    run = tmp_path_factory.mktemp("runs") / "video"
    assert main([*words(run), "--json", str(run.parent / "run.json")]) == 0
    restore_random_states(states)
    return run


def report(tmp_path, *given):
    path = tmp_path / "report.json"
    assert main([*map(str, given), "--json", str(path)]) == 0
    return json.loads(path.read_text())["figures"]


def test_train_and_eval(trained, tmp_path, capsys):
    figures = report(tmp_path, "eval", trained, "--device=cpu", "--data.batch_size=6", "--energy_batches=2")
    assert figures["accuracy"] > 0.9
    assert figures["parameters"] == sum(p.numel() for p in CompressedVideo(classes=3, frames=4).parameters())
    energy = figures["energy"]
    assert set(energy["spike_rates"]) == {"layer1", "layer2", "layer3"}
    assert all(0 < rate < 0.9 for rate in energy["spike_rates"].values())
    assert energy["estimated_joule_45nm_float32"]["by_counting"] > energy["ordinary_macs"] * 4.6e-12
    assert "spike_rates" in capsys.readouterr().out


def test_other_numbers_of_frames_are_refused(trained, capsys):
    assert main(["eval", str(trained), "--device=cpu", "--data.options.frames=3"]) == 1
    told = capsys.readouterr().err
    assert f"{trained}: does not take data with data option frames = 3 (trained with 4): " in told
    assert "must be [B, 2, 4, 2, H, W]" in told


def test_other_sizes_are_judged_and_told(trained, capsys):
    """Once, though quantise opens the data for each number of bits."""
    assert main(["eval", str(trained), "--device=cpu", "--data.options.side=32", "--data.options.samples=6"]) == 0
    changed = "warning: data option side = 32 (trained with 24): a sample is something else than"
    assert changed in capsys.readouterr().err
    words = ["--data_options.side=32", "--data_options.samples=6", "--samples=3", "--widths=8,4"]
    assert main(["quantise", str(trained), *words]) == 0
    assert capsys.readouterr().err.count(changed) == 1


def test_predict_draws_each_group(trained, tmp_path):
    out = tmp_path / "pictures"
    figures = report(tmp_path, "predict", trained, "--device=cpu", "--folder", out, "--count=2", "--scale=2")
    assert [sample["label"] for sample in figures["samples"]] == ["left", "down"]
    picture = np.asarray(Image.open(figures["files"][0]))
    # I-frame, vectors, residual and three layers, twice, and the bars of the classes beside them
    assert picture.shape[0] > 2 * 48
    assert picture.shape[1] > 6 * (48 + 8)
    for sample in figures["samples"]:
        assert sample["likeliest"][0] == {
            "class": sample["prediction"], "number": sample["prediction_number"], "probability": sample["probability"],
        }  # fmt: skip
        assert [sample["label"], sample["prediction"]] == [
            ("left", "right", "down")[sample[f"{name}_number"]] for name in ("label", "prediction")
        ]


def test_export_as_nir_and_onnx(trained, tmp_path):
    pytest.importorskip("onnxruntime")
    figures = report(tmp_path, "export", trained, "--folder", tmp_path / "nir")
    names = {Path(name).name for name in figures["files"]}
    assert names == {"modulators.nir", "head.onnx", "vectors.safetensors", "manifest.json"}
    assert figures["manifest"]["inputs"]["image"] == [1, 2, 3, 24, 24]


def test_the_integer_bundle_is_verified(trained, tmp_path):
    pytest.importorskip("onnxruntime")
    bundle = tmp_path / "bundle"
    figures = report(tmp_path, "export", trained, "--format=bundle", "--samples=6", "--folder", bundle)
    assert figures["ordinary_half"]["samples"] == 6
    layers = {layer["layer"]: layer for layer in figures["agreement"]}
    assert all(layers[f"layer{place}"]["equal"] > 0.9 for place in (1, 2, 3))
    # NIR has no reset by subtraction, and the file would say another one
    assert "subtracts its threshold" in figures["nir_left_out"]
    checks = report(tmp_path, "verify", bundle)["checks"]
    assert all(check["equal"] for check in checks.values())
    assert set(checks) >= {"npz", "ordinary_half"}


def test_what_adaptive_thresholds_lack_is_said_with_the_remedy(tmp_path, capsys):
    run = tmp_path / "adaptive"
    options = {"model.options.threshold": "adaptive", "data.options.samples": 12, "epochs": 1}
    assert main(words(run, **options)) == 0
    for command in (["export"], ["export", "--format=npz"], ["quantise"], ["map", "--target=loihi2"]):
        capsys.readouterr()
        assert main([command[0], str(run), *command[1:]]) == 1
        assert capsys.readouterr().err.endswith("train with --model.options.threshold learned (or fixed)\n")
    assert main(["predict", str(run), "--device=cpu", "--count=1"]) == 0


def test_accuracy_in_integers(trained, tmp_path):
    figures = report(tmp_path, "quantise", trained, "--widths=8")
    assert figures["real"]["accuracy"] > 0.9
    assert figures["bits"]["8"]["figures"]["accuracy"] > 0.9


def test_files_of_ones_own(tmp_path, capsys):
    run = tmp_path / "run"
    options = {"height": 32, "width": 32, "frames": 5, "samples": 6, "label": "identity", "cache": tmp_path / "cache"}
    data = {"data.name": "moving_shapes", **{f"data.options.{name}": value for name, value in options.items()}}
    assert main(words(run, **data, **{"data.batch_size": 3, "epochs": 1})) == 0
    clip = next((tmp_path / "cache").rglob("test-*.mp4"), None) or next((tmp_path / "cache").rglob("train-*.mp4"))
    capsys.readouterr()
    figures = report(tmp_path, "predict", run, "--device=cpu", "--files", clip)
    printed = capsys.readouterr().out
    (sample,) = figures["samples"]
    assert sample["prediction"] in ("red", "green", "blue")
    assert f"{clip}: {sample['prediction']}, {100 * sample['probability']:.1f} %" in printed
    assert Path(figures["files"][0]).name == f"file-{clip.stem}-00000.png"
    assert main(["predict", str(run), "--device=cpu", "--files", str(tmp_path / "none.mp4")]) == 1
    assert "none.mp4: no such file" in capsys.readouterr().err
    assert main(["predict", str(run), "--files", str(clip), "--data.options.accumulate=false"]) == 1
    assert "files: are read as the run's data was; leave out data.name and data.options" in capsys.readouterr().err


def test_files_need_a_model_of_video(tmp_path, capsys):
    run = tmp_path / "digits"
    options = ["--task=classification", "--model.name=spiking_classifier", "--data.name=drawn_digits", "--epochs=1"]
    options += ["--data.options.train=64", "--tensorboard=false", "--device=cpu", "--threads=1"]
    assert main(["train", f"--folder={run}", *options]) == 0
    capsys.readouterr()
    assert main(["predict", str(run), "--files", "a.mp4"]) == 1
    assert "files: video files are for models of compressed video" in capsys.readouterr().err


@pytest.mark.shared
def test_fine_tuned_on_real_clips_from_files_to_pictures(shared, tmp_path):
    """Two classes of whatever clips there are, from a run on other clips."""
    clips = [p for p in sorted((shared / "data" / "video_clips").iterdir()) if p.suffix in (".avi", ".mp4", ".mkv")]
    for split in ("train", "val", "test"):
        for place, path in enumerate(clips):
            folder = tmp_path / "clips" / split / ("even", "odd")[place % 2]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / path.name).symlink_to(path)
    options = {"cache": tmp_path / "cache", "groups": 2, "kept": 2, "steps": 4, "crop": "[56,80]", "size": "[64,96]"}
    data = {f"data.options.{name}": value for name, value in options.items()}
    first = tmp_path / "first"
    made = {"data.name": "moving_shapes", "data.options.height": 32, "data.options.width": 32, "data.options.frames": 5}
    made |= {"data.options.samples": 8, "data.options.cache": tmp_path / "cache"}
    common = {"data.batch_size": 4, "epochs": 1}
    assert main(words(first, **{**common, **made})) == 0
    run = tmp_path / "run"
    onwards = {"initialise_from": first, "initialise_skip": "[classify]", "data.name": "action_videos"}
    given = {**common, **onwards, **data, "data.options.folder": tmp_path / "clips"}
    assert main([word for word in words(run, **given) if "samples" not in word]) == 0
    figures = report(tmp_path, "predict", run, "--device=cpu", "--count=0", "--scale=1")
    assert len(figures["files"]) == len(clips)
    assert {sample["label"] for sample in figures["samples"]} == {"even", "odd"}
    for name in figures["files"]:
        picture = np.asarray(Image.open(name))
        assert picture.shape[0] > 2 * 56
        assert len(np.unique(picture)) > 20
    # files as they are, without a folder for their class
    figures = report(tmp_path, "predict", run, "--device=cpu", "--files", f"{clips[0]},{clips[1]}", "--scale=1")
    assert [sample["file"] for sample in figures["samples"]] == [str(clips[0]), str(clips[1])]
    assert {sample["label"] for sample in figures["samples"]} == {None}

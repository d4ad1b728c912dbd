"""Classification: figures against counts made the slow way, the loss against torch's own, the whole command line."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_digits import bars, words
from torch.nn import functional

from spikelab.cli import main
from spikelab.io.checkpoint import load_checkpoint
from spikelab.learn.classification import ClassificationMeter, ClassificationTask
from spikelab.report.class_prediction import draw_class
from spikelab.settings import Loss

CLASSES = SimpleNamespace(class_names=("left", "right", "top"))


@pytest.mark.parametrize("seed", range(4))
def test_figures_against_numpy(seed):
    random = np.random.default_rng(seed)
    classes, samples = int(random.integers(2, 7)), 60
    labels = random.integers(0, classes - seed % 2, samples)  # odd seeds lack the last class
    logits = torch.from_numpy(random.standard_normal((samples, classes)))
    logits[:, 0] -= 9 * (seed == 2)  # class 0 is never predicted
    names = [f"class {c}" for c in range(classes)]
    meter = ClassificationMeter(names)
    for part in (slice(0, 7), slice(7, 8), slice(8, samples)):
        meter.update(logits[part], {"label": torch.from_numpy(labels[part])}, range(samples)[part])
    figures = meter.figures()
    found = logits.argmax(1).numpy()
    assert figures["accuracy"] == pytest.approx((found == labels).mean(), rel=1e-12)
    for c, name in enumerate(names):
        if (labels == c).any():
            assert figures["class_accuracy"][name] == pytest.approx((found[labels == c] == c).mean(), rel=1e-12)
        else:
            assert figures["class_accuracy"][name] is None
        if (found == c).any():
            assert figures["precision"][name] == pytest.approx((labels[found == c] == c).mean(), rel=1e-12)
        else:
            assert figures["precision"][name] is None
        for d in range(classes):
            assert figures["confusion_matrix"][c][d] == ((labels == c) & (found == d)).sum()
    assert figures["absent_classes"] == ([names[-1]] if seed % 2 else [])
    assert figures["samples"] == samples
    json.dumps(figures)


def test_no_sample_has_no_accuracy():
    task = ClassificationTask(CLASSES)
    figures = task.meter(None).figures()
    assert figures["accuracy"] is None
    assert task.summary(figures) == "no sample"
    assert task.summary({"accuracy": 0.98765}) == "accuracy 98.77 %"


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_is_torchs_mean_once_divided(weights, smoothing):
    generator = torch.Generator().manual_seed(0)
    logits, label = torch.randn(8, 3, generator=generator), torch.randint(0, 3, (8,), generator=generator)
    total, weight = ClassificationTask(CLASSES, Loss(smoothing, weights)).loss(logits, {"label": label})
    given = None if weights is None else torch.tensor(weights)
    expected = functional.cross_entropy(logits, label, given, label_smoothing=smoothing)
    torch.testing.assert_close(total / weight, expected)


def test_what_does_not_fit_is_named():
    task = ClassificationTask(CLASSES)
    image, model = torch.zeros(2, 1, 3, 3), torch.nn.Flatten()
    with pytest.raises(ValueError, match=r"has 2 values; give one for each of the 3 classes: left, right, top"):
        ClassificationTask(CLASSES, Loss(class_weights=[1.0, 1.0]))
    with pytest.raises(ValueError, match=r"the model gives logits \[2, 9\], and the labels ask for \[2, 3\]"):
        task.loss(model(image), {"label": torch.tensor([0, 1])})
    with pytest.raises(ValueError, match=r"label\[1\] is 3: classes go from 0 to 2 \(1 such labels\)"):
        task.forward(model, {"image": image, "label": torch.tensor([0, 3])})
    with pytest.raises(ValueError, match=r"labels are torch\.int64 \[2, 1\]; give one int64 for each sample"):
        task.forward(model, {"image": image, "label": torch.tensor([[0], [1]])})
    with pytest.raises(ValueError, match="the batch is empty"):
        task.forward(model, {"image": image[:0], "label": torch.tensor([], dtype=torch.int64)})
    with pytest.raises(
        ValueError, match=r"no 'image' but 'events', 'frame', 'label': classification takes a data set of images"
    ):
        task.forward(model, {"events": image, "frame": image, "label": torch.tensor([0, 3])})
    with pytest.raises(ValueError, match=r"takes images: choose one for events, --model\.name event_classifier"):
        task.forward(model, {"events": image, "label": torch.tensor([0, 3])})


def test_picture_of_a_prediction():
    green, red = (40, 140, 60), (200, 30, 30)
    sample = np.full((8, 8, 3), 7, np.uint8)
    wrong = np.array(draw_class(sample, [0.1, 0.7, 0.2], ["left", "right", "top"], 0, scale=5))
    bars = [(wrong == np.array(colour, np.uint8)).all(axis=2).sum() for colour in (green, red)]
    assert bars[1] == pytest.approx(7 * bars[0], rel=0.2)
    assert (wrong == 7).all(axis=2).sum() >= 38 * 38
    right = np.array(draw_class(sample, [0.1, 0.7, 0.2], ["left", "right", "top"], 1, scale=5))
    assert not (right == np.array(red, np.uint8)).all(axis=2).any()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return bars(tmp_path_factory.mktemp("bars"))


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    from spikelab.learn.seeds import random_states, restore_random_states

    states = random_states()
    run = tmp_path_factory.mktemp("runs") / "whole"
    assert main([*words(folder, run), "--json", str(run.parent / "run.json")]) == 0
    restore_random_states(states)
    return run


def test_train_and_eval(trained, tmp_path, capsys):
    figures = json.loads((trained.parent / "run.json").read_text())["figures"]
    assert figures["best"]["accuracy"] > 0.9
    assert figures["best"]["samples"] == 15
    assert figures["parameters"] == 36 * 16 + 16 + 16 * 3 + 3
    assert Image.open(trained / "curves.png").size[0] > 500
    assert main(["eval", str(trained), "--device", "cpu", "--json", str(tmp_path / "eval.json")]) == 0
    text = capsys.readouterr().out
    figures = json.loads((tmp_path / "eval.json").read_text())["figures"]
    assert figures["samples"] == 30
    assert figures["accuracy"] == np.trace(figures["confusion_matrix"]) / 30 > 0.9
    assert f"accuracy {100 * figures['accuracy']:.2f} % of 30 samples" in text
    row = next(line for line in text.splitlines() if line.startswith("top")).split()
    assert row[1] == f"{100 * figures['class_accuracy']['top']:.2f}"
    assert row[3:] == [str(count) for count in figures["confusion_matrix"][2]]


def test_other_classes_are_refused(trained, capsys):
    assert main(["eval", str(trained), "--device=cpu", "--data.options.class_names=left,right,bottom"]) == 1
    assert "number 2 is 'bottom', not 'top'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "segmentation"}, "class for each pixel, and a MNIST has none; .* --task classification"),
        ({"model.name": "halsie"}, r"does not fit the data set, a MNIST: .* lacks \(.*time_bins.*; choose another"),
        ({"data.name": "tiny"}, r"does not fit the data set, a TinyScenes: .* lacks \('image'\); choose another"),
    ],
)  # fmt: skip
def test_task_model_and_data_must_fit(options, message, folder, tmp_path, capsys):
    given = [word for word in words(folder, tmp_path / "run", **options) if "model.options" not in word]
    if "data.name" in options:
        given = [word for word in given if "data.options" not in word]
    assert main(given) == 1
    assert re.search(message, capsys.readouterr().err)


def test_resumed_run_ends_with_the_same_weights(folder, trained, tmp_path):
    """Killed between two checkpoints: the shifts too are those of the epoch, wherever it is entered."""
    from spikelab.learn import loop

    run, options = tmp_path / "run", {"data.options.shift": 1, "checkpoint_every": 2, "epochs": 3}
    assert main(words(folder, tmp_path / "whole", **options)) == 0
    step, calls = loop.train_step, []

    def killed_at_8(*arguments):
        calls.append(1)
        if len(calls) == 8:
            raise RuntimeError("no power")
        return step(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "train_step", killed_at_8)
        assert main(words(folder, run, **options)) == 1
    assert main(["train", "--resume", str(run)]) == 0
    whole, resumed = (load_checkpoint(path / "last.safetensors")["model"] for path in (tmp_path / "whole", run))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_predict(trained, tmp_path, capsys):
    command = ["predict", str(trained), "--device", "cpu", "--folder", str(tmp_path / "p"), "--indices", "0,4"]
    assert main([*command, "--json", str(tmp_path / "predict.json")]) == 0
    samples = json.loads((tmp_path / "predict.json").read_text())["figures"]["samples"]
    assert [sample["label"] for sample in samples] == ["left", "right"]
    assert all(1 / 3 < sample["probability"] <= 1 for sample in samples)
    assert Image.open(tmp_path / "p" / "mnist-test-00004.png").size[0] > 200
    assert main([*command, "--maps", "true"]) == 1
    assert "maps: a sample of a classification has one class" in capsys.readouterr().err


def test_data_check(folder, capsys, tmp_path):
    command = ["data", "check", "--name", "mnist", "--json", str(tmp_path / "data.json")]
    few = ["--options.validation", "5"]
    assert main([*command, f"--options.folder={folder}", "--options.class_names=left,right,top,none", *few]) == 1
    text = capsys.readouterr().out
    assert "left, % of samples" in text
    assert "train: no sample of class 'none'" in text
    splits = json.loads((tmp_path / "data.json").read_text())["figures"]["splits"]
    assert {name: split["samples"] for name, split in splits.items()} == {"train": 75, "validation": 15, "test": 30}
    assert splits["test"]["size"] == [6, 6]
    assert splits["test"]["classes"]["right"] == pytest.approx(1 / 3)

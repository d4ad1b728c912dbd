"""Segmentation figures against counts made the slow way in NumPy, and the loss against torch's own mean."""

import numpy as np
import pytest
import tiny_parts
import torch
from torch.nn import functional

from spikelab.learn.metrics import SegmentationMeter, confusion_matrix, figures_of
from spikelab.learn.segmentation import SegmentationTask
from spikelab.settings import Loss


def numpy_figures(predictions, labels, classes, ignore):
    """Sets of pixels, one class at a time."""
    counted = labels != ignore
    iou = []
    for c in range(classes):
        truth, found = (labels == c) & counted, (predictions == c) & counted
        iou.append((truth & found).sum() / (truth | found).sum() if truth.any() else np.nan)
    return np.array(iou), (predictions[counted] == labels[counted]).mean()


@pytest.mark.parametrize("seed", range(5))
def test_against_numpy(seed):
    generator = np.random.default_rng(seed)
    classes = int(generator.integers(2, 9))
    labels = generator.choice([*range(classes - seed % 2), 255], (7, 5, 6))  # odd seeds lack the last class
    logits = torch.from_numpy(generator.standard_normal((7, classes, 5, 6)))
    meter = SegmentationMeter([f"class {c}" for c in range(classes)], 255)
    for part in (slice(0, 3), slice(3, 4), slice(4, 7)):
        meter.update(logits[part], {"label": torch.from_numpy(labels[part])}, range(7)[part])
    figures = meter.figures()
    iou, accuracy = numpy_figures(logits.argmax(1).numpy(), labels, classes, 255)
    found = np.array([np.nan if value is None else value for value in figures["iou"].values()])
    np.testing.assert_allclose(found, iou, rtol=1e-12)
    assert figures["mean_iou"] == pytest.approx(np.nanmean(iou), rel=1e-12)
    assert figures["pixel_accuracy"] == pytest.approx(accuracy, rel=1e-12)
    assert figures["absent_classes"] == ([f"class {classes - 1}"] if seed % 2 else [])
    assert figures["pixels"] == (labels != 255).sum()


def test_one_matrix_over_the_split_is_not_the_mean_over_pictures():
    """Two pictures of one row: class 1 is 1 of 2 right in the first, 0 of 1 in the second."""
    labels = torch.tensor([[[1, 1, 0, 0]], [[1, 0, 0, 0]]])
    predictions = torch.tensor([[[1, 0, 0, 0]], [[0, 0, 0, 0]]])
    meter = SegmentationMeter(["a", "b"], 255)
    meter.update(functional.one_hot(predictions, 2).movedim(-1, 1), {"label": labels}, [0, 1])
    assert meter.figures()["iou"] == {"a": 5 / 7, "b": 1 / 3}


def test_absent_class_predicted_or_not():
    only = figures_of(torch.tensor([[3, 1], [0, 0]]), ["a", "b"])
    assert only["iou"] == {"a": 0.75, "b": None}
    assert only["mean_iou"] == 0.75
    assert only["absent_classes"] == ["b"]
    nothing = figures_of(torch.zeros(2, 2, dtype=torch.int64), ["a", "b"])
    assert nothing["mean_iou"] is None
    assert nothing["pixel_accuracy"] is None


def test_counts_beyond_float32():
    """2^24 + 1 pixels: a float32 count would lose the last one."""
    confusion = torch.tensor([[2**24 + 1, 0], [1, 2**24]])
    assert figures_of(confusion, ["a", "b"])["pixels"] == 2**25 + 2


def test_conditions_split_the_samples():
    labels = torch.zeros(3, 1, 2, dtype=torch.int64)
    logits = functional.one_hot(torch.tensor([[[0, 0]], [[0, 1]], [[1, 1]]]), 2).movedim(-1, 1)
    meter = SegmentationMeter(["a", "b"], 255, [("dark",), ("dark", "stopped"), ()])
    meter.update(logits, {"label": labels}, [0, 1, 2])
    found = meter.figures()["conditions"]
    assert {name: (each["pixel_accuracy"], each["samples"]) for name, each in found.items()} == {
        "dark": (0.75, 2),
        "stopped": (0.5, 1),
    }


def test_confusion_matrix_is_label_by_prediction():
    matrix = confusion_matrix(torch.tensor([1, 1, 2]), torch.tensor([0, 255, 2]), 3, 255)
    assert matrix.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 1.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_is_torchs_mean_and_adds_up_over_parts(weights, smoothing):
    torch.manual_seed(1)
    task = SegmentationTask(tiny_parts.EMPTY, Loss(smoothing, weights))
    logits, label = torch.randn(4, 3, 5, 6), torch.randint(0, 3, (4, 5, 6))
    label[torch.rand(label.shape) < 0.3] = 255
    expected = functional.cross_entropy(
        logits,
        label,
        weight=None if weights is None else torch.tensor(weights),
        ignore_index=255,
        label_smoothing=smoothing,
    )
    parts = [task.loss(logits[part], {"label": label[part]}) for part in (slice(0, 1), slice(1, 4))]
    total, weight = (sum(values) for values in zip(*parts, strict=True))
    torch.testing.assert_close(total / weight, expected)


def test_nothing_labelled_is_no_loss():
    task = SegmentationTask(tiny_parts.EMPTY)
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    total, weight = task.loss(logits, {"label": torch.full((2, 4, 4), 255)})
    total.backward()
    assert (total.item(), weight.item()) == (0.0, 0.0)
    assert not logits.grad.any()


def test_bad_batches_are_refused():
    task = SegmentationTask(tiny_parts.EMPTY)
    model = tiny_parts.TinyNet()
    batch = {"events": torch.zeros(2, 3, 2, 8, 12), "frame": torch.zeros(2, 1, 8, 12)}
    with pytest.raises(ValueError, match="the batch is empty"):
        task.forward(model, {key: value[:0] for key, value in batch.items()} | {"label": torch.zeros(0, 8, 12).long()})
    label = torch.zeros(2, 8, 12, dtype=torch.int64)
    label[1, 2, 3] = -1
    with pytest.raises(ValueError, match=r"label\[1, 2, 3\] is -1: classes go from 0 to 2, and 255"):
        task.forward(model, batch | {"label": label})
    with pytest.raises(ValueError, match=r"labels have dtype torch\.uint8; give int64"):
        task.forward(model, batch | {"label": label.byte()})
    with pytest.raises(ValueError, match=r"logits \[2, 3, 8, 12\], and the labels ask for \[2, 3, 8, 10\]"):
        task.loss(torch.zeros(2, 3, 8, 12), {"label": torch.zeros(2, 8, 10).long()})

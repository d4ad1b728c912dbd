"""Tables, pictures and curves."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from spikelab.learn.classification import ClassificationMeter
from spikelab.learn.run_folder import RunFolder
from spikelab.report import text
from spikelab.report.curves import draw_curves
from spikelab.report.overlay import class_picture, events_picture, frame_picture, side_by_side
from spikelab.report.tables import counted, percent, render

PALETTE = np.array([(200, 0, 0), (0, 200, 0)], dtype=np.uint8)


def test_tables():
    plain = render(["class", "all"], [["road", "98.50"], ["a long name", None]])
    assert plain.splitlines() == [
        "class          all",
        "------------------",
        "road         98.50",
        "a long name      -",
    ]
    marked = render(["class", "all"], [["road", 3]], markdown=True)
    assert marked.splitlines() == ["| class | all |", "| ----- | --: |", "| road  |   3 |"]
    with pytest.raises(ValueError, match=r"a row has 1 cells, and the header 2: \['x'\]"):
        render(["a", "b"], [["x"]])
    assert percent(0.12345) == "12.35"
    assert percent(None) is None


def test_frames():
    picture = frame_picture(np.array([[[0.0, 0.5, 1.0, 2.0]]]))
    assert picture.dtype == np.uint8
    assert picture[0, :, 0].tolist() == [0, 128, 255, 255]


def test_events_have_a_colour_by_polarity():
    events = np.zeros((3, 2, 2, 3), dtype=np.float32)
    events[:, 0, 0, 0] = 1  # OFF
    events[:, 1, 0, 1] = 1  # ON
    events[0, 1, 1, 0] = 1  # fewer of them: paler
    picture = events_picture(events).astype(int)
    assert picture[0, 0, 2] > picture[0, 0, 0], "OFF is blue"
    assert picture[0, 1, 0] > picture[0, 1, 2], "ON is red"
    assert picture[1, 0, 1] > picture[0, 1, 1]
    assert (picture[1, 1:] == 255).all(), "white where nothing happened"
    assert (events_picture(np.zeros((3, 2, 2, 3))) == 255).all()


def test_classes_and_what_is_none():
    picture = class_picture(np.array([[0, 1, 255, -1]]), PALETTE)
    assert picture[0].tolist() == [[200, 0, 0], [0, 200, 0], [0, 0, 0], [0, 0, 0]]
    frame = np.full((1, 4, 3), 100, dtype=np.uint8)
    assert class_picture(np.array([[0, 1, 255, -1]]), PALETTE, frame)[0, 0].tolist() == [175, 25, 25]


def test_panels_stand_side_by_side_above_the_legend():
    panels = [("one", np.full((10, 20, 3), 7, dtype=np.uint8)), ("two", np.full((10, 20, 3), 9, dtype=np.uint8))]
    picture = np.array(side_by_side(panels, ["road", "car"], PALETTE, scale=3))
    assert (picture[20:50, 8:68] == 7).all()
    assert (picture[20:50, 76:136] == 9).all()
    for colour in PALETTE:
        assert (picture[58:] == colour).all(axis=2).sum() > 50, "a swatch in the legend"
    narrow = side_by_side(panels, [f"a rather long name {c}" for c in range(12)], np.zeros((12, 3), np.uint8))
    assert narrow.height > picture.shape[0], "the legend takes as many lines as it needs"


def test_evaluation_table():
    column = {"mean_iou": 0.5, "pixel_accuracy": 0.75, "iou": {"road": 0.5, "sky": None}, "samples": 2}
    figures = column | {"absent_classes": ["sky"], "conditions": {"dark": column | {"samples": 1}}}
    figures |= {"run": "runs/a", "model": "m", "step": 3, "dataset": "d", "split": "test"}
    figures["energy"] = {"ordinary_macs": 1.5e9, "layers": {"a": {"rate": 0.125}}}
    lines = text.evaluation(figures).splitlines()
    assert lines[0] == "runs/a (m, step 3) on d/test: IoU in percent"
    assert lines[1].split() == ["class", "all", "dark"]
    assert [line.split() for line in lines[3:7]] == [
        ["road", "50.00", "50.00"],
        ["sky", "-", "-"],
        ["mean", "IoU", "50.00", "50.00"],
        ["pixel", "accuracy", "75.00", "75.00"],
    ]
    assert "no labelled pixel, and so not in the mean: sky" in lines
    assert any(line.split() == ["rate", "0.125"] for line in lines)
    assert text.evaluation(figures, markdown=True).count("|") > 10


def test_curves(tmp_path):
    folder = RunFolder(tmp_path)
    folder.log.write_text("")
    with pytest.raises(ValueError, match=r"log\.jsonl: no validation has been logged yet"):
        draw_curves(folder, tmp_path / "curves.png")
    lines = [{"kind": "train", "step": s, "loss": 1 / s, "gradient_norm": 1.0, "learning_rate": 0.1} for s in (1, 2)]
    lines += [{"kind": "validation", "step": 2, "epoch": 1, "train_loss": 0.7, "loss": None, "mean_iou": 0.5}]
    folder.log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    draw_curves(folder, tmp_path / "curves.png")
    assert np.array(Image.open(tmp_path / "curves.png").convert("L")).std() > 5


def classification(matrix):
    """Figures of a confusion matrix, as `ClassificationMeter` gives them."""
    counts = torch.tensor(matrix)
    meter = ClassificationMeter([f"class{k}" for k in range(len(matrix))])
    meter.confusion += counts
    run = {"run": "runs/a", "model": "m", "step": 3, "dataset": "d", "split": "test"}
    return meter.figures() | run


def test_few_classes_show_all_confusions():
    found = text.evaluation(classification([[3, 1], [0, 4]])).splitlines()
    assert found[1].split() == "class recognised, % precision, % as class0 as class1".split()
    assert found[3].split() == ["class0", "75.00", "100.00", "3", "1"]


def test_many_classes_show_the_worst_first():
    """Class k of 30 is recognised in k of 30 samples, and otherwise taken for class 0; class 29 has no sample."""
    matrix = [[0] * 30 for _ in range(30)]
    for k in range(29):
        matrix[k][k] = k
        matrix[k][0] += 30 - k
    # as few are recognised as of class 3, of twice as many: more certain, and so before it
    matrix[9] = [0] * 9 + [6, 54] + [0] * 19
    shown = text.evaluation(classification(matrix)).splitlines()
    assert all(len(line) <= 120 for line in shown)
    rows = [line.split() for line in shown]
    start = next(place for place, line in enumerate(shown) if line.startswith("classes recognised worst"))
    assert [row[0] for row in rows[start + 2 : start + 12]] == [f"class{k}" for k in (1, 2, 9, 3, 4, 5, 6, 7, 8, 10)]
    assert rows[start + 4][1:] == ["10.00", "100.00", "60"]
    start = next(place for place, line in enumerate(shown) if line.startswith("confused most often"))
    assert rows[start + 2] == ["class9", "class10", "54", "90.00"]
    assert rows[start + 3] == ["class1", "class0", "29", "96.67"]
    assert len(rows[start + 2 :]) > 10
    assert "19 more classes and 18 more confused pairs: all are in --json FILE" in shown[start + 13]
    assert shown[-1] == "no sample: class29"


def test_a_perfect_classifier_confuses_nothing():
    shown = text.evaluation(classification((5 * np.eye(20, dtype=int)).tolist()))
    assert "confused most often" not in shown
    assert "10 more classes and 0 more confused pairs" in shown


def test_one_of_a_thing_has_no_plural():
    figures = {"epochs": 1, "steps": 7, "parameters": 12345, "folder": "runs/a", "best": {"epoch": 1, "accuracy": 0.5}}
    assert text.training(figures).startswith("1 epoch, 7 steps, 12,345 parameters\n")
    assert counted(1, "step") == "1 step"
    assert counted(0, "step") == "0 steps"


def test_curves_of_a_single_epoch_are_seen(tmp_path):
    """A line through one point is nothing; and an empty axis says why it is empty."""
    folder = RunFolder(tmp_path)
    step = {"kind": "train", "step": 2, "loss": 0.5, "gradient_norm": 1.0, "learning_rate": 0.1}
    epoch = {"kind": "validation", "step": 2, "epoch": 1, "train_loss": 0.7, "loss": 0.6, "accuracy": 0.5}
    ink = {}
    for name, records in (("with", [step, epoch]), ("without", [epoch])):
        folder.log.write_text("".join(json.dumps(record) + "\n" for record in records))
        draw_curves(folder, tmp_path / "curves.png")
        picture = np.array(Image.open(tmp_path / "curves.png").convert("RGB")).astype(int)
        last = picture[:, 2 * picture.shape[1] // 3 :]
        # the curve is green, the text and the axes are grey
        ink[name] = (last[..., 1] - last[..., 0] > 60).sum(), (last.sum(2) < 300).sum()
    assert ink["with"][0] > 10
    assert ink["without"][0] == 0
    assert ink["without"][1] > ink["with"][1] + 100

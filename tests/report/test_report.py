"""Tables, pictures and curves."""

import json

import numpy as np
import pytest
from PIL import Image

from spikelab.learn.run_folder import RunFolder
from spikelab.report import text
from spikelab.report.curves import draw_curves
from spikelab.report.overlay import class_picture, events_picture, frame_picture, side_by_side
from spikelab.report.tables import percent, render

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

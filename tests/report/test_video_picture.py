"""Pictures of compressed video: what is drawn follows the sample and the model's spikes."""

import numpy as np
import pytest
import torch
from PIL import ImageDraw

from spikelab.models.video import CompressedVideo
from spikelab.models.video_input import InputScale
from spikelab.report.class_prediction import draw_class
from spikelab.report.fonts import font_for
from spikelab.report.video_picture import layer_spikes, video_picture


def sample(groups=2, frames=3, height=32, width=48):
    generator = torch.Generator().manual_seed(0)
    return {
        "image": torch.full((groups, 3, height, width), 0.5),
        "motion": torch.zeros((groups, frames, 2, height, width)),
        "residual": 0.1 * torch.randn((groups, frames, 1, height, width), generator=generator).clamp(-1, 1),
        "valid": torch.ones((groups, frames), dtype=torch.bool),
        "label": torch.tensor(0),
    }


def panels(picture, scale, height=32, width=48):
    """The panels of each row without titles and borders, each [H, W, 3]; found by their borders."""
    height, width = height * scale, width * scale
    border = (picture == (170, 170, 170)).all(-1)
    tops = [y for y in range(len(border) - height) if border[y : y + height + 2, MARGIN - 1].all()]
    found = []
    for top in tops:
        sides = [x for x in range(picture.shape[1]) if border[top : top + height + 2, x].all()]
        assert [right - left for left, right in zip(sides[::2], sides[1::2], strict=True)] == [width + 1] * (
            len(sides) // 2
        )
        found.append([picture[top + 1 : top + 1 + height, x + 1 : x + 1 + width] for x in sides[::2]])
    return found


MARGIN = 8


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = CompressedVideo(classes=5, frames=3)
    for norm in model.modules():
        if isinstance(norm, torch.nn.modules.batchnorm._BatchNorm | InputScale):
            norm.momentum = 1.0
    given = sample()
    with torch.no_grad():
        model(*(given[name][None] for name in model.inputs))
    return model.eval()


def test_a_row_a_group_with_one_panel_a_layer(model):
    given = sample()
    picture = video_picture(model, given, 2)
    first, second = panels(picture, 2)
    assert len(first) == len(second) == 6
    assert (first[0] == 128).all()  # the I-frame is grey
    assert first[2].std() > 10  # the residual is not
    spikes = layer_spikes(model, given)
    for column, name in enumerate(("layer1", "layer2", "layer3"), start=3):
        for row, maps in zip((first, second), spikes[name], strict=True):
            # redder where more spikes are
            redness = 255 - row[column][..., 2].astype(float)
            assert np.corrcoef(redness[8::16, 8::16].ravel(), sampled(maps, (4, 6)).ravel())[0, 1] > 0.9


def sampled(maps, shape):
    """A map at the middle of the cells of a grid."""
    rows, columns = (((np.arange(n) + 0.5) * size / n).astype(int) for n, size in zip(shape, maps.shape, strict=True))
    return maps[rows][:, columns]


def test_arrows_stand_where_things_move(model):
    given = sample()
    still = panels(video_picture(model, given, 4), 4)
    given["motion"][0, -1, 0, 8:16, 16:24] = 4.0
    moved = panels(video_picture(model, given, 4), 4)
    changed = (still[0][1] != moved[0][1]).any(-1)
    rows, columns = changed.nonzero()
    assert (4 * 8 < rows).all()
    assert (rows < 4 * 16).all()
    # from 4 pixels left of the middle of the block to its middle
    assert (columns.min(), columns.max()) == (4 * 16, 4 * 20)
    assert np.array_equal(still[1][1], moved[1][1])


def test_a_group_without_p_frames_shows_its_i_frame_only(model):
    given = sample()
    given["valid"][1] = False
    first, second = panels(video_picture(model, given, 2), 2)
    assert len(first) == 6
    assert len(second) == 1
    assert (second[0] == 128).all()


def test_models_that_do_not_spike_show_no_spikes():
    given = sample()
    for model in (CompressedVideo(classes=5, frames=3, stm="ordinary"), torch.nn.Linear(1, 1)):
        assert layer_spikes(model, given) == {}
        assert [len(row) for row in panels(video_picture(model, given, 1), 1)] == [3, 3]


@pytest.fixture
def texts(monkeypatch):
    """What is written into pictures."""
    found = []
    draw = ImageDraw.ImageDraw.text

    def text(self, place, words, *given, **more):
        found.append(words)
        return draw(self, place, words, *given, **more)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    return found


def test_titles_and_legend_tell_what_is_drawn(model, texts):
    given = sample()
    given["valid"][1, -1] = False
    video_picture(model, given, 1, since="I-frame", available=2)
    assert [text for text in texts if "frame " in text] == ["P-frame 3"] * 2 + ["P-frame 2"] * 2
    assert {"group 1", "group 2", "layer1", "layer2", "layer3"} <= set(texts)
    assert [line.partition(":")[0] for line in texts if ":" in line] == [
        "arrows", "residual", "spikes a step, mean over channels and P-frames",
    ]  # fmt: skip
    assert "in the I-frame, to where it is" in next(line for line in texts if line.startswith("arrows"))


def test_the_legend_explains_no_more_than_there_is(texts):
    given = sample()
    given["valid"][:] = False
    video_picture(torch.nn.Linear(1, 1), given, 1)
    assert not [line for line in texts if ":" in line]


@pytest.mark.parametrize(
    ("groups", "available", "told"),
    [
        (2, 1, "group 2: the last group again, as the video is short: it has 1 group of pictures"),
        (4, 2, "groups 3 to 4: the last group again, as the video is short: it has 2 groups of pictures"),
        (2, 2, None),
        (2, 7, None),
        (2, None, None),
    ],
)
def test_groups_of_a_short_video_are_said_to_be_repeated(texts, groups, available, told):
    video_picture(torch.nn.Linear(1, 1), sample(groups), 1, available=available)
    assert [line for line in texts if "again" in line] == ([told] if told else [])


def test_decoded_pictures_are_no_groups(texts):
    given = sample(groups=3, frames=0)
    video_picture(torch.nn.Linear(1, 1), given, 1, available=1)
    assert texts == ["picture", "1 of 3", "picture", "2 of 3", "picture", "3 of 3"]


DZH = "дж"
CLASSES = [f"class of number {number}" for number in range(30)]


def test_of_many_classes_the_likeliest_and_the_true_one_are_shown(texts):
    probabilities = np.full(30, 0.01)
    probabilities[[4, 9, 2]] = 0.3, 0.2, 0.1
    grey = np.full((8, 8, 3), 128, np.uint8)
    draw_class(grey, list(probabilities), CLASSES, 29, 2, "clip.mp4, sample 3")
    assert texts[:4] == [
        "clip.mp4, sample 3", "true class: class of number 29", "recognised as (30.0 %): class of number 4",
        "the 5 likeliest of 30 classes, and the true one",
    ]  # fmt: skip
    rows = [text for text in texts[4:] if "class" in text]
    assert rows == [CLASSES[number] for number in (4, 9, 2, 0, 1, 29)]
    texts.clear()
    draw_class(grey, list(probabilities), CLASSES, 9, 2)
    assert "the 5 likeliest of 30 classes" in texts
    texts.clear()
    draw_class(grey, [0.5, 0.2, 0.3], CLASSES[:3], -1, 2)
    assert texts[:2] == ["true class: not known", "recognised as (50.0 %): class of number 0"]
    assert [text for text in texts[2:] if "class" in text] == CLASSES[:3]


def test_names_that_no_font_has_are_numbers(texts):
    """DejaVu Sans, which comes with matplotlib, has Cyrillic; no font has what is in no alphabet."""
    nowhere = "\U000f1234"
    assert font_for(nowhere) is None
    assert font_for(DZH) is not None
    draw_class(np.zeros((8, 8, 3), np.uint8), [0.7, 0.3], [DZH, nowhere], 1, 2, f"{nowhere}.mp4")
    assert texts[:3] == ["\\U000f1234.mp4", "true class: class 1", "recognised as (70.0 %): " + DZH]
    assert "class 1" in texts[3:]


def test_letters_are_drawn_and_not_boxes():
    """Two letters of another alphabet differ; boxes, which stand for what a font lacks, would not."""
    font = font_for(DZH)
    assert bytes(font.getmask(DZH[0])) != bytes(font.getmask(DZH[1]))

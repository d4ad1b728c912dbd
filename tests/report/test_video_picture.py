"""Pictures of compressed video: what is drawn follows the sample and the model's spikes."""

import numpy as np
import pytest
import torch

from spikelab.models.video import CompressedVideo
from spikelab.models.video_input import InputScale
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


def panels(picture, scale, columns, rows, height=32, width=48):
    """The panels without their titles: [rows][columns] -> [H, W, 3]."""
    return [
        [
            picture[r * (20 + height * scale + 8) + 20 :, c * (width * scale + 8) :][: height * scale, : width * scale]
            for c in range(columns)
        ]
        for r in range(rows)
    ]


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
    assert picture.shape == (2 * (20 + 64 + 8) - 8, 6 * (96 + 8) - 8, 3)
    first, second = panels(picture, 2, 6, 2)
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
    still = panels(video_picture(model, given, 4), 4, 2, 2)
    given["motion"][0, -1, 0, 8:16, 16:24] = 4.0
    moved = panels(video_picture(model, given, 4), 4, 2, 2)
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
    rows = panels(video_picture(model, given, 1), 1, 6, 2)
    assert (rows[1][0] == 128).all()
    assert all((panel == 255).all() for panel in rows[1][1:])


def test_models_that_do_not_spike_show_no_spikes():
    given = sample()
    for model in (CompressedVideo(classes=5, frames=3, stm="ordinary"), torch.nn.Linear(1, 1)):
        assert layer_spikes(model, given) == {}
        assert video_picture(model, given, 1).shape[1] == 3 * (48 + 8) - 8

"""The picture of frame, events and label of a sample."""

import numpy as np
import pytest
import torch
from PIL import Image

from spikelab.report.alignment import alignment_picture
from spikelab.report.overlay import ON_COLOUR, frame_picture

HEIGHT, WIDTH = 20, 80
_MARGIN, _TITLE = 8, 20


class OneSample:
    """A white right half, labelled as another class, and ON events along its edge."""

    class_names = ("left", "right")
    palette = np.array([(200, 0, 0), (0, 200, 0)], np.uint8)

    def __init__(self, channels, images):
        self.channels, self.images = channels, images

    def __getitem__(self, index):
        frame = torch.zeros(self.channels, HEIGHT, WIDTH)
        frame[..., 40:] = 1.0
        events = torch.zeros(3, 2, HEIGHT, WIDTH)
        events[1, 1, :, 40] = 1.0
        if self.images:
            events = torch.zeros(1, 6, HEIGHT, WIDTH)
            events[:, :2] = -1.0
            events[0, 0, :, 40] = 1.0
        return {"events": events, "frame": frame, "label": (frame[0] > 0.5).long()}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("images", [False, True])
def test_panels(channels, images):
    picture = alignment_picture(OneSample(channels, images), 0, scale=1)
    assert isinstance(picture, Image.Image)
    pixels = np.array(picture)[_TITLE : _TITLE + HEIGHT]
    frame, events, over, label = (
        pixels[:, _MARGIN + place * (WIDTH + _MARGIN) :][:, :WIDTH] for place in range(4)
    )  # fmt: skip
    inner = (slice(1, -1), slice(1, -1))  # panels have an outline
    assert (frame[inner][:, 1:38] == 0).all()
    assert (frame[inner][:, 41:] == 255).all()
    assert (events[5, 40] == ON_COLOUR).all()
    assert (events[5, 10] == 255).all()
    assert (over[5, 40] == ON_COLOUR).all()  # the frame is white there
    assert (over[5, 60] == 255).all()
    assert (over[5, 10] == 128).all()  # half of black
    assert (label[5, 10] == (150, 0, 0)).all()
    assert (label[5, 60] == (64, 214, 64)).all()


def test_a_frame_in_colour():
    frame = np.zeros((3, 2, 2), np.float32)
    frame[0, 0, 1] = 1.0
    assert frame_picture(frame)[0].tolist() == [[0, 0, 0], [255, 0, 0]]

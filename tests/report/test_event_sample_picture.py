"""Pictures of what a classifier of events is shown."""

import numpy as np
import torch

from spikelab.report.event_sample_picture import event_sample_picture


def test_pixels_are_summed_over_time_on_red_and_off_blue():
    events = torch.zeros(3, 2, 20, 30)
    events[:, 1, 2, 3] = 1  # ON at three times
    events[1, 0, 5, 7] = 3
    picture = event_sample_picture(events)
    assert picture.shape == (80, 120, 3)  # four times as large
    red, blue, white = picture[8, 12], picture[20, 28], picture[40, 60]
    assert red[0] > 150 > red[2]
    assert blue[2] > 150 > blue[0]
    assert white.tolist() == [255, 255, 255]
    assert ((picture != 255).any(2)).sum() == 32


def test_a_raster_has_time_to_the_right_and_the_first_channel_below():
    trains = torch.zeros(10, 64)
    trains[0, 0] = trains[9, 63] = 2
    picture = event_sample_picture(trains)
    height, width = picture.shape[:2]
    assert width > height
    dark = np.argwhere(picture[..., 0] < 128)
    assert {tuple(place) for place in dark.tolist()} >= {(height - 1, 0), (0, width - 1)}
    assert picture[0, 0, 0] == picture[-1, -1, 0] == 255


def test_many_channels_are_put_together_and_silence_is_white():
    trains = torch.zeros(100, 700)
    assert event_sample_picture(trains).min() == 255
    trains[50, 699] = 1
    picture = event_sample_picture(trains)
    assert picture.shape[0] == 234
    assert (picture[0] < 255).any()

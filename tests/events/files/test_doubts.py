"""Recordings that can be read, but hardly meant so: one event far out, or all of them in reversed order."""

import warnings

import numpy as np
import pytest

from spikelab.events import EventArray
from spikelab.events.files import EventFileError, open_events, read_events, write_events
from spikelab.events.files import source as source_module

RNG = np.random.default_rng(0)
T = np.sort(RNG.integers(0, 1_000_000, 4000))


def saved(tmp_path, t=T, **outliers):
    rng = np.random.default_rng(1)
    columns = {"t": t, "x": rng.integers(0, 240, len(t)), "y": rng.integers(0, 180, len(t))}
    columns["p"] = rng.integers(0, 2, len(t))
    for name, values in outliers.items():
        columns[name][100 : 100 + len(values)] = values
    np.savez(tmp_path / "a.npz", **columns)
    return tmp_path / "a.npz"


@pytest.mark.parametrize("block", [70, 10**6])
@pytest.mark.parametrize("read", [lambda file: file.read(), list, lambda file: file.between(0, 10)])
def test_one_event_that_makes_the_sensor_large(tmp_path, monkeypatch, block, read):
    monkeypatch.setattr(source_module, "BLOCK", block)
    with (
        open_events(saved(tmp_path, x=[60_000])) as file,
        pytest.warns(UserWarning, match=r"one event at x = 60000 alone makes the sensor 60001 x 180 pixels, where all "
                                        r"others need 240 x 180; .* size=180,240 and outside=drop"),
    ):  # fmt: skip
        read(file)
    with (
        open_events(saved(tmp_path, x=[60_000], y=[500])) as file,
        pytest.warns(UserWarning, match=r"x = 60000 and y = 500 alone .* size=180,240"),
    ):
        read(file)


@pytest.mark.parametrize("outliers", [{}, {"x": [60_000, 60_000]}, {"y": [200]}])
def test_sensors_that_several_events_need_are_not_told(tmp_path, outliers):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_events(saved(tmp_path, **outliers))


@pytest.mark.filterwarnings("ignore:.*late and were put in their place")
@pytest.mark.parametrize("disorder", ["sort", "error"])
def test_a_reversed_recording_is_no_clock_that_was_set_anew(tmp_path, disorder):
    with pytest.raises(EventFileError, match=r"steps around it lead back: the events are in reversed order") as told:
        read_events(saved(tmp_path, T[::-1]), disorder=disorder)
    assert "resets=" not in str(told.value)


def test_a_clock_that_was_set_anew_is_still_told_as_that(tmp_path):
    with pytest.raises(EventFileError, match=r"clock of the camera was set anew. With resets=continue") as told:
        read_events(saved(tmp_path, np.concatenate([T[2000:], T[:2000]])))
    assert "reversed" not in str(told.value)


def test_messages_in_the_words_of_commands(tmp_path):
    write_events(tmp_path / "a.h5", EventArray([9], [0], [1], [1], 10, 1))
    with pytest.raises(EventFileError) as told:
        read_events(tmp_path / "a.h5", size=(1, 2))
    assert "give the right size=HEIGHT,WIDTH" in str(told.value)
    again = str(told.value.for_commands())
    assert again.startswith(f"{tmp_path / 'a.h5'}: event 0")
    assert "give the right --size HEIGHT,WIDTH, or leave such events out with --outside drop" in again
    assert "name one with --stream" in str(EventFileError("a", "name one with stream=").for_commands())

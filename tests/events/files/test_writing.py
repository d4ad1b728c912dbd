"""Writing event files: what was written is read, in parts or at once, and nothing is left of what failed."""

import itertools

import h5py
import numpy as np
import pytest

from spikelab import registry
from spikelab.events import EventArray
from spikelab.events.files import open_events, read_events, recognise, write_events

WRITABLE = [name for name in registry.names("event_formats") if registry.load("event_formats", name).write]


def recording(count, seed=0, last=20_000_000):
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, last, count))
    return EventArray(rng.integers(0, 320, count), rng.integers(0, 240, count), t, rng.integers(0, 2, count), 320, 240)


def parts(events, *cuts):
    places = [0, *cuts, len(events)]
    return [events[begin:end] for begin, end in itertools.pairwise(places)]


def test_what_can_be_written():
    assert {"hdf5", "dsec_hdf5", "npz"} <= set(WRITABLE)


@pytest.mark.parametrize("format", WRITABLE)
@pytest.mark.parametrize("count", [0, 1, 70_000])
def test_at_once_and_in_parts(tmp_path, format, count):
    events = recording(count).shift(5_000_000)
    write_events(tmp_path / "whole", events, format=format)
    cuts = (0, count // 3, count // 3, count // 2)
    write_events(tmp_path / "parts", iter(parts(events, *cuts)), format=format)
    for name in ("whole", "parts"):
        assert recognise(tmp_path / name) == format
        assert read_events(tmp_path / name) == events
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts", "whole"]


@pytest.mark.parametrize("format", WRITABLE)
def test_from_an_open_file(tmp_path, format):
    for count in (0, 3000):
        write_events(tmp_path / "first.npz", recording(count), format="npz")
        with open_events(tmp_path / "first.npz") as file:
            write_events(tmp_path / "second", file, format=format)
        assert read_events(tmp_path / "second") == recording(count)


@pytest.mark.parametrize("format", WRITABLE)
def test_nothing_is_left_of_what_failed(tmp_path, format):
    events = recording(1000)
    write_events(tmp_path / "kept", events, format=format)

    def failing():
        yield events[:500]
        raise RuntimeError("the camera was unplugged")

    with pytest.raises(RuntimeError, match="unplugged"):
        write_events(tmp_path / "kept", failing(), format=format)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert read_events(tmp_path / "kept") == events


def test_wrong_parts_are_named(tmp_path):
    events = recording(1000)
    with pytest.raises(ValueError, match=r"part 1 begins at \d+ us, before the end of the last"):
        write_events(tmp_path / "x", [events[500:], events[:500]])
    with pytest.raises(ValueError, match="part 1 has a frame of 8x8, part 0 of 320x240"):
        write_events(tmp_path / "x", [events, EventArray.empty(8, 8)])
    with pytest.raises(ValueError, match=r"EventArray\.empty"):
        write_events(tmp_path / "x", [])
    with pytest.raises(ValueError, match=r"format evt3 is only read; .*hdf5.* can be written"):
        write_events(tmp_path / "x", events, format="evt3")
    with pytest.raises(FileNotFoundError, match="event file not written"):
        write_events(tmp_path / "no_folder" / "x", events)
    assert list(tmp_path.iterdir()) == []


def test_dsec_holds_71_minutes(tmp_path):
    events = EventArray([1, 1], [1, 1], [10, 10 + 2**32], [0, 1], 640, 480)
    with pytest.raises(ValueError, match="more than dsec_hdf5 can hold"):
        write_events(tmp_path / "x", events, format="dsec_hdf5")
    write_events(tmp_path / "x", events.shift(-1)[:1], format="dsec_hdf5")
    late = EventArray([1, 1], [1, 1], [10, 9 + 2**32], [0, 1], 640, 480)
    # an hour of milliseconds in the index, whatever the events are
    write_events(tmp_path / "x", late, format="dsec_hdf5")
    assert read_events(tmp_path / "x") == late


def test_the_index_of_dsec_is_the_first_event_of_each_millisecond(tmp_path):
    events = recording(5000, last=300_000).shift(77_777)
    write_events(tmp_path / "x", parts(events, 10, 1200, 1200, 4999), format="dsec_hdf5")
    with h5py.File(tmp_path / "x") as file:
        assert file["t_offset"][()] == events.t[0]
        relative, index = file["events/t"][:].astype(int), file["ms_to_idx"][:].astype(int)
    assert len(index) == relative[-1] // 1000 + 2
    for ms, first in enumerate(index):
        assert first == np.searchsorted(relative, 1000 * ms)


def test_the_index_of_hdf5_is_the_time_of_every_65536th_event(tmp_path):
    events = recording(200_000)
    write_events(tmp_path / "x", parts(events, 1, 65_536, 65_537, 131_000), format="hdf5")
    with h5py.File(tmp_path / "x") as file:
        np.testing.assert_array_equal(file["events/index"][:], events.t[::65_536])

"""Raw DDD17: what is particular to it."""

import struct

import h5py
import numpy as np
import pytest
from encode_aedat3 import packet, picture, polarity, special
from encode_ddd17 import rows, write_rows

from spikelab.events.files import EventFileError, open_events, read_events


def recording(tmp_path, *packets, cut=None):
    path = tmp_path / "recording.hdf5"
    found = rows(packets)
    if cut is not None:
        found[cut] = (*found[cut][:2], found[cut][2][:-12])
    write_rows(path, found)
    return path


FOUR = polarity([1, 2, 3, 4], [10, 20, 30, 40], [100, 200, 300, 400], [0, 1, 0, 1])
LATER = polarity([1, 2, 3, 4], [10, 20, 30, 40], [500, 600, 700, 800], [0, 1, 0, 1])


def test_events_and_pictures_are_turned_by_what_pictures_say_of_the_sensor(tmp_path):
    image = np.arange(180 * 240).reshape(180, 240) % 50000
    path = recording(tmp_path, packet(1, FOUR, 8), packet(2, picture(image, (0, 9, 2, 6)), 36 + 2 * image.size))
    with open_events(path) as file:
        assert file.size == (180, 240)
        events = file.read()
        (frame,) = file.frames()
    assert events.x.tolist() == [238, 237, 236, 235]
    assert events.y.tolist() == [169, 159, 149, 139]
    np.testing.assert_array_equal(frame.image, np.rot90(image, 2))
    assert (frame.t, frame.exposure) == (4, (2, 6))


def test_other_signals_are_named(tmp_path):
    with open_events(recording(tmp_path, packet(1, FOUR, 8))) as file:
        assert file.about["signals"] == ["steering_wheel_angle"]
        assert file.size == (260, 346)


def test_places_that_are_not_used_and_invalid_events(tmp_path):
    unused = packet(1, FOUR + polarity([9], [9], [900], [1]), 8, number=4, capacity=5)
    path = recording(tmp_path, unused, packet(1, polarity([5], [50], [500], [1], valid=0), 8))
    with pytest.warns(UserWarning, match="1 events that the file marks as invalid were left out"):
        assert read_events(path).t.tolist() == [100, 200, 300, 400]


def test_a_clock_that_was_set_back(tmp_path):
    path = recording(
        tmp_path, packet(1, FOUR, 8), packet(1, polarity([1], [1], [9_000_000], [1]), 8), packet(1, FOUR, 8)
    )
    with pytest.raises(EventFileError, match="the clock of the camera was set anew"):
        read_events(path)
    with pytest.warns(UserWarning, match="set back 1 times"):
        assert read_events(path, resets="continue").t[-1] == 9_000_300


def test_triggers(tmp_path):
    with open_events(recording(tmp_path, packet(0, special(2, 5) + special(0, 7) + special(3, 9), 8))) as file:
        assert file.triggers().t.tolist() == [5, 9]


def test_a_row_that_lacks_events_is_told(tmp_path):
    path = recording(tmp_path, packet(1, FOUR, 8), packet(1, LATER, 8), cut=1)
    with pytest.raises(EventFileError, match="row 1 of dvs/data holds less than its header says; 2 events are lost"):
        read_events(path)
    path = recording(tmp_path, b"\xff" * 28)
    with pytest.raises(EventFileError, match="row 0 of dvs/data: a packet is compressed"):
        read_events(path)


def test_one_camera(tmp_path):
    with pytest.raises(EventFileError, match="one camera only"):
        open_events(recording(tmp_path, packet(1, FOUR, 8)), stream="left")


def test_a_table_that_no_recorder_writes_is_refused_with_a_remedy(tmp_path):
    path = tmp_path / "recording"
    with h5py.File(path, "w") as file:
        file.create_dataset("dvs/data", (9, 3), h5py.vlen_dtype(np.uint8), chunks=(3, 3), compression="gzip")
    with pytest.raises(EventFileError, match="write it anew with h5repack"):
        open_events(path)


def test_a_length_larger_than_the_bytes_there_is_damage(tmp_path):
    path = recording(tmp_path, packet(1, FOUR, 8))
    content = bytearray(path.read_bytes())
    place = content.index(struct.pack("<IQ", len(FOUR), content.index(b"GCOL")))
    content[place : place + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content)
    with pytest.raises(EventFileError, match="a list of 4294967295 bytes is not in its collection"):
        read_events(path)

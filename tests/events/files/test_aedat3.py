"""AEDAT 3: what is particular to it."""

import numpy as np
import pytest
from encode_aedat3 import HEADER, packet, picture, polarity, special

from spikelab.events.files import EventFileError, open_events, read_events


def recording(tmp_path, *packets, header=HEADER):
    path = tmp_path / "recording"
    path.write_bytes(header + b"".join(packets))
    return path


FOUR = polarity([1, 2, 3, 4], [10, 20, 30, 40], [100, 200, 300, 400], [0, 1, 0, 1])


def test_rows_of_version_3_0_count_from_below(tmp_path):
    header = b"#!AER-DAT3.0\r\n#Format: RAW\r\n#Source 0: DVS128\r\n#Start-Time: 2015-06-01 10:00:00 (TZ+0200)\r\n"
    with open_events(recording(tmp_path, packet(1, FOUR, 8), header=header)) as file:
        assert file.size == (128, 128)
        assert file.read().y.tolist() == [117, 107, 97, 87]
    image = np.arange(6).reshape(2, 3)
    with open_events(recording(tmp_path, packet(2, picture(image, (0, 1, 2, 3)), 48), header=header)) as file:
        np.testing.assert_array_equal(next(file.frames()).image, image[::-1])


def test_rows_of_an_unknown_camera_of_version_3_0_are_told(tmp_path):
    path = recording(tmp_path, packet(1, FOUR, 8), header=b"#!AER-DAT3.0\r\n#Source 0: NEW1\r\n")
    with pytest.warns(UserWarning, match="rows count from below, as nobody knows the height of the camera NEW1"):
        assert read_events(path).y.tolist() == [10, 20, 30, 40]


def test_invalid_events_are_left_out_and_told(tmp_path):
    path = recording(tmp_path, packet(1, FOUR + polarity([9], [9], [350], [1], valid=0), 8))
    with pytest.warns(UserWarning, match="1 events that the file marks as invalid were left out"):
        assert len(read_events(path)) == 4


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("written", [True, False])
def test_room_that_is_not_used_may_be_written_or_not(tmp_path, written, last):
    full = packet(1, FOUR + bytes(16) * written, 8, number=4, capacity=6)
    path = recording(tmp_path, full, *([] if last else [packet(1, polarity([5], [50], [500], [1]), 8)]))
    assert read_events(path).x.tolist() == [1, 2, 3, 4] + [5] * (not last)


def test_pictures(tmp_path):
    gray, colour = np.arange(0, 60000, 5000).reshape(3, 4), np.arange(24).reshape(2, 3, 4)
    path = recording(
        tmp_path,
        packet(2, picture(gray, (10, 50, 20, 40)), 36 + 24, overflow=1),
        packet(1, FOUR, 8),
        packet(2, picture(gray, (0, 0, 0, 0), info=2), 36 + 24),
        packet(2, picture(colour, (1, 5, 2, 4), info=1 | 4 << 1), 36 + 48),
    )
    with open_events(path) as file:
        first, second = file.frames()
    np.testing.assert_array_equal(first.image, gray)
    assert (first.t, first.exposure) == ((1 << 31) + 30, ((1 << 31) + 20, (1 << 31) + 40))
    np.testing.assert_array_equal(second.image, colour[..., :3])


def test_a_picture_larger_than_its_packet_is_damage(tmp_path):
    path = recording(tmp_path, packet(2, picture(np.zeros((30000, 1)), (0, 0, 0, 0))[: 36 + 24], 36 + 24))
    with open_events(path) as file, pytest.raises(EventFileError, match="a picture says 1 x 30000 pixels"):
        list(file.frames())


def test_triggers(tmp_path):
    kinds = [2, 3, 1, 4, 6, 7, 9, 10, 14]
    payload = b"".join(special(kind, 10 * kind) for kind in kinds) + special(2, 7, valid=0)
    with open_events(recording(tmp_path, packet(0, payload, 8, overflow=2))) as file:
        found = file.triggers()
    assert (found.t - (2 << 31)).tolist() == [20, 30, 40, 60, 70, 90, 100]
    assert found.channel.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert found.rising.tolist() == [True, False, True, True, False, True, False]


def test_a_clock_that_was_set_back(tmp_path):
    late = packet(1, polarity([1], [1], [9_000_000], [1]), 8)
    path = recording(tmp_path, late, packet(0, special(1, 0), 8), packet(1, FOUR, 8))
    with pytest.raises(EventFileError, match="the clock of the camera was set anew"):
        read_events(path)
    with pytest.warns(UserWarning, match="set back 1 times"):
        assert read_events(path, resets="continue").t.tolist() == [
            9_000_000,
            9_000_000,
            9_000_100,
            9_000_200,
            9_000_300,
        ]


def test_several_cameras(tmp_path):
    header = HEADER.replace(b"#Start", b"#Source 2: DVS128\r\n#-Source 3: DVS128\r\n#Start")
    path = recording(tmp_path, packet(1, FOUR, 8), packet(1, FOUR, 8, source=2), header=header)
    with pytest.raises(EventFileError, match=r"holds the cameras 1 \(DAVIS346\), 2 \(DVS128\); name one with stream"):
        open_events(path)
    with open_events(path, stream="2") as file:
        assert file.size == (128, 128)
        assert len(file.read()) == 4


def test_packets_that_are_not_read_are_refused(tmp_path):
    with pytest.raises(EventFileError, match="in the format SerializedTS, of which only RAW is read"):
        open_events(recording(tmp_path, header=HEADER.replace(b"RAW", b"SerializedTS")))
    with pytest.raises(EventFileError, match=f"byte {len(HEADER)}: a packet is compressed"):
        read_events(recording(tmp_path, packet(1 - 0x8000, FOUR, 8)))


def test_a_count_larger_than_the_file_tells_what_is_lost(tmp_path):
    path = recording(tmp_path, packet(1, FOUR, 8, number=2_000_000_000))
    with pytest.raises(EventFileError, match="ends within a packet; 1999999996 events are lost"):
        read_events(path)
    with pytest.warns(UserWarning, match="1999999996 events are lost"):
        assert len(read_events(path, damaged="keep")) == 4

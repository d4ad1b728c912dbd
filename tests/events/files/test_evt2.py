"""EVT 2.0 and EVT 2.1: what is particular to them."""

import struct

import numpy as np
import pytest
from encode_evt2 import HEADER, event, time_high
from encode_evt21 import legacy, little
from encode_evt21 import write as write21

from spikelab.events import EventArray
from spikelab.events.files import EventFileError, open_events, read_events, recognise

NO_ORDER = b"% evt 2.1\n% geometry 1280x720\n% end\n"
LITTLE = b"% format EVT21;height=320;width=320;endianness=little\n% end\n"
LEGACY = b"% format EVT21;height=320;width=320;endianness=legacy\n% end\n"


def recording(tmp_path, words, header=HEADER):
    path = tmp_path / "recording.raw"
    path.write_bytes(header + struct.pack(f"<{len(words)}I", *words))
    return path


def test_the_counter_wraps_forwards_and_a_late_word_does_not(tmp_path):
    end = 2**34
    words = [time_high(end - 1), event(1, 0, end - 1, 1), time_high(0), event(2, 0, 5, 0)]
    words += [time_high(end - 1), event(3, 0, end - 1, 1), time_high(64), event(4, 0, 64, 1)]
    with pytest.warns(UserWarning, match="1 events came up to 6 us late"):
        events = read_events(recording(tmp_path, words))
    assert events.t.tolist() == [end - 1, end - 1, end + 5, end + 64]
    assert events.x.tolist() == [1, 3, 2, 4]


def test_events_before_any_time_are_told(tmp_path):
    path = recording(tmp_path, [event(1, 2, 3, 1), event(1, 2, 4, 1), time_high(640), event(9, 8, 641, 0)])
    with pytest.warns(UserWarning, match="2 events before the first word of time were left out"):
        assert read_events(path).x.tolist() == [9]


def test_a_word_of_no_kind_is_damage_with_its_place(tmp_path):
    path = recording(tmp_path, [time_high(0), event(1, 2, 3, 1), 0x50000000, event(1, 2, 4, 1)])
    with pytest.raises(EventFileError, match=f"byte {len(HEADER) + 8}: 0x50000000 is no word of EVT2"):
        read_events(path)


def test_triggers(tmp_path):
    words = [0xA << 28, time_high(128), 0xA << 28 | 5 << 22 | 3 << 8 | 1, event(1, 2, 134, 1), 0xA << 28 | 9 << 22]
    with open_events(recording(tmp_path, words)) as file:
        found = file.triggers()
        assert len(file.read()) == 1
    assert [found.t.tolist(), found.channel.tolist(), found.rising.tolist()] == [[133, 137], [3, 0], [True, False]]


def test_triggers_of_a_damaged_file_are_told_as_events_are(tmp_path):
    path = recording(tmp_path, [time_high(0), 0xA << 28 | 1])
    path.write_bytes(path.read_bytes() + b"\x01")
    with open_events(path) as file, pytest.raises(EventFileError, match=f"byte {len(HEADER) + 8}: the last word"):
        file.triggers()


@pytest.mark.parametrize("header", [LITTLE, LEGACY])
def test_both_orders_of_halves(tmp_path, header):
    rng = np.random.default_rng(5)
    t = np.sort(rng.integers(0, 10**6, 3000))
    events = EventArray(rng.integers(0, 320, 3000), rng.integers(0, 320, 3000), t, rng.integers(0, 2, 3000), 320, 320)
    write21(tmp_path / "a", events, header)
    assert read_events(tmp_path / "a") == events


@pytest.mark.parametrize("pack", [little, legacy])
def test_an_order_that_the_header_lacks_is_seen_in_the_words(tmp_path, pack):
    words = [pack(8, 0, 0), pack(1, 3 << 22 | 50 << 11 | 9, 0x10002001), pack(8, 1, 0), pack(0, 4 << 22 | 7, 1)]
    words += [pack(0xA, 5 << 22 | 2 << 8 | 1, 0)]
    (tmp_path / "a").write_bytes(NO_ORDER + b"".join(words))
    with open_events(tmp_path / "a") as file:
        assert file.about["endianness"] == pack.__name__
        events, triggers = file.read(), file.triggers()
    assert events.x.tolist() == [50, 63, 78, 0]
    assert events.y.tolist() == [9, 9, 9, 7]
    assert events.t.tolist() == [3, 3, 3, 68]
    assert [triggers.t.tolist(), triggers.channel.tolist(), triggers.rising.tolist()] == [[69], [2], [True]]


def test_an_order_that_nothing_tells_is_asked_for(tmp_path):
    (tmp_path / "a").write_bytes(NO_ORDER + little(1, 1, 1))
    with pytest.raises(EventFileError, match=r"does not say the order of its words.*must say one of legacy, little"):
        read_events(tmp_path / "a")
    (tmp_path / "a").write_bytes(LITTLE.replace(b"little", b"big") + little(1, 1, 1))
    with pytest.raises(EventFileError, match="the header says endianness=big"):
        read_events(tmp_path / "a")


def test_a_mask_at_the_edge_of_the_sensor_goes_beyond_it(tmp_path):
    (tmp_path / "a").write_bytes(LITTLE + little(8, 0, 0) + little(1, 310 << 11, 1 | 1 << 20))
    with pytest.raises(EventFileError, match="event 1 at x = 330, y = 0 lies beyond the sensor of 320 x 320"):
        read_events(tmp_path / "a")


def test_names_of_encodings_are_not_mixed_up(tmp_path):
    for name, header in (("evt2", b"% evt 2.0\n"), ("evt21", b"% evt 2.1\n"), ("evt3", b"% evt 3.0\n")):
        (tmp_path / "a").write_bytes(header + bytes(16))
        assert recognise(tmp_path / "a") == name

"""DAT: what is particular to it."""

import struct

import numpy as np
import pytest
from encode_dat import HEADER, write

from spikelab.events import EventArray
from spikelab.events.files import EventFileError, open_events, read_events, recognise

ATIS = b"% Data file containing TD events.\n% Version 1\n"
PLAIN = b"% Data file containing Event2D events.\n% Version 2\n% Date 2017-10-31 11:29:21\n"


def atis_events(count=500, last=10**6):
    rng = np.random.default_rng(1)
    t = np.sort(rng.integers(0, last, count))
    return EventArray(rng.integers(0, 304, count), rng.integers(0, 240, count), t, rng.integers(0, 2, count), 304, 240)


@pytest.mark.parametrize(("header", "kind", "version"), [(ATIS, 0, 1), (b"% old\n", 0, 1), (PLAIN, 0, 2)])
def test_both_versions_and_a_size_that_the_header_lacks(tmp_path, header, kind, version):
    events = atis_events()
    write(tmp_path / "a", events, header, kind, version)
    assert recognise(tmp_path / "a") == "dat"
    assert read_events(tmp_path / "a", size=(240, 304)) == events


def test_time_wraps_after_71_minutes(tmp_path):
    x = np.arange(4, dtype=np.uint16)
    events = EventArray(x, x, [2**32 - 9, 2**32 + 5, 2**33 - 7, 2**33 + 1], x % 2, 640, 480)
    # more than half of the range from one event to the next could not be told from a wrap
    with_steps = EventArray(
        np.zeros(7, np.uint16), np.zeros(7, np.uint16), np.arange(7) * (2**31 - 5), np.ones(7, np.uint8), 640, 480
    )
    write(tmp_path / "a", with_steps)
    assert read_events(tmp_path / "a").t.tolist() == with_steps.t.tolist()
    write(tmp_path / "a", events[:2])
    assert np.diff(read_events(tmp_path / "a").t).tolist() == [14]


def test_records_of_unknown_kinds(tmp_path):
    write(tmp_path / "a", atis_events(), kind=0x28)
    with pytest.raises(EventFileError, match=f"byte {len(HEADER)}: holds records of kind 0x28 with 8 bytes each"):
        read_events(tmp_path / "a", format="dat")
    with pytest.raises(EventFileError, match="is no event file of a known format"):
        read_events(tmp_path / "a")
    (tmp_path / "a").write_bytes(HEADER + b"\x0c")
    with pytest.raises(EventFileError, match="is cut short"):
        read_events(tmp_path / "a", format="dat")
    (tmp_path / "a").write_bytes(b"% Version two\n\x0c\x08")
    with pytest.raises(EventFileError, match="version 'two'"):
        read_events(tmp_path / "a", format="dat")


def test_a_polarity_that_is_none(tmp_path):
    (tmp_path / "a").write_bytes(HEADER + b"\x0c\x08" + struct.pack("<II", 5, 3 << 28 | 7))
    with pytest.raises(EventFileError, match="event 0 has polarity 3"):
        read_events(tmp_path / "a")


def test_triggers_are_files_of_their_own(tmp_path):
    records = struct.pack("<4I", 100, 1 << 8 | 1, 250, 6 << 8)
    (tmp_path / "a").write_bytes(b"% Data file containing Ext Trigger events\n% Version 2\n\x0e\x08" + records)
    with open_events(tmp_path / "a", size=(480, 640)) as file:
        found = file.triggers()
        assert len(file.read()) == 0
    assert [found.t.tolist(), found.channel.tolist(), found.rising.tolist()] == [[100, 250], [1, 6], [True, False]]


@pytest.mark.shared
def test_real_files_by_the_description_alone(shared):
    """All records of a real file, decoded by plain NumPy."""
    found = [path for path in sorted(shared.glob("data/**/*.dat")) if recognise(path) == "dat"]
    if not found:
        pytest.skip(f"no DAT file below {shared}/data")
    for path in found:
        content = path.read_bytes()
        begin = 0
        while content[begin : begin + 1] == b"%":
            begin = content.index(b"\n", begin) + 1
        t, address = np.frombuffer(content, "<u4", offset=begin + 2).reshape(-1, 2).T
        events = read_events(path)
        assert events.t.tolist() == t.tolist()
        assert events.x.tolist() == (address & 0x3FFF).tolist()
        assert events.y.tolist() == (address >> 14 & 0x3FFF).tolist()
        assert events.p.tolist() == (address >> 28 & 1).tolist()

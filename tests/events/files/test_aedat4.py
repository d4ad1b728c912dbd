"""AEDAT 4: what is particular to it."""

import struct

import numpy as np
import pytest
from encode_aedat4 import (
    STREAMS,
    described,
    events_packet,
    frame_packet,
    header,
    table_of,
    triggers_packet,
    write,
    write_packets,
)

from spikelab.events.files import EventFileError, open_events, read_events, recognise
from spikelab.events.formats.inivation import aedat4_packets

START = 1_700_000_000_000_000


def four(t=START):
    return events_packet([1, 2, 3, 4], [10, 20, 30, 40], t + np.array([100, 200, 300, 400]), [0, 1, 0, 1])


def recording(tmp_path, *packets, **options):
    path = tmp_path / "recording.aedat4"
    write_packets(path, [packet if len(packet) == 4 else (*packet, 0, 0) for packet in packets], **options)
    return path


@pytest.mark.parametrize("compression", range(5))
def test_compressions(encoder_of, tmp_path, compression):
    events = encoder_of("aedat4").events(3000)
    write(tmp_path / "recording", events, compression)
    found = read_events(tmp_path / "recording")
    for name in "txyp":
        np.testing.assert_array_equal(getattr(found, name), getattr(events, name))
    with open_events(tmp_path / "recording") as file:
        assert file.about["compression"] == ("none", "lz4", "lz4", "zstd", "zstd")[compression]


def test_a_recording_that_was_interrupted(encoder_of, tmp_path):
    events = encoder_of("aedat4").events(3000)
    write(tmp_path / "recording", events, with_table=False)
    with pytest.warns(UserWarning, match="no table of its packets: its recording was interrupted"):
        assert len(read_events(tmp_path / "recording")) == 3000


def test_a_file_that_ends_between_two_packets_is_cut_short_by_its_own_word(tmp_path):
    path = recording(tmp_path, (0, four()), (0, four(START + 1000)), compression=0)
    size = len(header(0, 0, described(STREAMS))) + 8 + len(four())
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(EventFileError, match=f"byte {size}: the file ends before a packet does"):
        read_events(path)
    with pytest.warns(UserWarning, match="what is before it was read"):
        assert len(read_events(path, damaged="keep")) == 4


def unpacked_packets(monkeypatch):
    """Where the packets lie that are unpacked."""
    seen = []
    plain = aedat4_packets.Shell.unpacked
    monkeypatch.setattr(aedat4_packets.Shell, "unpacked", lambda *a: seen.append(a[2]) or plain(*a))
    return seen


def test_the_table_leads_to_a_time(tmp_path, monkeypatch):
    packets = [(0, four(START + 20_000 * k), START + 20_000 * k + 100, START + 20_000 * k + 400) for k in range(50)]
    with open_events(recording(tmp_path, *packets)) as file:
        whole = file.read()
        seen = unpacked_packets(monkeypatch)
        part = file.between(START + 800_200, START + 820_300)
        assert len(seen) == 13  # the table, a trial, and packets 39 to 49
    assert part.t.tolist() == whole.between(START + 800_200, START + 820_300).t.tolist()
    assert len(part) == 5


@pytest.mark.parametrize("end", [0, START + 60_000])
def test_a_table_with_wrong_times_loses_nothing(tmp_path, end):
    packets = [(0, four(START + 1000 * k), end, end) for k in range(50)]
    with open_events(recording(tmp_path, *packets)) as file:
        assert len(file.between(START + 40_000, START + 41_000)) == 4


TWO = [(0, "EVTS", "DVX_left", 640, 480), (1, "EVTS", "DVX_right", 320, 240), (2, "FRME", "DVX_right", 320, 240),
       (3, "TRIG", "DVX_left", 0, 0)]  # fmt: skip


def test_several_cameras(tmp_path):
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3)
    packets = [(0, four()), (1, four()[:0] + events_packet([9], [8], [START], [1])),
               (2, frame_packet(picture, START, (1, 2), 0)), (3, triggers_packet([(START, 1)]))]  # fmt: skip
    path = recording(tmp_path, *packets, streams=TWO)
    with pytest.raises(
        EventFileError, match=r"0 \(events of DVX_left\), 1 \(events of DVX_right\); name one with stream="
    ):
        open_events(path)
    with open_events(path, stream="1") as file:
        assert (file.size, file.read().x.tolist()) == ((240, 320), [9])
        assert len(list(file.frames())) == 1
        assert len(file.triggers().t) == 0
    with open_events(path, stream="DVX_left") as file:
        assert (file.size, len(file.read())) == ((480, 640), 4)
        assert len(list(file.frames())) == 0
        assert len(file.triggers().t) == 1


def test_pictures(tmp_path):
    rng = np.random.default_rng(0)
    gray, deep = rng.integers(0, 256, (2, 3), np.uint8), rng.integers(0, 65536, (2, 3), np.uint16)
    colour = rng.integers(0, 256, (2, 3, 4), np.uint8)
    packets = [
        (1, frame_packet(gray, 50, (40, 60), 0)),
        (1, frame_packet(deep, 150, (140, 160), 2, newer=True)),
        (1, frame_packet(colour[..., :3], 250, (0, 0), 16)),
        (1, frame_packet(colour, 350, (0, 0), 24)),
    ]
    with open_events(recording(tmp_path, *packets)) as file:
        found = list(file.frames())
    for frame, image in zip(found, [gray, deep, colour[..., 2::-1], colour[..., 2::-1]], strict=True):
        np.testing.assert_array_equal(frame.image, image)
        assert frame.image.dtype == image.dtype
    assert [frame.t for frame in found] == [50, 150, 250, 350]
    assert [frame.exposure for frame in found] == [(40, 60), (140, 160), None, None]


@pytest.mark.parametrize("kind", [1, 0])
def test_a_picture_that_makes_no_sense_is_damage(tmp_path, kind):
    wrong = frame_packet(np.zeros((2, 3), np.uint8 if kind else np.uint16), 50, (40, 60), kind)
    with (
        open_events(recording(tmp_path, (1, wrong))) as file,
        pytest.raises(
            EventFileError, match=r"a picture makes no sense \((pixels of format 1|12 bytes for 3 x 2 pixels)"
        ),
    ):
        list(file.frames())


def test_triggers(tmp_path):
    found = triggers_packet([(START + kind, kind) for kind in range(10)])
    with open_events(recording(tmp_path, (3, found))) as file:
        triggers = file.triggers()
    assert (triggers.t - START).tolist() == [1, 2, 3]
    assert triggers.rising.tolist() == [True, False, True]


def test_no_events(tmp_path):
    with pytest.raises(EventFileError, match="holds no events, but FRME, TRIG"):
        open_events(recording(tmp_path, streams=TWO[2:]))


def test_a_size_that_no_packet_has_is_not_believed(tmp_path):
    bomb = struct.pack("<i", (1 << 31) - 1) + bytes(100)
    with pytest.raises(EventFileError, match="a packet says that it has 2147483647 bytes"):
        read_events(recording(tmp_path, (0, bomb)))
    with pytest.raises(EventFileError, match="a packet holds 100 of the 1000 bytes"):
        read_events(recording(tmp_path, (0, struct.pack("<i", 1000) + bytes(100)), compression=3))


def test_methods_and_headers_that_are_not_known(tmp_path):
    path = tmp_path / "recording"
    path.write_bytes(header(9, -1, described(STREAMS)))
    assert recognise(path) == "aedat4"
    with pytest.raises(EventFileError, match="compressed by method 9"):
        open_events(path)
    path.write_bytes(header(0, -1, "<dv>"))
    with pytest.raises(EventFileError, match="header that makes no sense"):
        open_events(path)
    path.write_bytes(header(0, 3, described(STREAMS)) + table_of([]))
    with pytest.raises(EventFileError, match="places the table of packets at byte 3"):
        open_events(path)


@pytest.mark.shared
def test_real_files_as_the_library_aedat_reads_them(shared):
    aedat = pytest.importorskip("aedat")
    paths = [path for path in sorted(shared.glob("data/**/*")) if path.is_file() and recognised(path) == "aedat4"]
    if not paths:
        pytest.skip(f"no AEDAT 4 file below {shared}/data")
    for path in paths:
        packets = [packet["events"] for packet in aedat.Decoder(str(path)) if "events" in packet]
        wanted = np.concatenate(packets)
        events = read_events(path)
        for name, field in zip("txyp", ("t", "x", "y", "on"), strict=True):
            np.testing.assert_array_equal(getattr(events, name), wanted[field], err_msg=f"{path}: {name}")


@pytest.mark.shared
def test_parts_of_real_files_are_those_of_the_whole(shared):
    paths = [path for path in sorted(shared.glob("data/**/*")) if path.is_file() and recognised(path) == "aedat4"]
    if not paths:
        pytest.skip(f"no AEDAT 4 file below {shared}/data")
    for path in paths:
        with open_events(path) as file:
            whole = file.read()
            assert (np.diff(whole.t) >= 0).all()
            assert file.size is not None
            start, end = (int(whole.t[len(whole) * k // 5]) for k in (3, 4))
            np.testing.assert_array_equal(file.between(start, end).x, whole.between(start, end).x)
            assert file._source._shell.places() or file._source._shell.table < 0


def recognised(path):
    try:
        return recognise(path)
    except EventFileError:
        return None

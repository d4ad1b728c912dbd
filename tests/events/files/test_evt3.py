"""EVT 3.0: what is particular to it."""

import numpy as np
import pytest
from encode_evt3 import HEADER

from spikelab.events.files import EventFileError, open_events, read_events


def recording(tmp_path, words, header=HEADER):
    path = tmp_path / "recording.raw"
    path.write_bytes(header + np.array(words, "<u2").tobytes())
    return path


def test_masks_advance_the_base(tmp_path):
    words = [0x8001, 0x6002, 7, 0x3000 | 0x800 | 100, 0x4801, 0x5081, 0x4001]
    events = read_events(recording(tmp_path, words))
    assert events.x.tolist() == [100, 111, 112, 119, 120]
    assert set(events.y.tolist()) == {7}
    assert set(events.p.tolist()) == {1}
    assert set(events.t.tolist()) == {(1 << 12) + 2}


def test_events_before_any_time_are_told(tmp_path):
    path = recording(tmp_path, [7, 0x2000 | 5, 0x6123, 0x2000 | 6, 0x8001, 0x6002, 0x2000 | 8])
    with pytest.warns(UserWarning, match="2 events before the first word of time were left out"):
        events = read_events(path)
    assert events.x.tolist() == [8]


def test_the_counter_wraps_forwards_and_a_late_word_does_not(tmp_path):
    words = [0x8FFF, 0x6001, 7, 0x2001, 0x8000, 0x6001, 0x2002, 0x8FFF, 0x6FFF, 0x2003, 0x8000, 0x6002, 0x2004]
    with pytest.warns(UserWarning, match="1 events came up to 2 us late"):
        events = read_events(recording(tmp_path, words))
    assert events.x.tolist() == [1, 3, 2, 4]
    assert events.t.tolist() == [0xFFF001, 0xFFFFFF, 0x1000001, 0x1000002]


def test_a_word_of_no_kind_is_damage_with_its_place(tmp_path):
    path = recording(tmp_path, [0x8001, 0x6001, 7, 0x2001, 0x9123, 0x2002])
    with pytest.raises(EventFileError, match=f"byte {len(HEADER) + 8}: 0x9123 is no word of EVT3"):
        read_events(path)
    with pytest.warns(UserWarning, match="what is before it was read"):
        assert len(read_events(path, damaged="keep")) == 1


def test_half_a_word_at_the_end(tmp_path):
    path = recording(tmp_path, [0x8001, 0x6001, 7, 0x2001])
    path.write_bytes(path.read_bytes() + b"\x05")
    with pytest.raises(EventFileError, match=f"byte {len(HEADER) + 8}: the last word is cut short"):
        read_events(path)


def test_triggers(tmp_path):
    words = [0xA101, 0x8001, 0x6001, 0xA101, 7, 0x2001, 0x6003, 0xA200]
    with open_events(recording(tmp_path, words)) as file:
        found = file.triggers()
    assert found.t.tolist() == [0x1001, 0x1003]
    assert found.channel.tolist() == [1, 2]
    assert found.rising.tolist() == [True, False]


@pytest.mark.parametrize(
    ("header", "size"),
    [
        (b"% evt 3.0\n% plugin_name hal_plugin_gen41_evk3\n", (720, 1280)),
        (b"% evt 3.0\n% generation 3.1\n", (480, 640)),
        (b"% format EVT3;height=320;width=320\n% end\n", (320, 320)),
        (b"% evt 3.0\n% geometry 640x480\n", (480, 640)),
        (b"% evt 3.0\n% Date 2020-09-25 07:48:29\n", None),
    ],
)
def test_size_from_the_header(tmp_path, header, size):
    with open_events(recording(tmp_path, [0x8001, 0x6001, 7, 0x2005], header)) as file:
        assert file.size == size
        assert file.read().x.tolist() == [5]
        if size is None:
            assert [(chunk.height, chunk.width) for chunk in file] == [(8, 6)]


def plain_times(words):
    """Times of words by the format's description alone: upper half, lower half, wraps of the upper half."""
    times, high, time, wraps = [], None, None, 0
    for word in words.tolist():
        kind, value = word >> 12, word & 0xFFF
        if kind == 8:
            wraps += high is not None and high - value > 0x800
            if value != high:
                time = (wraps << 24) + (value << 12)
            high = value
        elif kind == 6 and high is not None:
            time = (wraps << 24) + (high << 12) + value
        times.append(time)
    return np.array(times)


def steps_of_expelliarmus(words):
    """What expelliarmus 1.1.12 adds to each word's time: 4096 us whenever the lower half goes down.

    Cameras repeat the time every millisecond with some microseconds more, and then go back. Its issue 19 reports the
    durations that come of it, more than twice those of Metavision, with the twelve lower bits alike.
    """
    kind, value = words >> 12, words & 0xFFF
    lower = np.flatnonzero(kind == 6)
    steps = np.zeros(len(words), np.int64)
    steps[lower[1:]] = np.diff(value[lower].astype(int)) < 0
    return np.cumsum(steps) << 12


@pytest.mark.shared
def test_real_files_and_their_decoded_answers(shared):
    answers = sorted(shared.glob("data/**/*_decoded.npz"))
    pairs = [(path.with_name(path.name.replace("_decoded.npz", ".raw")), path) for path in answers]
    pairs = [pair for pair in pairs if pair[0].is_file()]
    if not pairs:
        pytest.skip(f"no raw file with a decoded answer below {shared}/data")
    for path, answer in pairs:
        wanted = np.load(answer)
        events = read_events(path)
        for name in "xyp":
            np.testing.assert_array_equal(getattr(events, name), wanted[name], err_msg=f"{path}: {name}")
        with open_events(path) as file:
            if file.format != "evt3":
                np.testing.assert_array_equal(events.t, wanted["t"])
                continue
            begin = file._source.header.end
        words = np.fromfile(path, "<u2", offset=begin)
        masked = np.isin(words >> 12, (4, 5))
        count = np.where(masked, [bin(word & (0xFFF if word >> 12 == 4 else 0xFF)).count("1") for word in words],
                         words >> 12 == 2)  # fmt: skip
        np.testing.assert_array_equal(events.t, np.repeat(plain_times(words), count))
        np.testing.assert_array_equal(events.t & 0xFFF, wanted["t"] & 0xFFF)
        np.testing.assert_array_equal(events.t + np.repeat(steps_of_expelliarmus(words), count), wanted["t"])

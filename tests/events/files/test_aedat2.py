"""AEDAT 1.0 and 2.0: what is particular to them."""

import numpy as np
import pytest
from encode_aedat2 import HEADER, addresses, records, samples

from spikelab.events.files import EventFileError, open_events, read_events, recognise

BARE = b"#!AER-DAT2.0\r\n"
DVS128 = BARE + b"# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n#End Of ASCII Header\r\n"


def recording(tmp_path, *parts, header=HEADER):
    path = tmp_path / "recording.aedat"
    path.write_bytes(header + b"".join(part.tobytes() for part in parts))
    return path


def dvs128(x, y, p):
    """A rise of brightness is 0 there."""
    x, y, p = np.array(x), np.array(y), np.array(p)
    return (127 - y) << 8 | (127 - x) << 1 | (1 - p)


@pytest.mark.parametrize("header", [DVS128, BARE])
def test_dvs128_with_its_name_and_without(tmp_path, header):
    path = recording(tmp_path, records([*dvs128([3, 100], [5, 110], [1, 0]), 0x8000], [10, 20, 30]), header=header)
    with open_events(path) as file:
        events = file.read()
        assert (events.width, events.height) == (128, 128)
        assert (events.x.tolist(), events.y.tolist(), events.p.tolist()) == ([3, 100], [5, 110], [1, 0])
        assert file.triggers().t.tolist() == [30]
        assert list(file.frames()) == []


def test_version_1_has_short_addresses(tmp_path):
    found = np.zeros(2, [("address", ">u2"), ("t", ">u4")])
    found["address"], found["t"] = dvs128([3, 100], [5, 110], [1, 0]), [10, 20]
    path = recording(tmp_path, found, header=b"#!AER-DAT1.0\r\n")
    assert recognise(path) == "aedat2"
    events = read_events(path)
    assert (events.x.tolist(), events.y.tolist(), events.p.tolist()) == ([3, 100], [5, 110], [1, 0])
    assert events.t.tolist() == [10, 20]


def test_a_camera_that_the_header_does_not_name_is_asked_for(tmp_path):
    path = recording(tmp_path, records(addresses([3], [5], [1]), [10]), header=BARE)
    with pytest.raises(EventFileError, match=r"its header says nothing .* name a camera .* with stream="):
        open_events(path)
    with open_events(path, stream="DAVIS346") as file:
        assert file.read().x.tolist() == [3]
    with pytest.raises(EventFileError, match="addresses of the camera 'Cochlea' are not known"):
        open_events(recording(tmp_path, header=BARE + b"# AEChip: a.b.Cochlea\r\n"))


@pytest.mark.parametrize(
    ("chip", "size"),
    [("Davis240C", (180, 240)), ("DAVI346", (260, 346)), ("Davis640", (480, 640)), ("Davis128", (128, 128))],
)
def test_sizes_of_cameras(tmp_path, chip, size):
    header = BARE + b"# AEChip: eu.seebetter.ini.chips.davis." + chip.encode() + b"\r\n"
    path = recording(tmp_path, records(addresses([3], [5], [1], size[1], size[0]), [10]), header=header)
    with open_events(path) as file:
        events = file.read()
    assert (events.height, events.width) == size
    assert (events.x[0], events.y[0], events.p[0]) == (3, 5, 1)


def test_a_first_event_that_begins_like_a_line_of_the_header(tmp_path):
    y = 260 - 1 - (0x23 << 1)
    first = records(addresses([3], [y], [1]), [1000])
    first[0, 0] |= 0x23000000
    events = read_events(recording(tmp_path, first, records(addresses([4], [6], [1]), [0x0D0A])))
    assert events.t.tolist() == [1000, 0x0D0A]


def test_time_runs_over_and_goes_on(tmp_path):
    t = [0x7FFFFFF0, 0x80000010, 0xFFFFFFF0, 0x100000010, 0x180000000 - 50, 0x1C0000000, 0x1FFFFFFF0, 0x200000001]
    path = recording(tmp_path, records(addresses(range(8), [5] * 8, [1] * 8), t))
    assert read_events(path).t.tolist() == t


def test_edges_on_the_input_and_noise_that_v2e_marks(tmp_path):
    noise = addresses([200], [100], [1]) | 0x400
    path = recording(tmp_path, records([0x403, *noise, 0x402, 0x404], [1, 2, 3, 4]))
    with open_events(path) as file:
        assert file.read().x.tolist() == [200]
        found = file.triggers()
    assert found.t.tolist() == [1, 3, 4]
    assert found.rising.tolist() == [True, False, True]


DAVIS128 = BARE + b"# AEChip: eu.seebetter.ini.chips.davis.Davis128\r\n"


def pictures(count, seed=0):
    rng = np.random.default_rng(seed)
    brightness = rng.integers(0, 500, (count, 128, 128))
    return brightness, brightness + rng.integers(0, 400, (count, 1, 128))


def test_pictures_of_a_global_shutter(tmp_path):
    brightness, reset = pictures(2)
    parts = [samples((reset - brightness)[0], True, 5)]  # the end of one that began before the recording
    for k in range(2):
        parts += [
            samples(reset[k], False, 10_000 * k + 1000),
            samples((reset - brightness)[k], True, 10_000 * k + 5000),
        ]
    with open_events(recording(tmp_path, *parts, header=DAVIS128)) as file:
        with pytest.warns(UserWarning, match="1 pictures of which samples are missing were left out"):
            found = list(file.frames())
        assert len(file.read()) == 0
    for k, frame in enumerate(found):
        np.testing.assert_array_equal(frame.image, brightness[k])
        assert frame.exposure == (10_000 * k + 1127, 10_000 * k + 5000)
        assert frame.t == sum(frame.exposure) // 2
    assert len(found) == 2


def test_pictures_of_a_rolling_shutter(tmp_path):
    brightness, reset = pictures(1)
    first, second = samples(reset[0], False, 1000), samples((reset - brightness)[0], True, 1050)
    mixed = np.concatenate([first, second])
    mixed = mixed[np.argsort(mixed[:, 1], kind="stable")].astype(">u4")
    with open_events(recording(tmp_path, mixed, header=DAVIS128)) as file:
        (frame,) = file.frames()
    np.testing.assert_array_equal(frame.image, brightness[0])
    assert frame.exposure == (1000, 1050)


def test_pictures_of_a_part_of_the_sensor(tmp_path):
    brightness, reset = pictures(3)
    part = np.flatnonzero(np.arange(128 * 128) % 128 >= 64)  # the upper half
    parts = []
    for k in range(3):
        parts += [
            samples(reset[k], False, 1000 * k, part),
            samples((reset - brightness)[k], True, 1000 * k + 500, part),
        ]
    with open_events(recording(tmp_path, *parts, header=DAVIS128)) as file:
        found = list(file.frames())
    for k in range(3):
        np.testing.assert_array_equal(found[k].image, np.where(np.arange(128)[:, None] < 64, brightness[k], 0))
        assert found[k].exposure == (1000 * k + 127, 1000 * k + 500)


@pytest.mark.parametrize("which", [False, True])
def test_pictures_that_lack_a_sample_are_left_out_and_told(tmp_path, which):
    brightness, reset = pictures(3)
    lost = np.delete(np.arange(128 * 128), 77)
    parts = []
    for k, order in enumerate([None, lost, None]):
        orders = [None if which else order, order if which else None]
        parts += [samples(reset[k], False, 1000 * k, orders[0])]
        parts += [samples((reset - brightness)[k], True, 1000 * k + 500, orders[1])]
    with (
        open_events(recording(tmp_path, *parts, header=DAVIS128)) as file,
        pytest.warns(UserWarning, match="1 pictures of which samples"),
    ):
        first, last = file.frames()
    np.testing.assert_array_equal(first.image, brightness[0])
    np.testing.assert_array_equal(last.image, brightness[2])


def test_the_last_record_is_cut_short(tmp_path):
    path = recording(tmp_path, records(addresses([3, 4], [5, 5], [1, 1]), [10, 20]))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(EventFileError, match=f"byte {len(HEADER) + 8}: the last event is cut short, 5 of its 8 bytes"):
        read_events(path)

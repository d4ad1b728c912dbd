"""HDF5: indexes of time, several cameras, pictures, missing filters, and data sets that declare more than is there."""

import itertools
import subprocess
import sys

import h5py
import numpy as np
import pytest
from encode_prophesee_hdf5 import write as write_prophesee

from spikelab import registry
from spikelab.events import EventArray
from spikelab.events.files import EventFileError, open_events, read_events, recognise, write_events

INDEXED = ("hdf5", "dsec_hdf5", "prophesee_hdf5")


def recording(count, seed=0, last=20_000_000, width=320, height=240):
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, last, count))
    x, y = rng.integers(0, width, count), rng.integers(0, height, count)
    return EventArray(x, y, t, rng.integers(0, 2, count), width, height)


def columns(file, place, events, **extra):
    for name in "xytp":
        file[f"{place}/{name}"] = getattr(events, name)
    for name, value in extra.items():
        file[f"{place}/{name}"] = value


@pytest.mark.parametrize("name", INDEXED)
def test_what_lies_long_before_is_not_read(encoder_of, tmp_path, name):
    encoder = encoder_of(name)
    events = encoder.events(150_000)
    encoder.write(tmp_path / "x", events)
    with registry.load("event_formats", name).open(tmp_path / "x", None) as opened:
        for place in (0, 70_000, 140_000):
            start = int(events.t[place])
            found = np.concatenate([block.t for block in opened.before(start)])
            np.testing.assert_array_equal(found, events.t[len(events) - len(found) :])
            assert int(np.sum(events.t >= start)) <= len(found) <= int(np.sum(events.t >= start)) + 66_000
        assert sum(len(block.t) for block in opened.before(-5)) == len(events)
        assert len(list(opened.before(int(events.t[-1]) + 10**9))) <= 1


@pytest.mark.parametrize(("name", "index"), [("dsec_hdf5", "ms_to_idx"), ("prophesee_hdf5", "CD/indexes")])
def test_an_index_of_other_events_loses_nothing(encoder_of, tmp_path, name, index):
    encoder = encoder_of(name)
    events = encoder.events(5000)
    encoder.write(tmp_path / "x", events)
    with h5py.File(tmp_path / "x", "r+") as file:
        wrong = file[index][:]
        if wrong.dtype.names:
            wrong["id"] = len(events) - 3
        else:
            wrong[:] = len(events) - 3
        file[index][:] = wrong
    start, end = int(events.t[2000]), int(events.t[3000])
    with open_events(tmp_path / "x") as file:
        np.testing.assert_array_equal(file.between(start, end).t, events.between(start, end).t)


def test_several_cameras_are_named(tmp_path):
    """The files of M3ED and of EvTTC."""
    left, right = recording(300, 1, width=1280, height=720), recording(200, 2, width=1280, height=720)
    with h5py.File(tmp_path / "x", "w") as file:
        for side, events in (("left", left), ("right", right)):
            index = np.searchsorted(events.t, np.arange(0, 20_001) * 1000)
            columns(file, f"prophesee/{side}", events, ms_map_idx=index)
            file[f"prophesee/{side}/calib/resolution"] = (1280, 720)
        file["ovc/left/data"] = np.zeros((2, 4, 4, 1), np.uint8)
    with pytest.raises(EventFileError, match="holds prophesee/left, prophesee/right; name one with stream="):
        open_events(tmp_path / "x")
    with pytest.raises(EventFileError, match="no stream 'middle'"):
        open_events(tmp_path / "x", stream="middle")
    assert read_events(tmp_path / "x", stream="/prophesee/right") == right
    with open_events(tmp_path / "x", stream="prophesee/left") as file:
        assert file.between(1_000_000, 2_000_000) == left.between(1_000_000, 2_000_000)


def test_sides_that_stand_beside_the_columns(tmp_path):
    """The files of RVT, and others without an index."""
    events = recording(100)
    with h5py.File(tmp_path / "x", "w") as file:
        columns(file, "events", events, width=320, height=240)
    assert read_events(tmp_path / "x") == events


def test_dsec_has_cameras_of_640_x_480(tmp_path):
    events = recording(100)
    with h5py.File(tmp_path / "x", "w") as file:
        columns(file, "events", events)
        file["ms_to_idx"], file["t_offset"] = np.zeros(1, np.uint64), 1000
    found = read_events(tmp_path / "x")
    assert (found.width, found.height) == (640, 480)
    np.testing.assert_array_equal(found.t, events.t + 1000)


def test_mvsec_has_two_cameras_and_their_pictures(tmp_path):
    start = 1_506_117_888.5
    with h5py.File(tmp_path / "x", "w") as file:
        for side in ("left", "right"):
            group = file.create_group(f"davis/{side}")
            group["events"] = [[3.0, 4.0, start, -1.0], [345.0, 259.0, start + 1e-6 * len(side), 1.0]]
            group["image_raw"] = np.arange(2 * 260 * 346).reshape(2, 260, 346).astype(np.uint8)
            group["image_raw_ts"] = [start + 0.02, start + 0.01]
    assert recognise(tmp_path / "x") == "mvsec_hdf5"
    with pytest.raises(EventFileError, match="left, right"):
        open_events(tmp_path / "x")
    with open_events(tmp_path / "x", stream="right") as file:
        events, frames = file.read(), list(file.frames())
    assert events.t.tolist() == [1_506_117_888_500_000, 1_506_117_888_500_005]
    assert events.p.tolist() == [0, 1]
    assert (events.width, events.height) == (346, 260)
    assert [frame.t for frame in frames] == [1_506_117_888_510_000, 1_506_117_888_520_000]
    assert frames[0].image[0, :3].tolist() == [260 * 346 % 256, 260 * 346 % 256 + 1, 260 * 346 % 256 + 2]


def test_pictures_of_e2vid(tmp_path):
    with h5py.File(tmp_path / "x", "w") as file:
        for name, column in {"xs": [1], "ys": [2], "ts": [0.5], "ps": [True]}.items():
            file[f"events/{name}"] = np.array(column)
        file.attrs["sensor_resolution"] = (180, 240)
        for number, seconds in enumerate((0.25, 0.125)):
            file[f"images/image{number:09}"] = np.full((180, 240), number, np.uint8)
            file[f"images/image{number:09}"].attrs["timestamp"] = seconds
    with open_events(tmp_path / "x") as file:
        assert file.size == (180, 240)
        assert [(frame.t, int(frame.image[0, 0])) for frame in file.frames()] == [(125_000, 1), (250_000, 0)]


def test_triggers_of_prophesee(tmp_path):
    write_prophesee(tmp_path / "x", recording(10, width=1280, height=720), [(1, 500, 0), (0, 700, 6)])
    with open_events(tmp_path / "x") as file:
        found = file.triggers()
        assert file.about["geometry"] == "1280x720"
    assert [found.t.tolist(), found.channel.tolist(), found.rising.tolist()] == [[500, 700], [0, 6], [True, False]]


def test_the_filter_of_prophesee_is_named_with_a_remedy(tmp_path):
    with h5py.File(tmp_path / "x", "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((64,))
        properties.set_filter(0x8ECF, h5py.h5z.FLAG_OPTIONAL, ())
        kind = h5py.h5t.py_create(np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")]))
        group = file.create_group("CD")
        h5py.h5d.create(group.id, b"events", kind, h5py.h5s.create_simple((64,)), properties)
    assert recognise(tmp_path / "x") == "prophesee_hdf5"
    with pytest.raises(EventFileError, match=r"ECF.*hdf5_ecf.*HDF5_PLUGIN_PATH"):
        read_events(tmp_path / "x")


def test_a_missing_library_is_named(tmp_path):
    write_events(tmp_path / "x", recording(10), format="dsec_hdf5")
    program = (
        "import sys; sys.modules['hdf5plugin'] = None\n"
        "from spikelab.events.files import read_events\n"
        "try: read_events(sys.argv[1])\n"
        "except ImportError as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", program, str(tmp_path / "x")], capture_output=True, text=True)
    assert "pip install 'spikelab[events]'" in said.stdout, said.stderr


def test_events_that_were_never_written_are_not_zeros(tmp_path):
    """HDF5 gives zeros for chunks that are not there."""
    events = recording(5000)
    write_events(tmp_path / "x", events)
    with h5py.File(tmp_path / "x", "r+") as file:
        for name in "xytp":
            file[f"events/{name}"].resize(10**12, axis=0)
    with pytest.raises(
        EventFileError, match=r"only 65536 of 1000000000000 events are in the file; \d+ events are lost"
    ):
        read_events(tmp_path / "x", resets="continue", disorder="sort")


def test_a_chunk_that_cannot_be_decompressed(tmp_path):
    events = recording(200_000)
    write_events(tmp_path / "x", events)
    with h5py.File(tmp_path / "x") as file:
        chunk = file["events/y"].id.get_chunk_info(1)
    content = bytearray((tmp_path / "x").read_bytes())
    content[chunk.byte_offset + 100 : chunk.byte_offset + 110] = bytes(10)
    (tmp_path / "x").write_bytes(content)
    lost = len(events) - 65_536
    with pytest.raises(EventFileError, match=f"byte {chunk.byte_offset}: event 65536: .*; {lost} events are lost"):
        read_events(tmp_path / "x")
    with pytest.warns(UserWarning, match="what is before it was read"):
        assert read_events(tmp_path / "x", damaged="keep") == events[:65_536]


def test_a_file_in_hdf5_that_is_cut_short_is_told_as_one(tmp_path):
    write_events(tmp_path / "x", recording(5000))
    content = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(content[:-100])
    with pytest.raises(EventFileError, match=r"cannot be read as HDF5 \(.*truncated"):
        open_events(tmp_path / "x")


@pytest.mark.parametrize(("name", "value"), [("x", -1), ("y", 70_000), ("p", -2)])
def test_values_that_make_no_sense(tmp_path, name, value):
    events = recording(100)
    with h5py.File(tmp_path / "x", "w") as file:
        columns(file, "events", events)
        wrong = getattr(events, name).astype(np.int32)
        wrong[40] = value
        del file[f"events/{name}"]
        file[f"events/{name}"] = wrong
    with pytest.raises(EventFileError, match=f"event 40: {name} = {value}"):
        read_events(tmp_path / "x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file["events/x"].resize(99, axis=0), "columns differ in length"),
        (lambda file: file.attrs.update(version=2), "version 2 of the format"),
        (lambda file: file.attrs.update(width=0), "how large the sensor is"),
        (lambda file: file.pop("events/p"), "cannot be read as HDF5"),
    ],
)
def test_files_of_spikelab_that_are_not_right(tmp_path, change, message):
    write_events(tmp_path / "x", recording(100))
    with h5py.File(tmp_path / "x", "r+") as file:
        change(file)
    with pytest.raises(EventFileError, match=message):
        read_events(tmp_path / "x")


def test_data_in_other_files_is_not_followed(tmp_path):
    events = recording(100)
    (tmp_path / "raw").write_bytes(events.t.tobytes())
    with h5py.File(tmp_path / "x", "w") as file:
        columns(file, "events", events)
        del file["events/t"]
        file.create_dataset("events/t", (100,), "<i8", external=[(str(tmp_path / "raw"), 0, 800)])
    with pytest.raises(EventFileError, match="lies in another file"):
        read_events(tmp_path / "x")


@pytest.mark.shared
def test_real_files_in_hdf5_and_bags(shared):
    """Whatever real files there are: in order, on the sensor, and a part of the time is the same part of the whole."""
    found = 0
    for path in sorted(each for each in (shared / "data").rglob("*") if each.is_file()):
        with open(path, "rb") as file:
            if not file.read(16).startswith((b"\x89HDF\r\n\x1a\n", b"#ROSBAG V", b"\x89MCAP0\r\n")):
                continue
        try:
            opened = open_events(path, stream=None)
        except EventFileError as error:
            if "no event file" in str(error) or "stream=" in str(error):
                continue
            raise
        found += 1
        with opened:
            chunks = [(chunk.t[0], chunk.t[-1], len(chunk)) for chunk in opened if len(chunk)]
            assert all(chunk[1] <= following[0] for chunk, following in itertools.pairwise(chunks))
            middle = int(chunks[len(chunks) // 2][0])
            part = opened.between(middle, middle + 10_000)
            assert len(part)
            assert middle <= part.t[0] <= part.t[-1] < middle + 10_000
    if not found:
        pytest.skip(f"no event file in HDF5 and no bag below {shared}/data")

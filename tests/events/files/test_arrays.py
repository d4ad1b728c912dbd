"""NPZ and NPY: the usual ways to keep events in NumPy arrays, and files that are not what they say."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from spikelab.events import EventArray
from spikelab.events.files import EventFileError, open_events, read_events, recognise
from spikelab.events.files import source as source_module

T, X, Y, P = [[3811, 3820, 3836, 3840], [96, 127, 4, 5], [133, 171, 160, 9], [0, 1, 0, 1]]
TABLE = np.array([T, X, Y, P]).T.copy()
FIELDS = np.array([(*row,) for row in TABLE.tolist()], [("ts", "<u4"), ("x", "<u2"), ("y", "<i8"), ("polarity", "?")])


def columns(events):
    return [column.tolist() for column in (events.t, events.x, events.y, events.p)]


def npz(tmp_path, **arrays):
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    return tmp_path / "a.npz"


def npy(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    return tmp_path / "a.npy"


SIGNED = [-1, 1, -1, 1]
WAYS = {
    "lists": {"t": T, "x": X, "y": Y, "p": P},
    "seconds": {"ts": np.array(T) / 1e6, "xs": np.array(X, float), "ys": np.array(Y, ">f4"), "ps": np.array(SIGNED)},
    "nanoseconds": {"timestamps": np.array(T) * 1000 + 499 + 10**17, "x": X, "y": Y, "pol": np.array(P, bool)},
    "named unit": {"t_ms": np.array(T) / 1000, "x": X, "y": Y, "polarities": np.array(SIGNED, np.int8)},
    "fields": {"events": FIELDS, "label": np.array(3)},
    "table": {"arr_0": TABLE, "image": np.zeros((7, 7))},
    "table of columns": {"arr_0": np.asfortranarray(TABLE)},
    "table on its side": {"arr_0": np.array([T[:3], X[:3], Y[:3], P[:3]]), "other": np.zeros(3)},
    "table in another order": {"data": TABLE[:, [1, 2, 0, 3]].astype(np.float64)},
    "polarity first, named": {"x": X, "y": Y, "p": SIGNED, "t": np.array(T, np.float64)},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("block", [1 << 20, 2])
def test_usual_ways_to_keep_the_same_events(tmp_path, monkeypatch, way, block):
    monkeypatch.setattr(source_module, "BLOCK", block)
    path = npz(tmp_path, **WAYS[way])
    assert recognise(path) == "npz"
    wanted = [T, X, Y, P]
    if way == "nanoseconds":
        wanted = [[t + 10**14 for t in T], X, Y, P]
    if way == "table on its side":
        wanted = [column[:3] for column in wanted]
    assert columns(read_events(path)) == wanted


@pytest.mark.parametrize(
    "array",
    [
        FIELDS,
        TABLE,
        np.asfortranarray(TABLE),
        np.vstack([TABLE, TABLE + np.array([30, 0, 0, 0])]).T,
        TABLE.astype(">f4"),
    ],
)
def test_the_same_in_npy(tmp_path, array):
    path = npy(tmp_path, array)
    assert recognise(path) == "npy"
    count = max(np.shape(array))
    t = T if count == 4 else T + [each + 30 for each in T]
    found = read_events(path)
    assert found.t.tolist() == t
    assert found.x.tolist() == X * (count // 4)
    assert found.p.tolist() == P * (count // 4)


def test_our_own_files_keep_size_and_microseconds(tmp_path):
    events = EventArray(X, Y, [0, 1, 2 * 10**17, 4 * 10**18 // 2], P, 640, 480)
    events.to_npz(tmp_path / "a.npz", compressed=False)
    assert read_events(tmp_path / "a.npz") == events


def test_python_objects_are_never_read(tmp_path):
    bad = np.array([len, print], object)
    with open(tmp_path / "a.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": bad.shape})
        file.write(pickle.dumps(len) + bytes(100))
    with pytest.raises(EventFileError, match="holds Python objects, which may execute code"):
        read_events(tmp_path / "a.npy")
    np.savez(tmp_path / "b.npz", t=bad, x=X[:2], y=Y[:2], p=P[:2])
    with pytest.raises(EventFileError, match="holds Python objects, which may execute code"):
        read_events(tmp_path / "b.npz")


def test_files_without_events_say_what_they_hold(tmp_path):
    with pytest.raises(
        EventFileError, match="holds no events: no t, x, y and p, and no table of them, but image, label"
    ):
        read_events(npz(tmp_path, image=np.zeros((3, 3)), label=3))
    with pytest.raises(EventFileError, match="holds no events"):
        read_events(npy(tmp_path, np.zeros((5, 3))))
    with pytest.raises(EventFileError, match="its columns are not t, x, y and p; save it as NPZ"):
        read_events(npy(tmp_path, np.random.default_rng(0).normal(size=(50, 4))))
    with pytest.raises(EventFileError, match="its columns may be t x y p or x y t p; save it as NPZ"):
        read_events(npy(tmp_path, np.array([[1, 2, 3, 0], [4, 5, 6, 1]])))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("events.txt", "1 2 3 0")
    with pytest.raises(EventFileError, match="no event file of a known format"):
        recognise(tmp_path / "b.zip")


def test_several_tables_are_asked_for(tmp_path):
    path = npz(tmp_path, left=TABLE, right=TABLE + np.array([1, 0, 0, 0]), image=np.zeros((7, 7)))
    with pytest.raises(EventFileError, match="holds left, right; name one with stream="):
        read_events(path)
    with open_events(path, stream="right") as file:
        assert file.read().t.tolist() == [t + 1 for t in T]


def test_columns_that_differ_in_length_or_are_no_lists(tmp_path):
    with pytest.raises(EventFileError, match=r"its columns differ in length: {'t': 4, 'x': 3, 'y': 4, 'p': 4}"):
        read_events(npz(tmp_path, t=T, x=X[:3], y=Y, p=P))
    with pytest.raises(EventFileError, match="its t, x, y and p are no lists of numbers"):
        read_events(npz(tmp_path, t=T, x=TABLE, y=Y, p=P))
    with pytest.raises(EventFileError, match="its times are <U1, not numbers"):
        read_events(npz(tmp_path, t=list("abcd"), x=X, y=Y, p=P))
    with pytest.raises(EventFileError, match="its times are whole numbers of type float64, in no known unit"):
        read_events(npz(tmp_path, t=[1.0, 2.0], x=X[:2], y=Y[:2], p=P[:2]))
    with pytest.raises(EventFileError, match="its width is no number of pixels"):
        read_events(npz(tmp_path, t=T, x=X, y=Y, p=P, width=0, height=5))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("t", np.nan, "t = nan is no time"),
        ("t", np.inf, "t = inf is no time"),
        ("x", -1.0, "x = -1.0 is no pixel"),
        ("x", 70000, "x = 70000 is no pixel"),
        ("y", 0.5, "y = 0.5 is no pixel"),
        ("p", 7, "p = 7 is no polarity"),
        ("p", -2, "p = -2 is no polarity"),
    ],
)
def test_values_that_make_no_sense_are_named(tmp_path, name, value, reason):
    arrays = {"t": np.array(T) / 1e6, "x": X, "y": Y, "p": P}
    arrays[name] = np.array([*arrays[name][:2], value, arrays[name][3]])
    with pytest.raises(EventFileError, match=f"event 2: {reason}; 2 events are lost"):
        read_events(npz(tmp_path, **arrays))
    with pytest.warns(UserWarning, match="what is before it was read"):
        assert read_events(tmp_path / "a.npz", damaged="keep").t.tolist() == T[:2]


@pytest.mark.parametrize(("array", "cut"), [(FIELDS, 20), (TABLE, 33), (np.asfortranarray(TABLE), 15)])
def test_an_array_that_is_cut_short_keeps_what_is_there(tmp_path, array, cut):
    if array is not FIELDS:
        array = np.array(
            [row + np.array([100 * turn, 0, 0, 0]) for turn in range(9) for row in TABLE], order="CF"[array.flags.fnc]
        )
    path = npy(tmp_path, array)
    path.write_bytes(path.read_bytes()[:-cut])
    left = len(array) - 2
    with pytest.raises(
        EventFileError, match=f"byte .*: only {left} of {left + 2} events are in the file; 2 events are"
    ):
        read_events(path)
    with pytest.warns(UserWarning, match="what is before it was read"):
        events = read_events(path, damaged="keep")
    assert len(events) == left
    assert columns(events[:2]) == [T[:2], X[:2], Y[:2], P[:2]]


def test_a_count_beyond_the_file_takes_no_memory(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<i8", "fortran_order": False, "shape": (10**15, 4)})
    (tmp_path / "a.npy").write_bytes(header.getvalue() + TABLE.astype("<i8").tobytes())
    with pytest.raises(EventFileError, match=f"only 4 of {10**15} events are in the file"):
        read_events(tmp_path / "a.npy")


def test_bytes_behind_an_array_are_told(tmp_path):
    path = npy(tmp_path, FIELDS)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.warns(UserWarning, match="4 bytes behind the events were left out"):
        assert read_events(path).t.tolist() == T


def test_a_data_set_that_is_still_packed(tmp_path):
    """Arrays of a data set in a ZIP archive are no recording."""
    np.save(tmp_path / "index.npy", np.zeros((5, 4)))
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(tmp_path / "index.npy", "set/dir0/index_50ms.npy")
        archive.writestr("set/readme.txt", "about")
    problem = r"no event file of a known format: it is a ZIP archive of 2 files, such as set/.*; unpack it"
    with pytest.raises(EventFileError, match=problem):
        read_events(tmp_path / "set.zip")
    with zipfile.ZipFile(tmp_path / "arrays.zip", "w") as archive:
        for name in ("a", "b"):
            archive.writestr(f"set/{name}.npy", npy_bytes(np.zeros(7)))
    with pytest.raises(EventFileError, match=r"holds no events: .* set/a, set/b; if it is a data set, unpack it"):
        read_events(tmp_path / "arrays.zip")


def npy_bytes(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def test_a_folder_is_pointed_to_the_command_for_folders(tmp_path):
    with pytest.raises(EventFileError, match=r"is a folder, .* name a file in it, or .* `spikelab data check FOLDER`"):
        read_events(tmp_path)

"""MATLAB files: structs, cells of them, plain variables, and the matrices of ST-MNIST."""

import builtins
import json

import numpy as np
import pytest
import scipy.io

from spikelab.events.files import EventFileError, open_events, read_events, recognise

T, X, Y, P = [[10, 12, 12, 15], [1, 32, 5, 5], [2, 31, 7, 7], [-1, 1, -1, 1]]


def columns(events):
    return [column.tolist() for column in (events.t, events.x, events.y, events.p)]


def written(tmp_path, **variables):
    scipy.io.savemat(tmp_path / "a.mat", variables)
    return tmp_path / "a.mat"


def recording(shift=0):
    return {
        "x": np.array(X, np.uint8),
        "y": np.array(Y, np.uint8),
        "p": np.array(P, np.int16),
        "ts": np.array(T) + shift,
    }


WANTED = [T, [0, 31, 4, 4], [1, 30, 6, 6], [0, 1, 0, 1]]


@pytest.mark.parametrize(
    "variables",
    [
        {"TD": recording(), "label": 3.0},
        {"x": X, "y": Y, "pol": P, "ts": T, "name": "letters"},
        {"aedat": {"data": {"polarity": {"timeStamp": T, "x": X, "y": Y, "polarity": np.array(P) > 0}}}},
        {
            "TD": {
                "x": np.array([X], float).T,
                "y": np.array([Y]).T,
                "p": np.array([P]).T + 3 >> 1,
                "ts": np.array(T, float),
            }
        },
        {"TD": {"x": X, "y": Y, "p": P, "t_s": np.array(T) / 1e6}},
        {"TD": {"x": X, "y": Y, "p": P, "t": np.array(T) / 1e6}},
    ],
)
def test_usual_ways_to_keep_the_same_events(tmp_path, variables):
    path = written(tmp_path, **variables)
    assert recognise(path) == "matlab"
    assert columns(read_events(path)) == WANTED


def test_a_zero_shows_that_pixels_count_from_zero(tmp_path):
    with open_events(written(tmp_path, TD={"x": [0, 31, 5, 5], "y": Y, "p": P, "ts": T})) as file:
        assert file.about["first row and column"] == 0
        assert file.read().x.tolist() == [0, 31, 5, 5]
        assert file.read().y.tolist() == Y


def test_cells_are_streams(tmp_path):
    cells = np.empty((1, 12), object)
    for number in range(12):
        cells[0, number] = recording(shift=100 * number)
    path = written(tmp_path, ROI=cells)
    with pytest.raises(EventFileError, match=r"holds 12 recordings; name one with stream= \(0, 1 ... 11\)"):
        read_events(path)
    with pytest.raises(EventFileError, match="holds 12 recordings, but none is named '12'"):
        open_events(path, stream="12")
    with open_events(path, stream="7") as file:
        assert file.read().t.tolist() == [t + 700 for t in T]


def test_several_variables_are_streams(tmp_path):
    path = written(tmp_path, left=recording(), right=recording(5), other=np.zeros((2, 2)))
    with pytest.raises(EventFileError, match=r"holds 2 recordings; name one with stream= \(left, right\)"):
        read_events(path)
    with open_events(path, stream="right") as file:
        assert file.read().t.tolist() == [t + 5 for t in T]


def test_files_without_events(tmp_path):
    for variables in (
        {"TD": {"x": X, "y": Y}},
        {"image": np.zeros((4, 4))},
        {"TD": {"x": "a", "y": Y, "p": P, "ts": T}},
    ):
        with pytest.raises(EventFileError, match="holds no events: no struct with x, y, p and t or ts"):
            read_events(written(tmp_path, **variables))
    with pytest.raises(EventFileError, match=r"its columns differ in length: {'x': 4, 'y': 3, 'p': 4, 't': 4}"):
        read_events(written(tmp_path, TD={"x": X, "y": Y[:3], "p": P, "ts": T}))
    (tmp_path / "a.mat").write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(EventFileError, match=r"is of MATLAB 7.3, .* save it with '-v7'"):
        read_events(tmp_path / "a.mat")


@pytest.mark.parametrize(("name", "value"), [("x", -5), ("y", 70_000), ("p", 5), ("ts", np.nan)])
def test_numbers_that_are_no_event(tmp_path, name, value):
    struct = {key: np.array(column, float) for key, column in recording().items()}
    struct[name][2] = value
    with pytest.raises(EventFileError, match=r"event 2: \w = .* is no .*; 2 events are lost"):
        read_events(written(tmp_path, TD=struct))


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    path = written(tmp_path, TD=recording())
    load = builtins.__import__

    def without_scipy(name, *rest):
        if name.startswith("scipy"):
            raise ImportError(name)
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_scipy)
    with pytest.raises(ImportError, match=r"pip install 'spikelab\[events\]'"):
        read_events(path)


@pytest.mark.shared
def test_real_files_against_what_is_in_them(shared):
    """Every recording of every MATLAB file: as many events, in order, with the pixels that its matrix or struct has."""
    paths = [path for path in sorted(shared.glob("data/**/*.mat")) if recognise(path) == "matlab"]
    if not paths:
        pytest.skip(f"no MATLAB file below {shared}/data")
    for path in paths:
        raw = scipy.io.loadmat(path)
        if "spiketrain" in raw:
            events, matrix = read_events(path), raw["spiketrain"]
            taxel, moment = np.nonzero(matrix[:100])
            assert events.t.tolist() == np.sort(np.rint(matrix[100, moment] * 1e6)).tolist()
            on, off = np.zeros((2, 10, 10))
            np.add.at(on, (events.y, events.x), events.p)
            np.add.at(off, (events.y, events.x), 1 - events.p)
            np.testing.assert_array_equal(on.ravel(), (matrix[:100] > 0).sum(axis=1))
            np.testing.assert_array_equal(off.ravel(), (matrix[:100] < 0).sum(axis=1))
            assert len(events) == len(taxel)
        elif "ROI" in raw:
            cells = raw["ROI"].ravel()
            labels = path.parent / "labels.json"
            if labels.is_file():
                assert len(cells) == len(_labels(labels))
            for number in (0, len(cells) // 2, len(cells) - 1):
                cell = cells[number][0, 0]
                with open_events(path, stream=str(number)) as file:
                    events = file.read()
                assert events.t.tolist() == cell["ts"].ravel().tolist()
                assert events.x.tolist() == (cell["x"].ravel().astype(int) - 1).tolist()
                assert events.y.tolist() == (cell["y"].ravel().astype(int) - 1).tolist()
                assert events.p.tolist() == (cell["p"].ravel() > 0).tolist()


def _labels(path):
    found = json.loads(path.read_text())
    return (
        found if isinstance(found, list) else next(value for value in found.values() if isinstance(value, list | str))
    )

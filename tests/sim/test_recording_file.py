"""Columns that grow, in memory and in a file."""

import shutil
import subprocess
import sys
from collections import namedtuple

import h5py
import numpy as np
import pytest

from spikelab.sim.recording_file import RecordingError, open_rows

LAYOUT = {"step": "int64", "value": ("float64", 3)}


def rows(first, count):
    return {"step": np.arange(first, first + count), "value": np.full((count, 3), float(first))}


@pytest.mark.parametrize("where", ["memory", "file"])
def test_rows_come_back_in_order(tmp_path, where):
    kept = open_rows(None if where == "memory" else str(tmp_path / "x.h5"), "states/a", LAYOUT)
    assert len(kept) == 0
    assert kept["value"].shape == (0, 3)
    for first, count in [(0, 4), (4, 0), (4, 3)]:
        kept.append(**rows(first, count))
    assert len(kept) == 7
    assert kept["step"].tolist() == list(range(7))
    assert kept["value"][5].tolist() == [4.0] * 3


def test_another_process_reads_while_rows_are_written(tmp_path):
    path = tmp_path / "x.h5"
    kept = open_rows(str(path), "states/a", LAYOUT)
    kept.append(**rows(0, 1000))
    code = f"import h5py; f = h5py.File({str(path)!r}, swmr=True); print(f['states/a/step'].shape[0])"
    environment = {"HDF5_USE_FILE_LOCKING": "FALSE"}
    read = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert read.stdout.strip() == "1000"


def test_a_full_disk_keeps_what_was_written_and_what_was_not(tmp_path, monkeypatch):
    path = tmp_path / "x.h5"
    kept = open_rows(str(path), "states/a", LAYOUT)
    kept.append(**rows(0, 10))
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9, 0))
        with pytest.raises(RecordingError, match=r"x\.h5.*states/a.*10 rows are in the file and 5 wait in memory"):
            kept.append(**rows(10, 5))
        assert len(kept) == 15
        assert kept["step"].tolist() == list(range(15))
    kept.append(**rows(15, 1))
    with h5py.File(path, "r", swmr=True) as file:
        assert file["states/a/step"][:].tolist() == list(range(16))


def test_two_recordings_share_a_file_until_one_of_them_writes(tmp_path):
    path = str(tmp_path / "x.h5")
    first, second = open_rows(path, "a", LAYOUT), open_rows(path, "b", LAYOUT)
    first.append(**rows(0, 2))
    second.append(**rows(0, 3))
    assert (len(first), len(second)) == (2, 3)
    with pytest.raises(RecordingError, match="being written"):
        open_rows(path, "c", LAYOUT)


def test_nothing_is_overwritten(tmp_path):
    path = str(tmp_path / "x.h5")
    first = open_rows(path, "a", LAYOUT)
    with pytest.raises(RecordingError, match="another monitor records a there already"):
        open_rows(path, "a", LAYOUT)
    first.append(**rows(0, 3))
    first.close()
    again = open_rows(path, "a", LAYOUT)
    for add in (again.begin, lambda: again.append(**rows(3, 1))):
        with pytest.raises(RecordingError, match="holds a recording of a already; restore the checkpoint"):
            add()
    again.close()
    with pytest.raises(RecordingError, match="holds another recording of a already"):
        open_rows(path, "a", {"step": "int64", "value": ("float64", 4)})
    with h5py.File(path, "r") as file:
        assert file["a/step"][:].tolist() == [0, 1, 2]


def test_a_closed_recording_can_be_read_and_gone_on_with(tmp_path):
    path = str(tmp_path / "x.h5")
    first = open_rows(path, "a", LAYOUT)
    first.append(**rows(0, 3))
    saved = first.saved()
    first.append(**rows(3, 2))
    first.close()
    assert first["step"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(RecordingError, match="was closed"):
        first.append(**rows(5, 1))
    again = open_rows(path, "a", LAYOUT)
    again.load(saved)
    assert again["step"].tolist() == [0, 1, 2]
    again.append(**rows(3, 1))
    assert again["step"].tolist() == [0, 1, 2, 3]
    again.close()
    with h5py.File(path, "r") as file:
        assert file["a/step"][:].tolist() == [0, 1, 2, 3]


def test_a_file_removed_under_a_recording_leaves_its_name_free(tmp_path):
    path = tmp_path / "x.h5"
    first = open_rows(str(path), "a", LAYOUT)
    first.append(**rows(0, 3))
    path.unlink()
    again = open_rows(str(path), "a", LAYOUT)
    again.append(**rows(7, 1))
    assert (first["step"].tolist(), again["step"].tolist()) == ([0, 1, 2], [7])


def test_a_file_that_is_none_is_refused(tmp_path):
    path = tmp_path / "x.h5"
    path.write_text("no HDF5")
    with pytest.raises(RecordingError, match=r"x\.h5: cannot be opened"):
        open_rows(str(path), "a", LAYOUT)

"""`spikelab data check FOLDER`: what is in a folder, and what is wrong with it."""

import json

import numpy as np
import pytest

from spikelab.cli import main
from spikelab.events import EventArray
from spikelab.events.files import open_events, write_events
from spikelab.report.data import _compare_classes
from spikelab.report.remedies import as_typed
from spikelab.report.text import data


def recording(seed=0, count=500):
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, 90_000, count))
    return EventArray(rng.integers(0, 32, count), rng.integers(0, 32, count), t, rng.integers(0, 2, count), 32, 32)


@pytest.fixture
def alphabet(tmp_path):
    scipy = pytest.importorskip("scipy.io")
    cells = np.empty((1, 6), object)
    for place in range(6):
        events = recording(place)
        cells[0, place] = {"x": events.x + 1, "y": events.y + 1, "p": events.p * 2.0 - 1, "ts": events.t}
    scipy.savemat(tmp_path / "letters.mat", {"ROI": cells})
    (tmp_path / "labels.json").write_text(json.dumps(["A", "B"] * 3))
    return tmp_path


def test_a_known_data_set(alphabet, tmp_path, capsys):
    report = tmp_path / "report.json"
    assert main(["data", "check", str(alphabet), "--json", str(report)]) == 0
    printed = capsys.readouterr().out
    assert "atis_alphabet" in printed
    assert "no problem found" in printed
    figures = json.loads(report.read_text())["figures"]
    assert figures["name"] == "atis_alphabet"
    assert {split: part["samples"] for split, part in figures["splits"].items()} == {
        "train": 32, "validation": 2, "test": 2,
    }  # fmt: skip
    assert figures["splits"]["test"]["classes"] == {"A": 0.5, "B": 0.5}


def test_the_options_of_the_data_set_are_taken(alphabet, capsys):
    assert main(["data", "check", str(alphabet), "--options.repeats", "2", "--splits", "train"]) == 0
    assert "4" in capsys.readouterr().out


def test_a_fault_is_named(alphabet, capsys):
    (alphabet / "labels.json").write_text(json.dumps(["A", "B"]))
    assert main(["data", "check", str(alphabet)]) == 1
    assert "has 2 labels, and 6 recordings are in letters.mat" in capsys.readouterr().out


def test_classes_that_a_split_lacks(alphabet, capsys):
    (alphabet / "labels.json").write_text(json.dumps(["A", "B", "A", "B", "A", "C"]))
    assert main(["data", "check", str(alphabet)]) == 1
    assert "test: no sample of class 'C'" in capsys.readouterr().out


def test_splits_of_other_classes():
    """Where a data set does not see it itself; it was a fault of the table."""
    first, second = ({"samples": 1, "classes": {name: 1.0}, "problems": []} for name in ("yes", "zero"))
    splits = {"train": first, "test": second}
    _compare_classes(splits)
    assert splits["test"]["problems"] == ["has other classes than the splits before it: zero"]
    for split in splits.values():
        split |= {"size": [4], "labelled": "sample", "conditions": {}, "notes": []}
    table = data({"name": "words", "splits": splits})
    assert "yes, % of samples" in table
    assert "zero, % of samples" in table


@pytest.mark.parametrize(
    ("reason", "options", "told"),
    [
        ("go on with resets=continue", (), "go on with --resets continue (options of `spikelab data convert"),
        ("with size=HEIGHT,WIDTH", ("size",), "with --options.size HEIGHT,WIDTH"),
        ("the index has size 5", (), "the index has size 5"),
        ("half of it: damaged=keep", ("size",), "half of it: --damaged keep (options of"),
    ],
)
def test_remedies_are_told_as_one_types_them(reason, options, told):
    assert as_typed(reason, options).startswith(told)


def test_a_remedy_that_a_check_prints_works(tmp_path, capsys):
    """Bytes cut off at the end: the file is mended with what was printed."""
    words = np.array([0x8000, 0x6000, 0x0005, *([0x2003] * 50), 0x1700], "<u2")
    (tmp_path / "cut.raw").write_bytes(b"% evt 3.0\n% format EVT3;height=720;width=1280\n% end\n" + words.tobytes())
    assert main(["data", "check", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "--damaged keep (options of `spikelab data convert FILE NEW.h5`" in printed
    assert main(["data", "convert", str(tmp_path / "cut.raw"), str(tmp_path / "new.h5"), "--damaged", "keep"]) == 0
    with open_events(tmp_path / "new.h5") as file:
        assert len(file.read()) == 50


def test_a_picture_of_alignment(tmp_path, capsys, alphabet):
    from PIL import Image

    from spikelab.datasets.ddd17 import miniature as ddd17_miniature

    ddd17_miniature.write(tmp_path / "ddd17", scale=5, labels=2)
    picture = tmp_path / "fit.png"
    assert main(["data", "check", str(tmp_path / "ddd17"), "--picture", str(picture), "--splits", "test"]) == 0
    assert "ddd17" in capsys.readouterr().out
    assert np.asarray(Image.open(picture)).std() > 10
    (alphabet / "only").mkdir()
    for name in ("letters.mat", "labels.json"):
        (alphabet / name).rename(alphabet / "only" / name)
    assert main(["data", "check", str(alphabet / "only"), "--picture", str(picture)]) == 1
    assert "picture: is of frames, events and labels of pixels" in capsys.readouterr().out


def test_a_folder_of_recordings(tmp_path, capsys):
    for number in range(3):
        (tmp_path / f"{number}").mkdir()
        write_events(tmp_path / f"{number}" / "events.h5", recording(number))
    (tmp_path / "README").write_text("three recordings")
    assert main(["data", "check", str(tmp_path)]) == 0
    assert "3 of hdf5; 1,500 events" in capsys.readouterr().out
    damaged = tmp_path / "1" / "events.h5"
    damaged.write_bytes(damaged.read_bytes()[:3000])
    assert main(["data", "check", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "2 of hdf5; 1,000 events" in printed
    assert f"cannot be read: {damaged}" in printed


def test_a_single_file(tmp_path, capsys):
    write_events(tmp_path / "events.npz", recording(), format="npz")
    assert main(["data", "check", str(tmp_path / "events.npz")]) == 0
    assert "1 of npz; 500 events" in capsys.readouterr().out


def test_folders_without_anything(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("nothing of the kind\n")
    assert main(["data", "check", str(tmp_path)]) == 1
    assert "none of the data sets that can be recognised, and holds no file of events" in capsys.readouterr().err
    assert main(["data", "check", str(tmp_path / "gone")]) == 1
    assert f"{tmp_path}/gone: no such folder" in capsys.readouterr().err


def test_files_of_several_data_sets_alike(tmp_path, capsys):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"")
    assert main(["data", "check", str(tmp_path)]) == 1
    assert "say which: spikelab data check --name" in capsys.readouterr().err


def test_a_registered_name_without_its_option(capsys, tmp_path):
    options = ["--options.train=60", "--splits=train"]
    assert main(["data", "check", "drawn_digits", *options]) == 0
    assert "drawn_digits" in capsys.readouterr().out


def test_a_recording_with_a_bad_line_is_told_and_a_description_is_not(tmp_path, capsys):
    lines = [f"{k / 1000:.6f} {k % 9} {k % 5} {k % 2}\n" for k in range(400)]
    (tmp_path / "good.txt").write_text("".join(lines))
    (tmp_path / "turned.txt").write_text("".join(reversed(lines)))
    (tmp_path / "notes.txt").write_text("recorded on a sunny day\n")
    assert main(["data", "check", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "recordings: 1 of text" in told
    assert "turned.txt" in told
    assert "notes.txt" not in told

"""Recordings of one's own in folders of classes: splits, the size of the sensor, what is refused, and all commands."""

import json
import shutil

import numpy as np
import pytest
from miniature_event_folders import CLASSES, event_folders, recording, write
from PIL import Image

from spikelab.cli import main
from spikelab.datasets import EventFolders
from spikelab.events import EventArray
from spikelab.events.files import EventFileError, write_events
from spikelab.report.data_folder import recognised

SPLITS = ("train", "validation", "test")


def opened(folder, **options):
    return {split: EventFolders(split, folder=folder, **options) for split in SPLITS}


def test_folders_of_splits(tmp_path):
    truth = event_folders(tmp_path)
    for split, data in opened(tmp_path).items():
        assert data.class_names == ("left", "right", "still")
        assert (data.height, data.width) == (24, 32)
        assert f"{split} is a folder" in data.origin
        for index, path in enumerate(data.paths):
            assert data.path(index) == path
            expected = truth.pop((split, data.class_names[data.labels[index]], path.name))
            for column in "xytp":
                np.testing.assert_array_equal(getattr(data.recording(index), column), getattr(expected, column))
    assert not truth


def test_other_names_of_splits_and_what_lies_beside(tmp_path):
    event_folders(tmp_path, counts=(("Training", 3), ("val", 2), ("TEST", 2), ("runs", 1)))
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "Training/left/.hidden").write_text("of a file manager")
    data = opened(tmp_path)
    assert [len(data[split]) for split in SPLITS] == [9, 6, 6]
    assert "not read: runs" in data["test"].origin


@pytest.mark.parametrize("place", [".", "train"])
def test_shares_of_each_class_are_drawn_by_the_seed(tmp_path, place):
    event_folders(tmp_path, counts=((place, 20),))
    data = opened(tmp_path, validation=0.25, test=0.25)
    for split, count in zip(SPLITS, (10, 5, 5), strict=True):
        assert np.bincount(data[split].labels).tolist() == [count] * 3
    taken = [set(each.paths) for each in data.values()]
    assert sum(map(len, taken)) == len(set.union(*taken)) == 60
    again, other = opened(tmp_path, validation=0.25, test=0.25), opened(tmp_path, validation=0.25, test=0.25, seed=1)
    assert [each.paths for each in again.values()] == [each.paths for each in data.values()]
    assert other["test"].paths != data["test"].paths
    assert "test is a share of 0.25 of each class, drawn by seed 0" in data["test"].origin


def test_a_folder_for_testing_stays_what_it_is(tmp_path):
    event_folders(tmp_path, counts=(("train", 10), ("test", 2)))
    data = opened(tmp_path, validation=0.2)
    assert [len(data[split]) for split in SPLITS] == [24, 6, 6]
    assert all(path.parent.parent.name == "test" for path in data["test"].paths)
    assert "validation is a share of 0.2" in data["test"].origin


def test_the_size_is_that_of_the_files_or_given(tmp_path):
    event_folders(tmp_path, counts=((".", 5),))
    odd = tmp_path / "right/odd.h5"
    write(odd, recording(np.random.default_rng(0), 1, 40, 50))
    with pytest.raises(ValueError, match=rf"{odd}: height and width of its sensor are 40,50, and those of .* 24,32"):
        EventFolders("train", folder=tmp_path, test=0, validation=0)
    data = EventFolders("train", folder=tmp_path, test=0, validation=0, size=(40, 50))
    assert data[0]["events"].shape == (10, 2, 40, 50)
    assert sum(data[index]["events"].sum() for index in range(len(data))) == 16 * 400
    small = EventFolders("train", folder=tmp_path, test=0, validation=0, size=(24, 32))
    with pytest.raises(EventFileError, match=r"odd\.h5: .*beyond the sensor"):
        small[small.paths.index(odd)]


def test_files_that_do_not_say_their_size(tmp_path):
    event_folders(tmp_path, counts=((".", 4),))
    made = recording(np.random.default_rng(0), 1)
    table = np.stack([made.t, made.x, made.y, made.p], 1)
    np.savetxt(tmp_path / "left/a.txt", table, fmt="%d", header="t_us x y p")
    with pytest.raises(EventFileError, match=r"a\.txt: does not say how large the sensor is; give it with size"):
        EventFolders("train", folder=tmp_path, test=0, validation=0)
    data = EventFolders("train", folder=tmp_path, test=0, validation=0, size=(24, 32))
    np.testing.assert_array_equal(data.recording(data.paths.index(tmp_path / "left/a.txt")).t, made.t)


def test_recordings_are_opened_when_they_are_asked_for(tmp_path):
    event_folders(tmp_path)
    data = EventFolders("test", folder=tmp_path, size=(24, 32))
    data.paths[0].write_bytes(b"")
    assert data[1]["events"].sum() == 400
    with pytest.raises(EventFileError, match=f"{data.paths[0]}: is empty"):
        data[0]


def notes(folder):
    (folder / "train/left/notes.txt").write_text("it was cold\n")
    return r"notes\.txt: lies in the folder of a class and is no event file .*pattern=\*\.raw"


def deeper(folder):
    (folder / "train/left/monday").mkdir()
    shutil.move(folder / "train/left/rec_000.h5", folder / "train/left/monday")
    return r"left/monday: .* is no event file of a known format, and recordings lie in the folder of their class"


def packed(folder):
    shutil.make_archive(folder / "train/left/more", "zip", folder / "train/left")
    return r"more\.zip: is packed; unpack it"


def no_training(folder):
    shutil.rmtree(folder / "train")
    return r"has folders of splits \(test, validation\) and none named train"


def twice(folder):
    shutil.copytree(folder / "test", folder / "testing")
    return "both hold test; leave one of them"


def one_class(folder):
    for split in SPLITS:
        for name in ("left", "still"):
            shutil.rmtree(folder / split / name)
    return r"has one class \(right\)"


@pytest.mark.parametrize("break_it", [notes, deeper, packed, no_training, twice, one_class])
def test_what_is_refused(tmp_path, break_it):
    event_folders(tmp_path)
    message = break_it(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        EventFolders("train", folder=tmp_path)


def test_a_pattern_leaves_out_what_lies_beside(tmp_path):
    event_folders(tmp_path)
    notes(tmp_path)
    assert len(EventFolders("train", folder=tmp_path, pattern="rec_*")) == 24
    with pytest.raises(FileNotFoundError, match=r"pattern=\*\.raw"):
        EventFolders("train", folder=tmp_path, pattern="*.raw")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test": 1.0}, "test is 1.0, must be a share"),
        ({"test": 0.5, "validation": 0.5}, "leave nothing for training"),
        ({"size": (0, 5)}, "must be height and width in pixels"),
        ({"window": 0}, "window is 0 us"),
    ],
)
def test_options_that_make_no_sense(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        EventFolders("train", folder=tmp_path, **options)


def test_a_split_without_any(tmp_path):
    event_folders(tmp_path, counts=(("train", 4),))
    with pytest.raises(ValueError, match=r"leaves no recording for 'test' .*make a folder test"):
        EventFolders("test", folder=tmp_path, test=0)


def test_other_folders_are_none(tmp_path):
    for name in ("train", "train/a", "train/b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("no events\n")
    assert recognised(tmp_path) == []


def test_a_check_finds_it_and_says_how_to_train(tmp_path, capsys):
    event_folders(tmp_path)
    assert main(["data", "check", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "event_folders" in printed
    assert "no problem found" in printed
    assert f"--model.name event_classifier --data.name event_folders --data.options.folder {tmp_path}" in printed
    words = notes(tmp_path)
    assert words
    (tmp_path / "test/right/rec_001.npz").write_bytes(b"")
    assert main(["data", "check", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "notes.txt: lies in the folder of a class" in printed
    assert "rec_001.npz: is empty" in printed
    assert " 24 " in printed  # the recordings that are sound


def test_a_check_of_folders_that_may_be_classes(tmp_path, capsys):
    event_folders(tmp_path, counts=((".", 4),))
    assert main(["data", "check", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "no known data set; recordings: 6 of hdf5, 3 of npz, 3 of dat" in printed
    assert "where these folders are classes (left, right, still), event_folders reads them" in printed
    for name in CLASSES:
        for place in (tmp_path / name).iterdir():
            if place.name != "rec_000.h5":
                place.unlink()
    assert main(["data", "check", str(tmp_path)]) == 0
    assert "event_folders" not in capsys.readouterr().out


def test_every_command_takes_it(tmp_path, capsys):
    event_folders(tmp_path / "own", counts=((".", 8),))
    run = tmp_path / "run"
    words = ["--data.name", "event_folders", "--data.options.folder", str(tmp_path / "own"), "--data.batch_size", "4"]
    model = ["--task", "classification", "--model.name", "event_classifier", "--model.options.convolutions", "4,8"]
    assert main(["train", *words, *model[:2], "--epochs", "1", "--folder", str(run), "--device", "cpu"]) == 1
    assert "choose one for events, --model.name event_classifier" in capsys.readouterr().err
    # with steps of one length, what is missing shows with the first batch
    plain = [*words, *model[:2], "--data.options.window", "50000", "--epochs", "1", "--folder", str(run)]
    assert main(["train", *plain, "--device", "cpu"]) == 1
    assert "choose one for events, --model.name event_classifier" in capsys.readouterr().err
    assert not run.exists()
    assert main(["train", *words, *model, "--epochs", "1", "--folder", str(run), "--device", "cpu"]) == 0
    report = tmp_path / "figures.json"
    assert main(["eval", str(run), "--data.split", "test", "--json", str(report)]) == 0
    assert json.loads(report.read_text())["figures"]["samples"] == 3
    assert main(["predict", str(run), "--count", "2"]) == 0
    pictures = sorted((run / "predictions").iterdir())
    assert [path.name for path in pictures] == ["event_folders-test-00000.png", "event_folders-test-00002.png"]
    assert np.asarray(Image.open(pictures[0])).std() > 10
    assert main(["export", str(run), "--folder", str(tmp_path / "export")]) == 0
    assert any((tmp_path / "export").iterdir())


def test_recordings_without_events_are_told(tmp_path, capsys):
    event_folders(tmp_path)
    write_events(tmp_path / "test/left/rec_000.h5", EventArray.empty(32, 24))
    assert main(["data", "check", str(tmp_path)]) == 1
    assert "test: 1 of 9 samples have no events in their window, the first is sample 0" in capsys.readouterr().out

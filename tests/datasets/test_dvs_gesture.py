"""DVS128 Gesture: gestures are cut where the lists say, once; people are in one split; what is damaged is named."""

import numpy as np
import pytest
from miniature_dvs_gesture import dvs_gesture

import spikelab.datasets.event_recordings.dvs_gesture as module
from spikelab.datasets.cache import CacheFileError
from spikelab.datasets.event_recordings.dvs_gesture import DVSGesture
from spikelab.events.files import EventFileError, source

SPLITS = ("train", "validation", "test")


@pytest.fixture
def places(tmp_path):
    truth = dvs_gesture(tmp_path / "data")
    return {"folder": tmp_path / "data", "cache": tmp_path / "cache"}, truth, tmp_path / "data" / "DvsGesture"


def rewrite(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_every_gesture_is_cut_where_the_list_says(places, monkeypatch):
    options, truth, _ = places
    monkeypatch.setattr(source, "BLOCK", 700)  # gestures over several blocks of the reader
    left = {(name, number) for name, gestures in truth.items() for number in range(len(gestures))}
    for split in SPLITS:
        data = DVSGesture(split, **options)
        numbers = {}
        for index in range(len(data)):
            name = data.path(index).name
            numbers[name] = numbers.get(name, -1) + 1
            label, start, end, expected = truth[name][numbers[name]]
            left.remove((name, numbers[name]))
            found = data.recording(index)
            for column in "xytp":
                np.testing.assert_array_equal(getattr(found, column), getattr(expected, column))
            assert found.t[0] == start
            assert found.t[-1] == end - 1
            assert data.labels[index] == label - 1
            assert f"user{data.users[index]:02}_" in name
    assert not left


def test_people_are_in_one_split(places):
    options, _, _ = places
    users = {split: set(DVSGesture(split, **options).users.tolist()) for split in SPLITS}
    assert users == {"train": {1, 2, 3, 4}, "validation": {22}, "test": {24, 25}}
    chosen = DVSGesture("validation", validation_users=[1, 3], **options)
    assert set(chosen.users.tolist()) == {1, 3}
    assert "the people 1, 3 of the training part" in chosen.origin
    whole = DVSGesture("train", validation_users=[], **options)
    assert set(whole.users.tolist()) == {1, 2, 3, 4, 22}
    with pytest.raises(ValueError, match="leaves no gesture for 'validation'"):
        DVSGesture("validation", validation_users=[], **options)
    with pytest.raises(ValueError, match="names 24, and the training part has the users 1, 2, 3, 4, 22"):
        DVSGesture("train", validation_users=[24], **options)


def test_a_recording_is_decoded_once(places, monkeypatch):
    options, _, _ = places
    opened = []
    real = module.open_events
    monkeypatch.setattr(module, "open_events", lambda path, **given: opened.append(path) or real(path, **given))
    data = DVSGesture("test", **options)
    assert not opened
    for _ in range(2):
        [data[index] for index in range(len(data))]
    assert len(opened) == 2
    assert DVSGesture("test", **options).make() == {}
    assert len(opened) == 2
    path = data.path(0)
    path.write_bytes(path.read_bytes() + b"")  # another time of change: it may be another recording
    DVSGesture("test", **options)[0]
    assert len(opened) == 3


def test_an_interrupted_cut_leaves_nothing_behind(places, monkeypatch):
    options, _, _ = places
    data = DVSGesture("test", **options)

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("spikelab.datasets.cache.os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        data[0]
    assert not list(options["cache"].rglob("*.*"))
    monkeypatch.undo()
    assert data[0]["events"].sum() > 0


def test_a_damaged_file_in_the_cache(places):
    options, _, _ = places
    data = DVSGesture("test", **options)
    data[0]
    (kept,) = options["cache"].rglob("*.safetensors")
    kept.write_bytes(kept.read_bytes()[:-40])
    with pytest.raises(CacheFileError, match=r"cut short or damaged.*Delete this file"):
        data[0]


def test_a_gesture_without_events_and_a_file_cut_short(places):
    options, truth, folder = places
    (name,) = (name for name in truth if "user24" in name)
    _, start, end, _ = truth[name][-1]
    rewrite(folder / f"{name[:-6]}_labels.csv", f"{start},{end}", "9000000,9500000")
    data = DVSGesture("test", **options)
    with pytest.raises(EventFileError, match=rf"{name}: has no events from 9000000 to 9500000 us.*'arm roll'"):
        data[0]
    failed = data.make()
    assert len(failed) == 12
    assert all(name in reason for reason in failed.values())
    rewrite(folder / f"{name[:-6]}_labels.csv", "9000000,9500000", f"{start},{end}")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(EventFileError, match=rf"{name}: byte \d+: the file ends within a packet"):
        DVSGesture("test", **options)[0]


def test_lists_that_are_damaged(places):
    options, truth, folder = places
    name = next(name for name in truth if "user02" in name)
    labels = folder / f"{name[:-6]}_labels.csv"
    good = labels.read_text()
    for bad, message in (
        (good.replace("startTime_usec", "start"), "line 1: the columns must be class,startTime_usec,endTime_usec"),
        (good.replace("\n3,", "\n12,"), "line 4: .* must be a class from 1 to 11"),
        (good.replace("\n3,", "\n3,9999999"), "line 4: .* a start and a later end"),
        (good.replace("\n3,", "\nthree,"), "line 4: 'three,"),
    ):
        labels.write_text(bad)
        with pytest.raises(ValueError, match=rf"{labels.name}, {message}"):
            DVSGesture("train", **options)
    labels.unlink()
    with pytest.raises(FileNotFoundError, match=r"is missing, and line 2 of trials_to_train.txt names it"):
        DVSGesture("train", **options)
    rewrite(folder / "trials_to_train.txt", name, "second.aedat")
    with pytest.raises(ValueError, match=r"trials_to_train.txt, line 2: 'second.aedat' is no recording"):
        DVSGesture("train", **options)
    (folder / "trials_to_test.txt").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"holds no trials_to_train.txt and trials_to_test.txt.*research.ibm.com"
    ):
        DVSGesture("train", **options)


def test_the_folder_itself_may_be_named(places):
    options, _, folder = places
    assert len(DVSGesture("test", **options | {"folder": folder})) == 24

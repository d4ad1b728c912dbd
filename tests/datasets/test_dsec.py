"""DSEC-Semantic, on its miniature: where files are found, what a sample holds, the protocol, and broken folders."""

import json
import multiprocessing
import pickle
import re
import shutil

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from spikelab.datasets.dsec.miniature import PERIOD, write
from spikelab.datasets.dsec.semantic import TEST, TRAIN, DSECSemantic, sequences_of
from spikelab.datasets.segmentation.miniature_drive import MiniatureDrive, View
from spikelab.events import voxel_grid
from spikelab.events.files import read_events

ONE = "zurich_city_00_a"
OTHER = "zurich_city_13_a"
WITHIN = {"last_events": 2000}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """All sequences, 60 x 80 pixels, eight labels each."""
    return write(tmp_path_factory.mktemp("dsec"), scale=8, labels=8)


@pytest.fixture
def one(whole, tmp_path):
    """A copy of one sequence, to be broken."""
    shutil.copytree(whole / "train" / ONE, tmp_path / ONE)
    return tmp_path


def opened(folder, split="train", **options):
    return DSECSemantic(split, path=folder, **{"sequences": [ONE], **WITHIN, **options})


def test_item(whole):
    data = DSECSemantic("train", path=whole, **WITHIN)
    item = data[0]
    assert item["events"].shape == (5, 2, 55, 80)
    assert item["frame"].shape == (1, 55, 80)
    assert item["label"].shape == (55, 80)
    assert item["events"].dtype == item["frame"].dtype == torch.float32
    assert item["label"].dtype == torch.int64
    assert item["events"].min() >= 0
    assert 0 <= item["frame"].min() < item["frame"].max() <= 1
    assert DSECSemantic("train", path=whole, colour=True, **WITHIN)[0]["frame"].shape == (3, 55, 80)
    assert len(data.class_names) == len(data.palette) == 11
    assert data.window == 50_000
    counts = data.class_counts()
    assert counts[[1, 4, 5, 7]].min() > 0
    assert counts[[0, 2, 6, 9, 10]].sum() == 0


def test_nineteen_classes(whole):
    eleven, nineteen = (DSECSemantic("test", path=whole, classes=classes, **WITHIN) for classes in (11, 19))
    assert len(nineteen.class_names) == len(nineteen.palette) == 19
    for few, many in (("road", "road"), ("building", "building"), ("person", "person"), ("vehicle", "car")):
        of = eleven[1]["label"] == eleven.class_names.index(few)
        assert torch.equal(of, nineteen[1]["label"] == nineteen.class_names.index(many))
    with pytest.raises(ValueError, match="classes is 12, must be 11 or 19"):
        DSECSemantic("test", path=whole, classes=12)


def test_protocol_of_the_literature(whole):
    """Of 8 labels the first 6 are left out, and of the others every second is taken."""
    splits = {split: DSECSemantic(split, path=whole, **WITHIN) for split in ("train", "validation", "test")}
    assert {split: len(data) for split, data in splits.items()} == {"train": 7, "validation": 1, "test": 3}
    for data in splits.values():
        for index in range(len(data)):
            recording, number = data.locate(index)
            assert number == 6
            assert data.conditions(index) == (recording.name,)
    names = {split: [recording.name for recording in data.recordings] for split, data in splits.items()}
    assert names["test"] == list(TEST)
    assert sorted(names["train"] + names["validation"]) == list(TRAIN)
    assert len(DSECSemantic("train", path=whole, validation=[], **WITHIN)) == 8
    assert len(opened(whole, first=0, every=1)) == 8
    assert len(opened(whole, first=1, every=3)) == 3
    assert sequences_of("train") == TRAIN


def test_the_last_events_before_the_label(whole):
    data = opened(whole)
    events = read_events(whole / "train" / ONE / "events/left/events.h5")
    recording, number = data.locate(0)
    before = events[: np.searchsorted(events.t, recording.times[number])][-2000:]
    raw = data.raw(0)
    assert raw.duration == recording.times[number] - before.t[0]
    assert 0.9 * 2000 < len(raw.events) <= 2000
    assert set(raw.events.t) <= set(before.t - before.t[0])
    # those that are not there are just below the part of the sensor that has labels, or where the lens sees further
    expected = recording.seen(before.shift(-int(before.t[0])))
    assert raw.events == expected
    grid = np.log1p(voxel_grid(expected, 5, 0, raw.duration, "separate"))
    assert np.array_equal(data[0]["events"].numpy(), grid)


def test_the_events_of_a_time(whole):
    data = opened(whole, last_events=None, window=0.02)
    recording, number = data.locate(0)
    end = int(recording.times[number])
    with_file = read_events(whole / "train" / ONE / "events/left/events.h5").between(end - 20_000, end)
    raw = data.raw(0)
    assert raw.duration is None
    assert data.window == 20_000
    assert raw.events == recording.seen(with_file.shift(20_000 - end))


def test_fewer_events_than_asked_for(whole):
    data = opened(whole, last_events=10**6, first=2)
    recording, number = data.locate(0)
    events = read_events(whole / "train" / ONE / "events/left/events.h5")
    before = events[: np.searchsorted(events.t, recording.times[number])]
    assert data.raw(0).duration == recording.times[number] - events.t[0]
    assert len(data.raw(0).events) == len(recording.seen(before))
    assert any("fewer than last_events = 1000000" in problem for problem in data.problems())
    first = opened(whole, first=0)  # the first label is at the very beginning: nothing comes before it
    assert len(first.raw(0).events) == 0
    assert first[0]["events"].abs().sum() == 0


def test_events_lie_where_the_brightness_of_frames_and_labels_changes(whole):
    """Rectified and aligned, all three show the same edges: shifted against each other they fit less."""
    data = DSECSemantic("train", path=whole, last_events=None, window=0.01, first=2, every=1)
    scores = {}
    for down, right in ((0, 0), (0, 4), (0, -4), (4, 0), (-4, 0)):
        total = 0.0
        for index in range(0, len(data), 4):
            raw = data.raw(index)
            frame = raw.frame.astype(float)
            edges = np.hypot(*np.gradient(frame))
            edges /= edges.sum()
            seen = np.zeros(frame.shape)
            np.add.at(seen, (raw.events.y, raw.events.x), 1.0)
            total += (np.roll(seen, (down, right), (0, 1))[5:-5, 5:-5] * edges[5:-5, 5:-5]).sum() / max(seen.sum(), 1)
        scores[down, right] = total
    assert max(scores, key=scores.get) == (0, 0)


def displacement(picture, truth):
    """How far a picture is moved against the truth, in pixels, x and y: least squares with the truth's gradient."""
    down, right = np.gradient(truth)
    # the last two take up a difference of brightness and contrast
    terms = np.stack([right, down, truth, np.ones_like(truth)], axis=-1).reshape(-1, 4)
    return np.linalg.lstsq(terms, (picture - truth).ravel(), rcond=None)[0][:2]


def test_frames_are_aligned_within_half_a_pixel(tmp_path):
    """The miniature's frame camera is turned and has another lens; what the event camera would see is drawn anew."""
    write(tmp_path, scale=4, labels=3, sequences=(ONE, OTHER))
    for number, name in enumerate((ONE, OTHER)):
        data = DSECSemantic("train", path=tmp_path, sequences=[name], last_events=None, first=0, every=1)
        drive = MiniatureDrive(0, number)
        view = drive.renderer(View(120, 160, 0.87))
        gain = drive.gain(drive.renderer(View(270, 360, 0.8, yaw=0.02)))
        for index in range(3):
            truth = drive.frame(view, (index - 2) * PERIOD * 1e-6, gain)[:110].astype(float)
            aligned = data.raw(index).frame.astype(float)
            inside = (slice(3, -3), slice(3, -3))
            moved = displacement(aligned[inside], truth[inside])
            assert np.hypot(*moved) < 0.1
            for top, left in ((3, 3), (3, 81), (55, 3), (55, 81)):  # the quarters: no rotation is left either
                quarter = (slice(top, top + 52), slice(left, left + 76))
                assert np.hypot(*displacement(aligned[quarter], truth[quarter])) < 0.5
            # one pixel would be seen as one
            assert displacement(np.roll(aligned, 1, axis=1)[inside], truth[inside])[0] == pytest.approx(-1, abs=0.1)


def test_rectified_events_are_closer_than_raw_ones(whole):
    """The map moves events; without it the corners of the picture would be off by more than a pixel."""
    with h5py.File(whole / "train" / ONE / "events/left/rectify_map.h5") as file:
        places = file["rectify_map"][()]
    data = opened(whole)
    recording = data.recordings[0]
    events = recording.stream.between(int(recording.times[0]), int(recording.times[-1]))
    seen = recording.seen(events)
    x, y = np.rint(places[events.y, events.x]).astype(int).T
    inside = (x >= 0) & (x < 80) & (y >= 0) & (y < 55)
    assert np.array_equal(seen.x, x[inside])
    assert np.array_equal(seen.y, y[inside])
    assert np.abs(places - np.stack(np.meshgrid(np.arange(80), np.arange(60)), -1)).max() > 0.8


def test_augmentation_changes_training_only(whole):
    options = {"path": whole, "flip": 1.0, **WITHIN}
    plain, flipped = opened(whole), opened(whole, flip=1.0)
    for key in ("events", "frame", "label"):
        assert torch.equal(flipped[0][key], plain[0][key].flip(-1))
    assert torch.equal(
        DSECSemantic("test", **options)[0]["frame"], DSECSemantic("test", path=whole, **WITHIN)[0]["frame"]
    )
    assert opened(whole, crop=(32, 48))[0]["events"].shape == (5, 2, 32, 48)
    with pytest.raises(ValueError, match="larger than the data set's picture"):
        opened(whole, crop=(56, 48))


@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_loading_in_other_processes(whole, start):
    data = opened(whole, first=0, every=2)
    data[1]  # the file is open in this process too
    expected = [data[index] for index in range(len(data))]
    context = multiprocessing.get_context(start)
    for number, batch in enumerate(DataLoader(data, batch_size=None, num_workers=2, multiprocessing_context=context)):
        assert all(torch.equal(batch[key], expected[number][key]) for key in batch)
    again = pickle.loads(pickle.dumps(data))
    assert torch.equal(again[1]["events"], expected[1]["events"])


def move(folder, *pairs):
    for source, target in pairs:
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / source, folder / target)


S, L = f"{ONE}/semantic", f"{ONE}/semantic/left"
ELSEWHERE, TWICE = f"labels/train/{ONE}", f"{ONE}_semantic/{ONE}"


@pytest.mark.parametrize(
    "pairs",
    [
        [(f"{L}/11classes", f"{S}/11classes")],
        [(f"{L}/11classes", f"{ONE}/11classes"), (f"{S}/timestamps.txt", f"{ONE}/{ONE}_semantic_timestamps.txt")],
        [(f"{L}/11classes/data", f"{ELSEWHERE}/11classes"), (f"{S}/timestamps.txt", f"{ELSEWHERE}/timestamps.txt")],
        [(f"{L}/11classes", f"{TWICE}/11classes"), (f"{S}/timestamps.txt", f"{TWICE}/11classes/timestamps.txt")],
        [
            *((f"{ONE}/{kind}", f"train_{kind}/{ONE}/{kind}") for kind in ("events", "images", "calibration")),
            (S, f"train_semantic/{ONE}_semantic"),
        ],
    ],
)
def test_files_are_found_where_people_have_them(pairs, one, whole):
    move(one, *pairs)
    expected, found = opened(whole), opened(one)
    assert all(torch.equal(found[0][key], expected[0][key]) for key in expected[0])


def breaking(what):
    def register(function):
        BREAKING.append(pytest.param(function, what, id=function.__name__))
        return function

    return register


BREAKING: list = []


@breaking(r"holds 7 labels, and .*timestamps.txt 8 times")
def a_label_is_missing(folder):
    (folder / "semantic/left/11classes/data/000003.png").unlink()


@breaking(r"holds 7 pictures, and .*timestamps.txt 8 times")
def a_frame_is_missing(folder):
    (folder / "images/left/rectified/000003.png").unlink()


@breaking(
    r"000003.png: the label at \d+ us has no picture; the nearest .* is 50000 us away \(1 such labels of 8, 7 pict"
)
def a_frame_and_its_time_are_missing(folder):
    (folder / "images/left/rectified/000003.png").unlink()
    lines = (folder / "images/timestamps.txt").read_text().splitlines()
    (folder / "images/timestamps.txt").write_text("\n".join(lines[:3] + lines[4:]))


@breaking(r"timestamps.txt: line 3 is 'soon', not a time in whole microseconds")
def a_time_is_none(folder):
    lines = (folder / "semantic/timestamps.txt").read_text().splitlines()
    (folder / "semantic/timestamps.txt").write_text("\n".join([*lines[:2], "soon", *lines[3:]]))


@breaking(r"has no map that rectifies events: neither events/left/rectify_map.h5")
def no_map(folder):
    (folder / "events/left/rectify_map.h5").unlink()


@breaking(r"has no events of the left camera")
def no_events(folder):
    (folder / "events/left/events.h5").unlink()


@breaking(r"has no labels of 11 classes: neither semantic/left/11classes/data")
def no_labels(folder):
    shutil.rmtree(folder / "semantic/left/11classes")


@breaking(r"the times of these pictures are missing: no timestamps.txt")
def no_times(folder):
    (folder / "semantic/timestamps.txt").unlink()


@breaking(r"notes.png: the name does not end in a number")
def a_picture_without_a_number(folder):
    (folder / "semantic/left/11classes/data/notes.png").write_bytes(b"")


@pytest.mark.parametrize(("change", "message"), BREAKING)
def test_broken_folders_are_told_at_once(change, message, one):
    change(one / ONE)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        opened(one)


DAMAGING: list = []


def damaging(what):
    def register(function):
        DAMAGING.append(pytest.param(function, what, id=function.__name__))
        return function

    return register


@damaging(r"000006.png: class 15 at 1 pixels; the 11 classes are 0 to 10, .* another number of classes\?")
def an_unknown_class(folder):
    path = folder / "semantic/left/11classes/data/000006.png"
    label = np.array(Image.open(path))
    label[3, 4] = 15
    Image.fromarray(label).save(path)


@damaging(r"000006.png: cannot be read as PNG")
def half_a_frame(folder):
    path = folder / "images/left/rectified/000006.png"
    path.write_bytes(path.read_bytes()[:500])


@damaging(r"000006.png: has height and width \(30, 40\); the calibration .* is for \(135, 180\)")
def a_small_frame(folder):
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(folder / "images/left/rectified/000006.png")


@damaging(r"label 6 has height and width \(54, 80\); most of the split, such as label 0 of \w+, have \(55, 80\)")
def a_label_of_another_size(folder):
    Image.fromarray(np.zeros((54, 80), np.uint8)).save(folder / "semantic/left/11classes/data/000006.png")


@damaging(r"000006.png: is a picture of mode RGB; labels hold one number")
def a_coloured_label(folder):
    Image.fromarray(np.zeros((55, 80, 3), np.uint8)).save(folder / "semantic/left/11classes/data/000006.png")


@damaging(r"rectify_map.h5: the map is for an event camera of \(480, 640\) pixels")
def a_map_of_another_camera(folder):
    with h5py.File(folder / "events/left/rectify_map.h5", "w") as file:
        file["rectify_map"] = np.zeros((480, 640, 2), np.float32)


@damaging(r"rectify_map.h5: cannot be read as HDF5")
def half_a_map(folder):
    path = folder / "events/left/rectify_map.h5"
    path.write_bytes(path.read_bytes()[:3000])


@damaging(r"events.h5: cannot be read as HDF5")
def half_the_events(folder):
    path = folder / "events/left/events.h5"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@damaging(r"labels have height and width \(55, 80\), the event camera of .*cam_to_cam.yaml has \(480, 640\)")
def the_calibration_of_another_camera(folder):
    path = folder / "calibration/cam_to_cam.yaml"
    content = json.loads(path.read_text())
    content["intrinsics"]["camRect0"]["resolution"] = [640, 480]
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(("change", "message"), DAMAGING)
def test_damage_is_told_when_it_is_read_and_found_by_problems(change, message, one):
    change(one / ONE)
    data = opened(one)
    with pytest.raises(ValueError, match=message):
        data[0]
    assert any(re.search(message, problem) for problem in data.problems())


def test_a_sound_folder_has_no_problems(whole):
    assert DSECSemantic("test", path=whole, **WITHIN).problems() == []


def test_events_that_do_not_tell_when_their_clock_began(one):
    """Training is told, too; with a number of events in place of a time, each label has the last ones of the file."""
    path = one / ONE / "events/left/events.h5"
    with h5py.File(path, "r+") as file:
        del file["t_offset"]
    with pytest.warns(UserWarning, match=rf"{path}: has no t_offset"):
        data = opened(one, window=0.05, last_events=50)
    told = data.problems()
    assert any("has no t_offset" in problem for problem in told)
    assert any("labels of zurich_city_00_a are more than 1 s older than these" in problem for problem in told)


def test_labels_on_another_clock(one):
    """Times that do not count from t_offset are the classical mistake: then no event belongs to any label."""
    for place in ("semantic/timestamps.txt", "images/timestamps.txt"):
        path = one / ONE / place
        path.write_text("".join(f"{PERIOD * number}\n" for number in range(8)))
    (problem,) = opened(one).problems()
    assert "no events belong to 1 labels of zurich_city_00_a" in problem
    assert "different clocks" in problem


def test_labels_that_go_back_in_time(one):
    for place in ("semantic/timestamps.txt", "images/timestamps.txt"):
        path = one / ONE / place
        lines = path.read_text().splitlines()
        lines[2], lines[3] = lines[3], lines[2]
        path.write_text("\n".join(lines))
    assert any(
        "label 3 of zurich_city_00_a is not later than the one before" in text for text in opened(one).problems()
    )


def test_recognised_by_what_is_in_the_folder(whole, one, tmp_path):
    assert DSECSemantic.recognises(whole)
    assert DSECSemantic.recognises(one)
    (tmp_path / "empty/zurich_city_00_a").mkdir(parents=True)
    assert not DSECSemantic.recognises(tmp_path / "empty")


@pytest.mark.slow
def test_cameras_of_their_true_size(tmp_path):
    """As published: 640 x 480 events whose file does not say so, pictures of 1440 x 1080, labels of 640 x 440."""
    write(tmp_path, scale=1, labels=2, sequences=(ONE,))
    with h5py.File(tmp_path / "train" / ONE / "events/left/events.h5", "r+") as file:
        for name in list(file.attrs):
            del file.attrs[name]
    data = opened(tmp_path, first=1, every=1, last_events=50_000)
    item = data[0]
    assert item["events"].shape == (5, 2, 440, 640)
    assert item["frame"].shape == (1, 440, 640)
    assert item["label"].shape == (440, 640)
    assert data.problems() == []


def test_missing_sequences_and_splits(whole, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"get DSEC from dsec.ifi.uzh.ch"):
        opened(tmp_path / "nowhere")
    shutil.copytree(whole / "train" / ONE, tmp_path / ONE)
    with pytest.raises(
        FileNotFoundError, match=r"6 of the 7 sequences of train are missing: zurich_city_01_a, .*sequences="
    ):
        DSECSemantic("train", path=tmp_path)
    with pytest.raises(ValueError, match="split is 'val', must be one of train, validation, test"):
        DSECSemantic("val", path=whole)
    with pytest.raises(ValueError, match="the validation split has no sequences; name some in validation="):
        DSECSemantic("validation", path=whole, validation=[])
    with pytest.raises(ValueError, match="'zurich_city_13_a', which is not of the training split"):
        DSECSemantic("train", path=whole, validation=[OTHER])
    with pytest.raises(ValueError, match="leave no sample when the first 8 of each are left out"):
        opened(whole, first=8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"last_events": 0}, "last_events is 0, must be at least 1"),
        ({"window": 0.0}, "the event window is 0 us long"),
        ({"first": -1}, r"the first -1 are left out \(0 or more\)"),
        ({"every": 0}, "every 0. is taken"),
        ({"time_bins": 0}, "time_bins is 0"),
        ({"interpolation": "nearest"}, "interpolation is 'nearest'"),
    ],
)
def test_wrong_options(options, message, whole):
    with pytest.raises(ValueError, match=message):
        opened(whole, **options)


def test_the_miniature_is_the_same_for_a_seed(whole, tmp_path):
    again = write(tmp_path / "again", scale=8, labels=8, sequences=(ONE,))
    for path in sorted((again / "train" / ONE).rglob("*.png")):
        assert path.read_bytes() == (whole / path.relative_to(again)).read_bytes()
    place = f"train/{ONE}/events/left/events.h5"
    assert read_events(again / place) == read_events(whole / place)
    other = write(tmp_path / "other", scale=8, labels=8, sequences=(ONE,), seed=1)
    assert read_events(other / place) != read_events(whole / place)


def test_wrong_miniatures(tmp_path):
    (tmp_path / "file").write_text("")
    for options, message in (({"scale": 3}, "scale is 3"), ({"labels": 1}, "labels is 1"), ({}, "is not empty")):
        with pytest.raises(ValueError, match=message):
            write(tmp_path, **options)

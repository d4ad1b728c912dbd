"""MVSEC with labels beside it, on its miniature."""

import multiprocessing
import re
import shutil

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from spikelab.datasets.faulty_recordings import EmptySplitError
from spikelab.datasets.mvsec.dataset import MVSEC
from spikelab.datasets.mvsec.miniature import write
from spikelab.events import voxel_grid
from spikelab.events.files import open_events, read_events

SPLITS = {"train": ["outdoor_day2"], "test": ["outdoor_day1"]}
DATA, LABELS = "outdoor_day2_data.hdf5", "outdoor_day2_labels"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write(tmp_path_factory.mktemp("mvsec"))


@pytest.fixture
def broken(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy"


def test_item(whole):
    train, test = (MVSEC(split, path=whole, **SPLITS) for split in ("train", "test"))
    assert len(train) == len(test) == 3
    item = train[2]
    assert item["events"].shape == (5, 2, 65, 86)
    assert item["frame"].shape == (1, 65, 86)
    assert item["label"].shape == (65, 86)
    assert item["events"].sum() > 0
    assert 0 <= item["frame"].min() < item["frame"].max() <= 1
    assert train.conditions(0) == ("outdoor_day2",)
    assert (train.class_counts()[[0, 1]] > 0).all()
    assert train.problems() == test.problems() == []


def test_splits_of_the_literature(whole):
    """Where none is named: outdoor_day2 to learn from, outdoor_day1 to be judged by, none for validation."""
    assert MVSEC("train", path=whole).conditions(0) == ("outdoor_day2",)
    assert MVSEC("test", path=whole).conditions(0) == ("outdoor_day1",)
    with pytest.raises(EmptySplitError, match=r"name the recordings of the validation split"):
        MVSEC("validation", path=whole)
    # who names one names all
    with pytest.raises(EmptySplitError, match=r"name the recordings of the test split"):
        MVSEC("test", path=whole, train=["outdoor_day1"])


def test_events_picture_and_label_of_one_moment(whole):
    """Straight from the file: labels are numbered as pictures, the second label is of picture 5."""
    data = MVSEC("train", path=whole, **SPLITS)
    with h5py.File(whole / DATA) as file:
        camera = file["davis/left"]
        picture, moment = camera["image_raw"][5], round(float(camera["image_raw_ts"][5]) * 1e6)
    label = np.array(Image.open(whole / LABELS / "000005.png"))
    events = read_events(whole / DATA, stream="left").between(moment - 50_000, moment)
    raw = data.raw(1)
    assert np.array_equal(raw.frame, picture)
    assert np.array_equal(raw.label, label)
    assert raw.events == events.shift(50_000 - moment)
    grid = np.log1p(voxel_grid(events, 5, moment - 50_000, moment, "separate"))
    assert np.array_equal(data[1]["events"].numpy(), grid)


def test_any_window_of_the_file_is_found_without_an_index(whole):
    path = whole / DATA
    everything = read_events(path)
    begin, end = int(everything.t[0]), int(everything.t[-1])
    rng = np.random.default_rng(0)
    with open_events(path) as file:
        assert file._source.first_at(end) > len(everything) // 2
        for _ in range(20):
            first, last = np.sort(rng.integers(begin - 1000, end + 1000, 2)).tolist()
            assert file.between(first, last) == everything.between(first, last)


def test_last_events(whole):
    data = MVSEC("train", path=whole, last_events=300, **SPLITS)
    assert len(data.raw(2).events) == 300
    assert data.raw(2).duration > 0


def test_other_classes(whole, broken):
    for path in (broken / LABELS).iterdir():
        Image.fromarray(np.where(np.array(Image.open(path)) == 0, 0, 1).astype(np.uint8)).save(path)
    data = MVSEC("train", path=broken, class_names=["road", "rest"], **SPLITS)
    assert data.class_names == ("road", "rest")
    assert data.palette.shape == (2, 3)
    assert (data.class_counts() > 0).all()
    with pytest.raises(ValueError, match=r"00000\d.png: class \d at \d+ pixels; the 2 classes are 0 to 1"):
        MVSEC("train", path=whole, class_names=["road", "rest"], **SPLITS)[0]


def test_loading_in_other_processes(whole):
    data = MVSEC("train", path=whole, **SPLITS)
    expected = [data[index] for index in range(len(data))]
    context = multiprocessing.get_context("fork")
    for item, batch in zip(
        expected, DataLoader(data, batch_size=None, num_workers=2, multiprocessing_context=context), strict=True
    ):
        assert all(torch.equal(batch[key], item[key]) for key in item)


def test_recognised_by_what_is_in_the_folder(whole, broken):
    assert MVSEC.recognises(whole)
    shutil.rmtree(broken / LABELS)
    assert MVSEC.recognises(broken)
    shutil.rmtree(broken / "outdoor_day1_labels")
    assert MVSEC.recognises(broken)  # labels are still to be made
    for path in broken.glob("*_data.hdf5"):
        path.write_bytes(b"something else")
    assert not MVSEC.recognises(broken)


def test_splits_must_be_named(whole):
    with pytest.raises(ValueError, match=r"name the recordings of the validation split, such as validation="):
        MVSEC("validation", path=whole, **SPLITS)
    with pytest.raises(ValueError, match="outdoor_day1 is named twice; a recording belongs to one split"):
        MVSEC("test", path=whole, train=["outdoor_day1"], test=["outdoor_day1"])
    with pytest.raises(ValueError, match="split is 'val'"):
        MVSEC("val", path=whole, **SPLITS)
    with pytest.raises(ValueError, match="camera is 'middle'"):
        MVSEC("train", path=whole, camera="middle", **SPLITS)
    with pytest.raises(FileNotFoundError, match=r"there is no indoor_flying1_data\.hdf5"):
        MVSEC("train", path=whole, train=["indoor_flying1"])


CASES: list = []


def case(message):
    def register(function):
        CASES.append(pytest.param(function, message, id=function.__name__))
        return function

    return register


@case(r"outdoor_day2_labels: no such folder. MVSEC has no labels: make some of the pictures")
def no_labels(folder):
    shutil.rmtree(folder / LABELS)


@case(r"000008.png: there is no picture 8 in .*outdoor_day2_data.hdf5, which has 8")
def a_label_without_a_picture(folder):
    shutil.copy(folder / LABELS / "000005.png", folder / LABELS / "000008.png")


@case(r"000003.png has height and width \(20, 20\), the pictures in .* \(65, 86\); make labels of the raw pictures")
def labels_of_other_pictures(folder):
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(folder / LABELS / "000003.png")


@case(r"8 pictures of the camera left have 7 times")
def a_time_is_missing(folder):
    with h5py.File(folder / DATA, "r+") as file:
        times = file["davis/left/image_raw_ts"][:-1]
        del file["davis/left/image_raw_ts"]
        file["davis/left/image_raw_ts"] = times


@case(r"has no pictures of the camera left")
def no_pictures(folder):
    with h5py.File(folder / DATA, "r+") as file:
        del file["davis/left/image_raw"]


@case(r"picture 3 is said to follow event \d+, which is not within 100000 us of it")
def pictures_of_another_moment(folder):
    with h5py.File(folder / DATA, "r+") as file:
        file["davis/left/image_raw_ts"][...] += 0.5


@case(r"no events belong to 3 labels of outdoor_day2")
def another_clock(folder):
    with h5py.File(folder / DATA, "r+") as file:
        file["davis/left/image_raw_ts"][...] -= 1e6


@case(r"outdoor_day2_data.hdf5: cannot be read as HDF5")
def half_a_file(folder):
    path = folder / DATA
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(("change", "message"), CASES)
def test_faults_are_told(change, message, broken):
    """At once, or else by `problems`."""
    change(broken)
    try:
        told = MVSEC("train", path=broken, **SPLITS).problems()
    except (ValueError, FileNotFoundError) as error:
        told = [str(error)]
    assert any(re.search(message, text) for text in told), told


def test_wrong_miniatures(tmp_path):
    (tmp_path / "file").write_text("")
    for options, message in (({"scale": 0}, "scale is 0"), ({"pictures": 3}, "pictures 3"), ({}, "is not empty")):
        with pytest.raises(ValueError, match=message):
            write(tmp_path, **options)

"""Recordings in folders of classes: what is read is what was written, where splits come from, what is refused."""

import multiprocessing
import shutil

import numpy as np
import pytest
from miniatures_by_class import BY_CLASS, ncaltech101, ncars, nmnist, zipped

from spikelab import registry
from spikelab.datasets.event_recordings.recording_splits import taken_out
from spikelab.events.files import EventFileError, open_events

SPLITS = ("train", "validation", "test")


def opened(name, folder, **options):
    kind = registry.load("datasets", name)
    return {split: kind(split, folder=folder, **options) for split in SPLITS}


def check_contents(data, truth, parts=("train", "test")):
    """Every recording is in one split, under its class, and as it was written."""
    left = dict(truth)
    for split, each in data.items():
        for index, (file, label) in enumerate(zip(each.files, each.labels, strict=True)):
            part = "all" if "all" in parts else {"train": "train", "validation": "train", "test": "test"}[split]
            expected = left.pop((part, each.class_names[label], file.name))
            found = each.recording(index)
            assert (found.height, found.width) == (each.height, each.width)
            for column in "xytp":
                np.testing.assert_array_equal(getattr(found, column), getattr(expected, column))
    assert not left


@pytest.mark.parametrize("name", BY_CLASS)
def test_every_recording_of_a_set(name, tmp_path):
    truth = BY_CLASS[name](tmp_path)
    data = opened(name, tmp_path)
    check_contents(data, truth, {part for part, _, _ in truth})
    for split in SPLITS:
        assert sorted(set(data[split].labels.tolist())) == list(range(len(data[split].class_names)))
        assert f"{len(data[split])} {split}" in data[split].origin


@pytest.mark.parametrize("name", ["nmnist", "ncars", "cifar10_dvs", "ncaltech101", "st_mnist"])
def test_zip_archives_are_read_as_they_are(name, tmp_path):
    for folder in ("unpacked", "packed"):
        (tmp_path / folder).mkdir()
    truth = BY_CLASS[name](tmp_path / "unpacked")
    zipped(tmp_path / "unpacked", tmp_path / "packed")
    data = opened(name, tmp_path / "packed")
    check_contents(data, truth, {part for part, _, _ in truth})
    beside = opened(name, tmp_path / "unpacked")
    for split in SPLITS:
        assert [file.name for file in data[split].files] == [file.name for file in beside[split].files]


def test_an_archive_beside_what_it_was_unpacked_to(tmp_path):
    truth = nmnist(tmp_path, count=3)
    zipped(tmp_path, tmp_path)
    shutil.rmtree(tmp_path / "Train" / "3")
    data = opened("nmnist", tmp_path)
    check_contents(data, truth)
    archives = {file.archive for file in data["train"].files}
    assert archives == {None, "Train.zip"}


def test_validation_is_a_share_of_each_class_and_training_the_rest(tmp_path):
    ncars(tmp_path, count=20)
    data = opened("ncars", tmp_path, validation=0.25)
    assert np.bincount(data["validation"].labels).tolist() == [5, 5]
    assert np.bincount(data["train"].labels).tolist() == [15, 15]
    again = opened("ncars", tmp_path, validation=0.25, seed=1)
    assert data["validation"].files != again["validation"].files
    assert data["test"].files == again["test"].files
    assert "as published" in data["test"].origin
    whole = registry.load("datasets", "ncars")("train", folder=tmp_path, validation=0)
    assert len(whole) == 40
    with pytest.raises(ValueError, match="leaves no recording for 'validation'"):
        registry.load("datasets", "ncars")("validation", folder=tmp_path, validation=0)


def test_the_test_split_of_cifar10_dvs_is_that_of_spikingjelly(tmp_path):
    truth = BY_CLASS["cifar10_dvs"](tmp_path, count=20)
    kind = registry.load("datasets", "cifar10_dvs")
    data = kind("test", folder=tmp_path)
    names = sorted(file for _, name, file in truth if name == "cat")
    # the first ceil(0.9 n) in the order of names are its training split
    assert [file.name for file in data.files if "_cat_" in file.name] == names[18:] == [
        "cifar10_cat_8.aedat", "cifar10_cat_9.aedat"
    ]  # fmt: skip
    assert "SpikingJelly" in data.origin
    other = kind("test", folder=tmp_path, test=0.2, drawn="random")
    assert "SpikingJelly" not in other.origin
    assert np.bincount(other.labels).tolist() == [4] * 10


def test_shares():
    labels = np.repeat([0, 1, 2], [1, 2, 100])
    assert np.bincount(labels[taken_out(labels, 0.29, "last", [0])], minlength=3).tolist() == [0, 1, 29]
    assert not taken_out(labels, 0.0, "random", [0]).any()
    assert taken_out(labels, 0.5, "last", [0])[-50:].all()
    assert taken_out(labels, 0.999, "random", [0]).sum() == 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation": 1.0}, "validation is 1.0, must be a share"),
        ({"test": -0.1}, "test is -0.1, must be a share"),
        ({"drawn": "first"}, "drawn is 'first', must be one of last, random"),
        ({"window": "all"}, "window is 'all', must be microseconds"),
    ],
)
def test_options_that_make_no_sense(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        registry.load("datasets", "ncaltech101")("train", folder=tmp_path, **options)


def test_folders_that_are_not_the_set(tmp_path):
    kind = registry.load("datasets", "nmnist")
    (tmp_path / "Train" / "0").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"holds no \*.bin, unpacked or in a zip archive"):
        kind("train", folder=tmp_path)
    shutil.rmtree(tmp_path / "Train")
    nmnist(tmp_path, count=2)
    shutil.move(tmp_path / "Test", tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="lies in no folder of training or test recordings"):
        kind("train", folder=tmp_path)
    shutil.rmtree(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match="holds no recordings for test"):
        kind("train", folder=tmp_path)
    shutil.copytree(tmp_path / "Train", tmp_path / "copy" / "Train")
    with pytest.raises(ValueError, match="are the same recording; leave one"):
        kind("train", folder=tmp_path)
    shutil.rmtree(tmp_path / "copy")
    shutil.move(tmp_path / "Train" / "3", tmp_path / "Train" / "three")
    with pytest.raises(ValueError, match=r"00004.bin lies in no folder of a class \(0, 1, 2"):
        kind("train", folder=tmp_path)


def test_archives_in_an_archive(tmp_path):
    (tmp_path / "whole").mkdir()
    ncaltech101(tmp_path / "whole", count=2)
    zipped(tmp_path / "whole", tmp_path / "whole")
    shutil.make_archive(tmp_path / "N-Caltech101-archive", "zip", tmp_path / "whole", "Caltech101.zip")
    shutil.rmtree(tmp_path / "whole")
    with pytest.raises(FileNotFoundError, match=r"archives in turn \(Caltech101.zip\): unpack it once"):
        registry.load("datasets", "ncaltech101")("train", folder=tmp_path)
    (tmp_path / "other.zip").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"other.zip cannot be read .*; fetch the archive again"):
        registry.load("datasets", "ncaltech101")("train", folder=tmp_path)


def test_a_damaged_recording_is_named(tmp_path):
    (tmp_path / "packed").mkdir()
    ncars(tmp_path)
    zipped(tmp_path, tmp_path / "packed")
    content = bytearray((tmp_path / "packed" / "n-cars_test.zip").read_bytes())
    content[200:260] = bytes(60)
    (tmp_path / "packed" / "n-cars_test.zip").write_bytes(content)
    data = registry.load("datasets", "ncars")("test", folder=tmp_path / "packed")
    with pytest.raises(EventFileError, match=r"n-cars_test.zip/n-cars_test/.*cannot be unpacked"):
        [data[index] for index in range(len(data))]
    path = tmp_path / "n-cars_test" / "cars" / "obj_000000_td.dat"
    path.write_bytes(path.read_bytes()[:-3])
    data = registry.load("datasets", "ncars")("test", folder=tmp_path)
    with pytest.raises(EventFileError, match=r"obj_000000_td.dat"):
        [data[index] for index in range(len(data))]


def test_a_recording_cut_short_is_named(tmp_path):
    nmnist(tmp_path)
    path = tmp_path / "Test" / "3" / "00004.bin"
    path.write_bytes(path.read_bytes()[:203])
    (tmp_path / "Test" / "1" / "00002.bin").write_bytes(b"")
    data = registry.load("datasets", "nmnist")("test", folder=tmp_path)
    places = {file.place: index for index, file in enumerate(data.files)}
    with pytest.raises(EventFileError, match=r"3/00004.bin: byte 200: the last event is cut short, 3 of its 5 bytes"):
        data[places["Test/3/00004.bin"]]
    with pytest.raises(EventFileError, match=r"1/00002.bin: is empty"):
        data[places["Test/1/00002.bin"]]


def test_forked_processes_read_an_archive_each_at_its_own_place(tmp_path):
    (tmp_path / "packed").mkdir()
    nmnist(tmp_path)
    zipped(tmp_path, tmp_path / "packed")
    data = registry.load("datasets", "nmnist")("train", folder=tmp_path / "packed")
    expected = [data.recording(index).t for index in range(len(data))]
    queue = multiprocessing.get_context("fork").SimpleQueue()

    def read():
        queue.put([data.recording(index).t for index in range(len(data))])

    processes = [multiprocessing.get_context("fork").Process(target=read) for _ in range(3)]
    for process in processes:
        process.start()
    for _ in processes:
        for found, right in zip(queue.get(), expected, strict=True):
            np.testing.assert_array_equal(found, right)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


@pytest.mark.shared
def test_every_real_recording_in_its_set(shared, tmp_path):
    """Samples of published sets, put where the set has them; further files in the same formats are tried, too."""
    places = {("atis_bin", 34): ("nmnist", "Test/3"), ("dat", 120): ("ncars", "n-cars_test/cars"),
              ("matlab", 10): ("st_mnist", "data_submission/5")}  # fmt: skip
    tried = 0
    for path in sorted(path for end in ("bin", "dat", "mat") for path in (shared / "data").glob(f"*/*.{end}")):
        try:
            with open_events(path) as file:
                events, form = file.read(), file.format
        except EventFileError:  # several recordings, or none
            continue
        for (format, side), (name, place) in places.items():
            if form != format or max(events.width, events.height) > side:
                continue
            folder = tmp_path / name / path.stem
            BY_CLASS[name](folder, count=2)
            shutil.copy(path, folder / place / f"real{path.suffix}")
            options = {"test": 0.999, "drawn": "last"} if name == "st_mnist" else {}
            data = registry.load("datasets", name)("test", folder=folder, window=None, **options)
            (index,) = (index for index, file in enumerate(data.files) if file.name.startswith("real"))
            for column in "xytp":
                np.testing.assert_array_equal(getattr(data.recording(index), column), getattr(events, column))
            assert data[index]["events"].sum() == len(events)
            assert data.class_names[data.labels[index]] == place.split("/")[-1]
            tried += 1
    if not tried:
        pytest.skip(f"no recordings of these sets below {shared}/data")

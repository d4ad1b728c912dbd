"""Sets of the library tonic, with a stand-in that has its interface; the contract tries the real one where it is."""

import itertools
import pickle
import sys
import types
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from spikelab.datasets.event_recordings.tonic_recordings import TonicRecordings

COUNT = 40
SPLITS = ("train", "validation", "test")


class Base:
    """As tonic's: it looks for its files while it is made, and fetches them where there are none."""

    sensor_size = (12, 10, 2)

    def __init__(self, save_to):
        self.location_on_system = Path(save_to) / type(self).__name__
        if not self.location_on_system.is_dir():
            self.download()
        self.targets = [number % 4 for number in range(COUNT)]

    def download(self):
        self.location_on_system.mkdir(parents=True)

    def events(self, index, part):
        rng = np.random.default_rng([index, part])
        events = np.zeros(30, [("x", int), ("y", int), ("t", int), ("p", bool)])
        events["x"], events["y"] = rng.integers(0, 12, 30), rng.integers(0, 10, 30)
        events["t"], events["p"] = rng.integers(0, 9000, 30), rng.integers(0, 2, 30)
        return events

    def __getitem__(self, index):
        return self.events(index, 0), self.targets[index]

    def __len__(self):
        return COUNT


class Divided(Base):
    classes = ("zero", "one", "two", "three")

    def __init__(self, save_to, train=True, transform=None):
        super().__init__(save_to)
        self.part = int(train)

    def __getitem__(self, index):
        return self.events(index, self.part), self.targets[index]


class Three(Base):
    """Spikes of channels, with no targets beside the items."""

    classes = np.array([b"a", b"b", b"c", b"d"])
    sensor_size = (12, 1, 1)

    def __init__(self, save_to, split="train"):
        super().__init__(save_to)
        self.targets = []
        self.part = ["train", "valid", "test"].index(split)

    def __getitem__(self, index):
        return self.events(index, self.part)[["x", "t", "p"]], np.uint16(index % 4)


class Whole(Base):
    """Names of classes for targets, and no size."""

    sensor_size = None

    def __init__(self, save_to):
        super().__init__(save_to)
        self.targets = [("yin", "ant", "cup")[number % 3] for number in range(COUNT)]
        self.file = open(__file__)  # as some of tonic's do


class Numbered(Base):
    classes: ClassVar = {"two": 2, "zero": 0, "three": 3, "one": 1}


class Columns(Base):
    """Events as a matrix of one column."""

    def __getitem__(self, index):
        return self.events(index, 0)[:, None], self.targets[index]


class Manual(Base):
    def __init__(self, save_to, train=True):
        exit()


class Sequences(Base):
    def __init__(self, save_to):
        super().__init__(save_to)
        self.targets = []

    def __getitem__(self, index):
        return self.events(index, 0), [1, 2]


class Several(Base):
    def __init__(self, save_to, recording):
        super().__init__(save_to)


KINDS = (Divided, Three, Whole, Numbered, Columns, Manual, Sequences, Several)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    stand_in = types.ModuleType("tonic.datasets")
    stand_in.__all__ = [kind.__name__ for kind in KINDS]
    for kind in KINDS:
        setattr(stand_in, kind.__name__, kind)
        (tmp_path / kind.__name__).mkdir()
    whole = types.ModuleType("tonic")
    whole.datasets = stand_in
    monkeypatch.setitem(sys.modules, "tonic", whole)
    monkeypatch.setitem(sys.modules, "tonic.datasets", stand_in)
    return tmp_path


def opened(folder, dataset, **options):
    return {split: TonicRecordings(split, dataset=dataset, folder=folder, **options) for split in SPLITS}


def seeds(data, part, split):
    """Which items a split has, by their events."""
    source = {tuple(np.sort(Base.events(None, index, part)["t"])): index for index in range(COUNT)}
    return [source[tuple(data[split].recording(index).t)] for index in range(len(data[split]))]


def test_training_and_test_of_tonic(folder):
    data = opened(folder, "Divided", validation=0.2)
    assert sorted(seeds(data, 1, "train") + seeds(data, 1, "validation")) == list(range(COUNT))
    assert np.bincount(data["validation"].labels).tolist() == [2] * 4
    assert seeds(data, 0, "test") == list(range(COUNT))
    assert data["test"].class_names == ("zero", "one", "two", "three")
    sample = data["test"][5]
    assert sample["events"].shape == (10, 2, 10, 12)
    assert sample["label"] == 1
    expected = np.sort(Base.events(None, 5, 0), order="t")
    found = data["test"].recording(5)
    for column in "xyp":  # of events at one time, tonic's order stays
        np.testing.assert_array_equal(np.sort(getattr(found, column)), np.sort(expected[column]))
    assert "training and test recordings of tonic" in data["test"].origin


def test_three_splits_of_channels(folder):
    data = opened(folder, "Three")
    for part, split in enumerate(SPLITS):
        assert seeds(data, part, split) == list(range(COUNT))
        assert data[split].labels.tolist() == [number % 4 for number in range(COUNT)]
    assert data["train"].class_names == ("a", "b", "c", "d")
    assert data["train"][0]["events"].shape == (10, 2, 1, 12)


def test_no_official_split(folder):
    with pytest.raises(ValueError, match="Whole does not say its size; give the option size=HEIGHT,WIDTH"):
        opened(folder, "Whole")
    data = opened(folder, "Whole", size=(10, 12), test=0.25, validation=0.1)
    assert data["train"].class_names == ("ant", "cup", "yin")
    items = {split: seeds(data, 0, split) for split in SPLITS}
    assert sorted(itertools.chain(*items.values())) == list(range(COUNT))
    for split in SPLITS:
        names = [data[split].class_names[label] for label in data[split].labels]
        assert names == [("yin", "ant", "cup")[number % 3] for number in items[split]]
    assert np.bincount(data["test"].labels).tolist() == [3, 3, 3]
    assert "no official split; test is a share of 0.25" in data["test"].origin
    last = opened(folder, "Whole", size=(10, 12), drawn="last", test=0.25)
    assert min(seeds(last, 0, "test")) > max(seeds(last, 0, "train"))


def test_names_of_classes_by_number(folder):
    assert opened(folder, "Numbered")["test"].class_names == ("zero", "one", "two", "three")
    assert opened(folder, "Columns")["test"].class_names == ("0", "1", "2", "3")
    assert len(opened(folder, "Columns")["test"].recording(0)) == 30


def test_open_files_of_tonic_do_not_travel(folder):
    data = TonicRecordings("train", dataset="Whole", folder=folder, size=(10, 12))
    copy = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(copy.recording(3).t, data.recording(3).t)


def test_nothing_is_fetched_unasked(folder):
    with pytest.raises(FileNotFoundError, match=r"elsewhere/Divided lacks files of Divided.* option download"):
        TonicRecordings("train", dataset="Divided", folder=folder / "elsewhere")
    assert not (folder / "elsewhere").exists()
    data = TonicRecordings("train", dataset="Divided", folder=folder / "elsewhere", download=True)
    assert (folder / "elsewhere" / "Divided").is_dir()
    assert len(data) == 36
    with pytest.raises(FileNotFoundError, match="lacks files of Manual"):
        TonicRecordings("train", dataset="Manual", folder=folder, download=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset": "Dividid"}, "there is no data set 'Dividid'.*Divided"),
        ({"dataset": "Several"}, "Several needs the arguments recording"),
        ({"dataset": "Sequences"}, "items of Sequences are no pairs of events and a class"),
        ({"dataset": "Divided", "test": 1.0}, "test is 1.0, must be a share"),
        ({"dataset": "Divided", "drawn": "first"}, "drawn is 'first'"),
        ({"dataset": "Divided", "validation": 0.0, "split": "validation"}, "Divided leaves no recording for 'valid"),
    ],
)
def test_what_is_refused(options, message, folder):
    with pytest.raises(ValueError, match=message):
        TonicRecordings(**{"split": "train", "folder": folder} | options)


def test_a_sensor_that_is_too_small(folder):
    data = TonicRecordings("test", dataset="Divided", folder=folder, size=(10, 6))
    with pytest.raises(
        ValueError, match=r"recording 0 of Divided does not fit a sensor of 6 x 10: .*size=HEIGHT,WIDTH"
    ):
        data[0]


def test_without_tonic(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "tonic.datasets", None)
    with pytest.raises(ImportError, match="pip install tonic"):
        TonicRecordings("train", dataset="Divided", folder=folder)

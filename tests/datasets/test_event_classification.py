"""What every registered set of recordings with one class each keeps to, tried on a small one in the real one's form.

A set is found in the registry. The file ``miniature_<name>.py`` beside this file, or one that `HOMES` names, writes it:
a function called like the set that takes a folder, and `OPTIONS` where the set needs some.
"""

import importlib.util
import inspect
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from miniatures_by_class import BY_CLASS
from torch.utils.data import ConcatDataset, DataLoader

from spikelab import registry
from spikelab.datasets.event_recordings.samples import EventRecordings
from spikelab.learn.build import build_dataset
from spikelab.models.event_classifier import EventClassifier
from spikelab.report.data_folder import recognised

SPLITS = ("train", "validation", "test")
HOMES = {"shd": "miniature_heidelberg", "ssc": "miniature_heidelberg"} | dict.fromkeys(BY_CLASS, "miniatures_by_class")


def is_classification(name):
    kind = registry.load("datasets", name)
    return inspect.isclass(kind) and issubclass(kind, EventRecordings)


LACKING = {"tonic"} if importlib.util.find_spec("tonic") is None else set()
"""Sets that need a library which is not installed with spikelab."""
NAMES = [name for name in registry.names("datasets") if is_classification(name) and name not in LACKING]


@pytest.fixture(scope="module")
def options_of(tmp_path_factory):
    """Options that make a set read its miniature; each is written once."""
    written = {}

    def options(name):
        if name not in written:
            folder = tmp_path_factory.mktemp(name)
            module = importlib.import_module(HOMES.get(name, f"miniature_{name}"))
            getattr(module, name)(folder)
            own = getattr(module, "OPTIONS", {})
            if "cache" in inspect.signature(registry.load("datasets", name)).parameters:
                own = own | {"cache": str(folder / "cache")}
            written[name] = {"folder": str(folder)} | own
        return dict(written[name])

    return options


def changes(name):
    """Options for random changes, as far as a set has them."""
    known = inspect.signature(registry.load("datasets", name)).parameters
    return {key: value for key, value in {"shift": 2, "drop": 0.5}.items() if key in known}


def test_there_are_sets():
    assert {"nmnist", "ncaltech101", "ncars", "cifar10_dvs", "asl_dvs", "dvs_gesture", "shd", "ssc"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_samples(name, options_of):
    for split in SPLITS:
        data = build_dataset(name, split, options_of(name) | {"time_bins": 3})
        names = list(data.class_names)
        assert len(set(names)) == len(names) > 1
        assert all(isinstance(each, str) and each for each in names)
        assert isinstance(data.labels, np.ndarray)
        assert data.labels.dtype == np.int64
        assert len(data) == len(data.labels) > 0
        shape = data[0]["events"].shape
        assert shape[0] == 3
        assert len(shape) == 2 or shape == (3, 2, data.height, data.width)
        for index in range(len(data)):
            sample = data[index]
            assert set(sample) == {"events", "label"}
            assert sample["events"].shape == shape
            assert sample["events"].dtype == torch.float32
            assert torch.isfinite(sample["events"]).all()
            assert 0 <= sample["events"].min()
            assert 0 < sample["events"].sum() <= len(data.recording(index))
            assert sample["label"].dtype == torch.int64
            assert sample["label"].shape == ()
            assert 0 <= sample["label"] == data.labels[index] < len(names)
        torch.testing.assert_close(data[-1], data[len(data) - 1])
        with pytest.raises(IndexError, match=split):
            data[len(data)]


@pytest.mark.parametrize("name", NAMES)
def test_no_recording_is_in_two_splits(name, options_of):
    seen = {}
    for split in SPLITS:
        data = build_dataset(name, split, options_of(name))
        for index in range(len(data)):
            events = data.recording(index)
            seen.setdefault(b"".join(getattr(events, column).tobytes() for column in "xytp"), set()).add(split)
    assert all(len(splits) == 1 for splits in seen.values())
    assert set().union(*seen.values()) == set(SPLITS)


@pytest.mark.parametrize("name", NAMES)
def test_random_changes_are_a_function_of_seed_epoch_and_index(name, options_of):
    if not changes(name):
        pytest.skip("it has no random changes")
    options = options_of(name) | changes(name) | {"time_bins": 2}
    data, again = (build_dataset(name, "train", options) for _ in range(2))
    shown = []
    for epoch in (0, 1):
        data.set_epoch(epoch)
        again.set_epoch(epoch)
        shown.append([data[index]["events"] for index in range(len(data))])
        for index in reversed(range(len(again))):
            assert again[index]["events"].equal(shown[-1][index])
    assert not all(first.equal(second) for first, second in zip(*shown, strict=True))
    other = build_dataset(name, "test", options)
    first = other[0]["events"]
    other.set_epoch(1)
    assert other[0]["events"].equal(first)


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_in_another_process_shows_the_same(name, options_of):
    data = build_dataset(name, "train", options_of(name) | {"time_bins": 2})
    before = data[1]
    copy = pickle.loads(pickle.dumps(data))
    torch.testing.assert_close(copy[1], before)
    torch.testing.assert_close(data[1], before)


@pytest.mark.slow
def test_processes_of_a_data_loader(options_of):
    """All sets in one loader, as each process takes seconds to start; epochs are seen by processes that live on."""
    sets = [build_dataset(name, "train", options_of(name) | changes(name) | {"time_bins": 2}) for name in NAMES]
    sets = [data for data in sets if data[0]["events"].sum() > 0]
    whole = ConcatDataset([torch.utils.data.Subset(data, range(4)) for data in sets if len(data) >= 4])
    loader = DataLoader(
        whole, batch_size=None, num_workers=2, persistent_workers=True, multiprocessing_context="spawn", timeout=120
    )
    for epoch in (0, 3):
        for data in sets:
            data.set_epoch(epoch)
        expected = [whole[index] for index in range(len(whole))]
        for sample, other in zip(loader, expected, strict=True):
            torch.testing.assert_close(sample, other, rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_the_classifier_takes_its_sizes_from_the_data(name, options_of):
    data = build_dataset(name, "test", options_of(name) | {"time_bins": 2, "reduce": 4})
    model = EventClassifier(convolutions=(), hidden=(4,), **EventClassifier.options_from_data(data))
    batch = next(iter(DataLoader(data, batch_size=2)))
    assert model(batch["events"]).shape == (len(batch["label"]), len(data.class_names))


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_is_missing(name, options_of, tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKELAB_SHARED", str(tmp_path))
    options = options_of(name)
    del options["folder"]
    with pytest.raises(FileNotFoundError, match=rf"^{name}: {tmp_path}/data/\S+ .*folder.*SPIKELAB_SHARED") as found:
        build_dataset(name, "train", options)
    Path(str(found.value).split()[1]).mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=rf"^{name}: {tmp_path}/data/\S+ .*folder.*SPIKELAB_SHARED"):
        build_dataset(name, "train", options)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_recognised_by_what_is_in_the_folder(name, options_of, tmp_path):
    if name == "tonic":
        pytest.skip("what it holds is in folders of other names")
    assert recognised(Path(options_of(name)["folder"])) == [name]
    assert not registry.load("datasets", name).recognises(tmp_path)
    assert not registry.load("datasets", name).recognises(tmp_path / "none")


@pytest.mark.parametrize("name", NAMES)
def test_a_split_that_there_is_not(name, options_of):
    with pytest.raises(ValueError, match=rf"{name}: split is 'valid', must be one of train, validation, test"):
        build_dataset(name, "valid", options_of(name))

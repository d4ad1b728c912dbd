"""Recordings with one class each: how time is cut, what is changed at random, what is refused."""

import json

import numpy as np
import pytest
import torch
from miniature_atis_alphabet import atis_alphabet

from spikelab.datasets.event_recordings.atis_alphabet import AtisAlphabet
from spikelab.datasets.event_recordings.samples import EventRecordings
from spikelab.events import EventArray, event_counts

DEFAULTS = {
    "time_bins": 4, "window": None, "slicing": "time", "values": "counts", "reduce": 1, "shift": 0, "flip": 0.0,
    "drop": 0.0, "seed": 0,
}  # fmt: skip


class Made(EventRecordings):
    """Two recordings of random events on 12 x 10 pixels, one of 300 events within 9 ms, one empty."""

    class_names = ("some", "none")
    height, width = 10, 12

    def __init__(self, split="test", **options):
        super().__init__("made", split, **{**DEFAULTS, **options})
        self.labels = np.array([0, 1])
        rng = np.random.default_rng(1)
        t = np.sort(rng.integers(5_000, 14_000, 300))
        self.events = EventArray(rng.integers(0, 12, 300), rng.integers(0, 10, 300), t, rng.integers(0, 2, 300), 12, 10)

    def recording(self, index):
        return self.events if index == 0 else EventArray.empty(12, 10)


def test_a_whole_recording():
    data = Made()
    sample = data[0]
    assert sample["events"].shape == (4, 2, 10, 12)
    assert sample["events"].dtype == torch.float32
    assert sample["events"].sum() == 300
    expected = event_counts(data.events, 4, int(data.events.t[0]), int(data.events.t[-1]) + 1)
    np.testing.assert_array_equal(sample["events"].numpy(), expected)
    assert sample["label"] == 0
    assert data.step is None
    assert data[1]["events"].sum() == 0
    assert data[-1]["label"] == 1


def test_a_window_is_the_middle_and_random_in_training():
    window = 3_000
    data = Made(window=window)
    first, last = int(data.events.t[0]), int(data.events.t[-1]) + 1
    start = first + (last - first - window) // 2
    np.testing.assert_array_equal(data[0]["events"].numpy(), event_counts(data.events, 4, start, start + window))
    assert data.step == pytest.approx(0.75e-3)
    training = Made("train", window=window)
    shown = []
    for epoch in range(5):
        training.set_epoch(epoch)
        shown.append(training[0]["events"])
        torch.testing.assert_close(training[0]["events"], shown[-1])  # the same whenever it is asked for
    assert len({float(each.sum()) for each in shown}) > 1


def test_a_window_longer_than_the_recording_shows_all():
    assert Made("train", window=1_000_000)[0]["events"].sum() == 300


def test_equal_shares_of_events():
    counts = Made(slicing="count")[0]["events"].sum((1, 2, 3))
    assert counts.tolist() == [75, 75, 75, 75]
    assert Made(slicing="count")[1]["events"].shape == (4, 2, 10, 12)


@pytest.mark.parametrize(("values", "of"), [("log", np.log1p), ("binary", lambda counts: np.minimum(counts, 1))])
def test_values(values, of):
    counts = Made(time_bins=1)[0]["events"].numpy()
    assert counts.max() > 1
    np.testing.assert_array_equal(Made(time_bins=1, values=values)[0]["events"].numpy(), of(counts))


def test_pixels_put_together():
    counts = Made(time_bins=1)[0]["events"].numpy()[0]
    reduced = Made(time_bins=1, reduce=5)[0]["events"].numpy()[0]
    assert reduced.shape == (2, 2, 3)
    padded = np.pad(counts, ((0, 0), (0, 0), (0, 3)))
    np.testing.assert_array_equal(reduced, padded.reshape(2, 2, 5, 3, 5).sum((2, 4)))


def test_random_changes_are_of_training_alone_and_repeat():
    changes = {"shift": 3, "flip": 0.5, "drop": 0.5, "time_bins": 1}
    torch.testing.assert_close(Made("validation", **changes)[0]["events"], Made(time_bins=1)[0]["events"])
    shown = []
    for epoch in range(20):
        data = Made("train", **changes)
        data.set_epoch(epoch)
        shown.append(data[0]["events"])
    assert len({float(each.sum()) for each in shown}) > 10
    other = Made("train", seed=1, **changes)
    assert not torch.equal(other[0]["events"], shown[0])


def test_a_mirror_image():
    mirrored = Made("train", flip=1.0)[0]["events"]
    torch.testing.assert_close(mirrored, Made()[0]["events"].flip(-1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "all"}, "split is 'all', must be one of"),
        ({"time_bins": 0}, "time_bins is 0, must be at least 1"),
        ({"window": 0}, "window is 0 us"),
        ({"slicing": "events"}, "slicing is 'events', must be one of time, count"),
        ({"values": "mean"}, "values is 'mean', must be one of counts, log, binary"),
        ({"drop": 1.5}, "drop is 1.5, must be from 0 to 1"),
        ({"reduce": 0}, "reduce is 0, must be at least 1"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Made(**options)


def test_sample_beyond_the_last():
    with pytest.raises(IndexError, match="sample 2 of 2 in split 'test'"):
        Made()[2]


@pytest.fixture
def alphabet(tmp_path):
    """Two passes of two characters, a third of one."""
    atis_alphabet(tmp_path)
    return tmp_path


def test_passes_of_the_alphabet(alphabet):
    sizes = {split: AtisAlphabet(split, folder=alphabet, repeats=1) for split in ("train", "test", "validation")}
    assert [sizes[split].labels.tolist() for split in ("train", "test", "validation")] == [[0, 1], [0, 1], [0]]
    assert [len(sizes["train"].recording(index)) for index in (0, 1)] == [101, 100]
    assert [len(sizes["test"].recording(index)) for index in (0, 1)] == [103, 102]
    assert len(sizes["validation"].recording(0)) == 104
    assert len(AtisAlphabet("train", folder=alphabet, repeats=5)) == 10
    assert sizes["train"][0]["events"].shape == (16, 2, 32, 32)


def test_a_folder_that_is_not_the_alphabet(tmp_path, alphabet):
    with pytest.raises(FileNotFoundError, match="HOTS"):
        AtisAlphabet("train", folder=tmp_path / "none")
    (alphabet / "labels.json").write_text('{"B": 1}')
    with pytest.raises(ValueError, match="must be a list of characters"):
        AtisAlphabet("train", folder=alphabet)
    (alphabet / "labels.json").write_text(json.dumps(["B", "A"]))
    with pytest.raises(ValueError, match="2 labels, and 5 recordings"):
        AtisAlphabet("train", folder=alphabet)


@pytest.mark.shared
def test_every_real_recording_and_its_nearest_neighbour(shared):
    """The labels belong to the recordings: of test recordings the most similar training recording is of the class."""
    folders = sorted(path.parent for path in (shared / "data").glob("*/labels.json") if list(path.parent.glob("*.mat")))
    if not folders:
        pytest.skip(f"no recordings with labels.json below {shared}/data")
    for folder in folders:
        images = {}
        for split in ("train", "test"):
            data = AtisAlphabet(
                split, folder=folder, repeats=1, time_bins=1, window=None, values="counts", shift=0, drop=0
            )
            counts = torch.stack([data[index]["events"].flatten() for index in range(len(data))])
            images[split] = counts / counts.norm(dim=1, keepdim=True), torch.from_numpy(data.labels)
        nearest = (images["test"][0] @ images["train"][0].T).argmax(1)
        assert (images["train"][1][nearest] == images["test"][1]).float().mean() > 0.9

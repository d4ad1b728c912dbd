"""Spike trains: time from the beginning of the sound, random changes; SHD and SSC as they are written."""

import multiprocessing

import h5py
import numpy as np
import pytest
import torch
from miniature_heidelberg import DIGITS, WORDS, shd, ssc
from PIL import Image

from spikelab.cli import main
from spikelab.datasets.spike_trains.heidelberg import SHD, SSC
from spikelab.datasets.spike_trains.samples import SpikeTrains
from spikelab.events import EventArray
from spikelab.events.files import EventFileError

DEFAULTS = {
    "channels": 9, "time_bins": 4, "window": None, "slicing": "time", "values": "counts", "reduce": 1, "shift": 0,
    "drop": 0.0, "seed": 0,
}  # fmt: skip


class Made(SpikeTrains):
    """Two recordings of nine channels: five spikes, and none."""

    class_names = ("some", "none")

    def __init__(self, split="test", **options):
        super().__init__("made", split, **{**DEFAULTS, **options})
        self.labels = np.array([0, 1])

    def recording(self, index):
        if index:
            return EventArray.empty(9, 1)
        return EventArray([0, 4, 5, 8, 8], [0] * 5, [3000, 3500, 5000, 7000, 7999], [1] * 5, 9, 1)


def test_steps_count_from_the_beginning_of_the_sound():
    sample = Made()[0]
    assert sample["events"].dtype == torch.float32
    expected = torch.zeros(4, 9)
    expected[1, 0] = expected[1, 4] = expected[2, 5] = 1
    expected[3, 8] = 2
    assert sample["events"].equal(expected)
    assert sample["label"] == 0
    assert Made()[1]["events"].equal(torch.zeros(4, 9))
    assert Made(values="binary")[0]["events"].max() == 1
    assert Made(slicing="count", time_bins=5)[0]["events"].sum(1).tolist() == [1] * 5


def test_a_window_is_followed_by_silence_or_cut_out():
    data = Made(window=16_000)
    assert data.step == pytest.approx(4e-3)
    assert data[0]["events"].sum(1).tolist() == [2, 3, 0, 0]
    assert data[1]["events"].shape == (4, 9)
    # 8 ms are there: the middle 4 ms are 2 to 6 ms
    assert Made(window=4_000)[0]["events"].sum(1).tolist() == [0, 2, 0, 1]
    training = Made("train", window=4_000)
    shown = set()
    for epoch in range(20):
        training.set_epoch(epoch)
        shown.add(tuple(training[0]["events"].flatten().tolist()))
    assert len(shown) > 3


def test_channels_are_put_together_and_moved():
    reduced = Made(reduce=4, time_bins=1)[0]["events"]
    assert reduced.tolist() == [[1, 2, 2]]
    sums = set()
    data = Made("train", shift=1, time_bins=1)
    for epoch in range(20):
        data.set_epoch(epoch)
        sums.add(tuple(data[0]["events"][0].tolist()))
    assert sums == {(1, 0, 0, 0, 1, 1, 0, 0, 2), (0, 1, 0, 0, 0, 1, 1, 0, 0), (0, 0, 0, 1, 1, 0, 0, 2, 0)}
    kept = []
    data = Made("train", drop=1.0, time_bins=1)
    for epoch in range(20):
        data.set_epoch(epoch)
        kept.append(float(data[0]["events"].sum()))
    assert min(kept) < 3 < max(kept)
    assert Made("test", shift=1, drop=1.0)[0]["events"].equal(Made()[0]["events"])


def check_contents(data, truth, places):
    assert len(data) == len(places)
    for index, place in enumerate(places):
        times, units = truth[place]
        found = data.recording(index)
        np.testing.assert_array_equal(found.t, np.rint(times.astype(np.float64) * 1e6))
        np.testing.assert_array_equal(found.x, units)
        assert (found.y == 0).all()
        assert (found.p == 1).all()


def test_shd(tmp_path):
    truth = shd(tmp_path)
    with h5py.File(tmp_path / "shd_train.h5") as file:
        labels, speakers = file["labels"][:], file["extra/speaker"][:]
    for split, inside in (("train", speakers < 10), ("validation", speakers >= 10)):
        data = SHD(split, folder=tmp_path)
        check_contents(data, truth["train"], np.flatnonzero(inside))
        np.testing.assert_array_equal(data.labels, labels[inside])
        np.testing.assert_array_equal(data.speakers, speakers[inside])
        assert data.class_names == DIGITS
    check_contents(SHD("test", folder=tmp_path), truth["test"], range(60))
    assert data[0]["events"].shape == (100, 700)
    assert SHD("train", folder=tmp_path, reduce=5)[0]["events"].shape == (100, 140)
    other = SHD("validation", folder=tmp_path, validation_speakers=[3])
    assert set(other.speakers.tolist()) == {3}
    assert "the speakers 3 of the training file" in other.origin
    assert len(SHD("train", folder=tmp_path, validation_speakers=[])) == 200
    with pytest.raises(ValueError, match=r"names 4, and .* has the speakers 0, 1, 2, 3, 6"):
        SHD("train", folder=tmp_path, validation_speakers=[4])
    with pytest.raises(ValueError, match="leaves no recording for 'validation'"):
        SHD("validation", folder=tmp_path, validation_speakers=[])


def test_ssc(tmp_path):
    truth = ssc(tmp_path)
    for split, part in (("train", "train"), ("validation", "valid"), ("test", "test")):
        data = SSC(split, folder=tmp_path)
        check_contents(data, truth[part], range(len(truth[part])))
        assert data.class_names == WORDS
        assert data.window == 1_000_000
    with pytest.raises(ValueError, match="window is 'all'"):
        SSC("test", folder=tmp_path, window="all")


def test_files_that_are_missing_or_packed(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is no folder. It is ssc_valid.h5.zip of zenkelab.org/datasets"):
        SSC("validation", folder=tmp_path / "none")
    (tmp_path / "shd_train.h5.gz").write_bytes(b"packed")
    with pytest.raises(FileNotFoundError, match=r"has no shd_train.h5; unpack shd_train.h5.gz"):
        SHD("train", folder=tmp_path)


def damaged(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def longer(file):
    del file["labels"]
    file["labels"] = np.zeros(61, np.uint16)


def unknown(file):
    file["labels"][3] = 20


def renamed(file):
    file.move("spikes/units", "spikes/channels")


def beyond(file):
    file["spikes/units"][0] = np.array([3, 700], np.uint16)
    file["spikes/times"][0] = np.array([0.25, 0.5], np.float16)


def fewer(file):
    file["spikes/units"][0] = np.array([3], np.uint16)


def endless(file):
    file["spikes/units"][0] = np.array([3], np.uint16)
    file["spikes/times"][0] = np.array([np.inf], np.float16)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (longer, "spikes/times has 60 entries, and labels 61"),
        (unknown, "label 3 is 20, and extra/keys names 20"),
        (renamed, "holds no list 'spikes/units'"),
        (beyond, r"recording 0: .*700"),
        (fewer, "recording 0 has .* times of 1 spikes"),
        (endless, "recording 0 .* times that are none"),
    ],
)
def test_files_that_are_damaged(change, message, tmp_path):
    shd(tmp_path)
    damaged(tmp_path / "shd_test.h5", change)
    with pytest.raises(EventFileError, match=rf"shd_test.h5: {message}"):
        SHD("test", folder=tmp_path)[0]


def test_a_file_cut_short(tmp_path):
    shd(tmp_path)
    path = tmp_path / "shd_test.h5"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(EventFileError, match=r"is no HDF5 file, or is cut short .*; unpack or fetch it again"):
        SHD("test", folder=tmp_path)


def test_forked_processes_open_the_file_anew(tmp_path):
    shd(tmp_path)
    data = SHD("test", folder=tmp_path)
    expected = [data.recording(index) for index in range(len(data))]
    queue = multiprocessing.get_context("fork").SimpleQueue()

    def read():
        queue.put([data.recording(index).x for index in range(len(data))])

    processes = [multiprocessing.get_context("fork").Process(target=read) for _ in range(3)]
    for process in processes:
        process.start()
    for _ in processes:
        for found, right in zip(queue.get(), expected, strict=True):
            np.testing.assert_array_equal(found, right.x)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


def test_predictions_show_a_raster(tmp_path):
    """The file of the words is no file of one sample."""
    shd(tmp_path)
    run = tmp_path / "run"
    words = ["--data.name", "shd", "--data.options.folder", str(tmp_path), "--data.options.reduce", "10"]
    model = ["--model.name", "event_classifier", "--model.options.convolutions", "[]", "--model.options.hidden", "4"]
    given = [*words, *model, "--task", "classification", "--epochs", "1", "--device", "cpu"]
    assert main(["train", *given, "--folder", str(run)]) == 0
    assert main(["predict", str(run), "--count", "1"]) == 0
    (picture,) = (run / "predictions").iterdir()
    assert np.asarray(Image.open(picture)).std() > 10

"""Data sets in MNIST's format: the splits, the shifts, and files that are not as they should be."""

import gzip
import pickle
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

import spikelab
from spikelab.datasets.images.idx_images import read_idx
from spikelab.datasets.images.mnist import KMNIST, MNIST, FashionMNIST, NotMNIST

NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def idx(values):
    values = np.asarray(values, np.uint8)
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def pictures(count, start=0):
    """Pictures 6 x 5, all different: the number of the picture stands in two pixels, bright ones all around."""
    made = np.full((count, 6, 5), 255, np.uint8)
    made[:, 2, 2], made[:, 3, 2] = (np.arange(count) + start) % 200, (np.arange(count) + start) // 200
    return made


@pytest.fixture
def folder(tmp_path):
    """40 training and 12 test pictures of four classes; training files packed, test files not."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    contents = {
        "train": (idx(pictures(40)), idx(np.arange(40) % 4)),
        "test": (idx(pictures(12, 500)), idx(np.arange(12) // 3)),
    }
    for part, files in contents.items():
        for name, content in zip(NAMES[part], files, strict=True):
            if part == "train":
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
    return folder


OPTIONS = {"class_names": ["a", "b", "c", "d"], "validation": 3}


def test_items(folder):
    data = MNIST("test", folder=folder, **OPTIONS)
    assert len(data) == 12
    item = data[4]
    assert item["image"].shape == (1, 6, 5)
    assert item["image"].dtype == torch.float32
    assert item["label"].dtype == torch.int64
    assert item["label"].shape == ()
    assert item["image"][0, 2, 2] == np.float32(504 % 200) / np.float32(255)
    assert item["image"].max() == 1
    assert [int(data[index]["label"]) for index in range(12)] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert data.class_names == ("a", "b", "c", "d")
    assert torch.equal(data[-1]["image"], data[11]["image"])
    with pytest.raises(IndexError, match="sample 12 of 12"):
        data[12]


def test_validation_is_a_balanced_part_of_the_training_files(folder):
    train, validation = (MNIST(split, folder=folder, **OPTIONS) for split in ("train", "validation"))
    assert np.bincount(validation.labels).tolist() == [3, 3, 3, 3]
    numbers = [set(data.images[:, 2, 2].tolist()) for data in (train, validation)]
    assert numbers[0] | numbers[1] == set(range(40))
    assert not numbers[0] & numbers[1]
    again, other = MNIST("validation", folder=folder, **OPTIONS), MNIST("validation", folder=folder, seed=1, **OPTIONS)
    np.testing.assert_array_equal(again.images, validation.images)
    assert not np.array_equal(other.images, validation.images)
    assert len(MNIST("train", folder=folder, class_names="a, b,c,d", validation=0)) == 40


def test_shift_is_a_function_of_seed_epoch_and_index(folder):
    data, plain = MNIST("train", folder=folder, shift=2, **OPTIONS), MNIST("train", folder=folder, **OPTIONS)
    shown = {}
    for epoch in (0, 1, 0):
        data.set_epoch(epoch)
        images = torch.stack([data[index]["image"] for index in range(len(data))])
        assert torch.equal(shown.setdefault(epoch, images), images)
    assert not torch.equal(shown[0], shown[1])
    offsets = set()
    for index in range(len(data)):
        original = plain[index]["image"][0]
        for down in range(-2, 3):
            for right in range(-2, 3):
                moved = torch.zeros_like(original)
                rows = [(y, y - down) for y in range(6) if 0 <= y - down < 6]
                columns = [(x, x - right) for x in range(5) if 0 <= x - right < 5]
                for y, source_y in rows:
                    for x, source_x in columns:
                        moved[y, x] = original[source_y, source_x]
                if torch.equal(moved, shown[0][index, 0]):
                    offsets.add((down, right))
                    break
            else:
                continue
            break
        else:
            pytest.fail(f"picture {index} is not a shift of the original by up to 2 pixels")
    assert len(offsets) > 8
    for split in ("validation", "test"):
        assert MNIST(split, folder=folder, shift=2, **OPTIONS).shift == 0


def test_a_copy_in_another_process_sees_the_epoch(folder):
    """As a data loader's worker gets it; it must also be small enough to be sent."""
    copy = pickle.loads(pickle.dumps(MNIST("validation", folder=folder, **OPTIONS)))
    assert len(copy) == 12
    assert copy[3]["label"] in range(4)


def packed(folder, part, which):
    return folder / f"{NAMES[part][which]}.gz"


@pytest.mark.parametrize(
    ("which", "change", "message"),
    [
        (0, lambda b: gzip.compress(b)[:-60], r"train-images-idx3-ubyte\.gz: the gzip stream is cut off or damaged"),
        (0, lambda b: gzip.compress(b)[:3], r"the gzip stream is cut off or damaged"),
        (0, lambda b: gzip.compress(b)[:-8] + bytes(8), r"the gzip stream is cut off or damaged"),
        (0, lambda b: gzip.compress(b)[:20] + bytes(30) + gzip.compress(b)[50:], r"stream is cut off or damaged"),
        (0, lambda b: b[:-1], r"announces \[40, 6, 5\] = 1200 values, and only 1199 follow"),
        (0, lambda b: b + b"\0", r"announces \[40, 6, 5\] = 1200 values, and more follow"),
        (0, lambda b: b[:9], r"ends within its header"),
        (0, lambda b: b"", r"starts with nothing, and an idx file of images starts with 00 00 08 03"),
        (0, lambda b: b"\x89PNG" + b, r"starts with 89 50 4e 47"),
        (0, lambda b: b[:2] + b"\x0d" + b[3:], r"starts with 00 00 0d 03"),  # floats
        (0, lambda b: idx(np.zeros(40)), r"starts with 00 00 08 01.* holds labels: were the files exchanged"),
        (1, lambda b: idx(pictures(40)), r"starts with 00 00 08 03.* holds images: were the files exchanged"),
        (0, lambda b: idx(pictures(39)), r"holds 39 images and .*train-labels-idx1-ubyte\.gz 40 labels"),
        (0, lambda b: idx(np.zeros((40, 0, 5))), r"holds no pixel: its images are \[40, 0, 5\]"),
        (1, lambda b: b[:-2] + b"\x04\xff", r"labels-idx1-ubyte\.gz: label 38 is 4 \(2 such labels\), .* 0 to 3"),
    ],
)  # fmt: skip
def test_wrong_files(which, change, message, folder):
    path = packed(folder, "train", which)
    path.write_bytes(change(gzip.decompress(path.read_bytes())))
    with pytest.raises(ValueError, match=message):
        MNIST("train", folder=folder, **OPTIONS)
    assert len(MNIST("test", folder=folder, **OPTIONS)) == 12


def test_a_header_that_lies_costs_no_memory(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(struct.pack(">BBBB3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1) + bytes(100))
    with pytest.raises(ValueError, match="only 100 follow"):
        read_idx(path, 3)
    path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(ValueError, match="only 100 follow"):
        read_idx(path, 3)


def test_missing_files_and_wrong_options(folder, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"nowhere is no folder; put the four idx files there .*data/mnist"):
        MNIST("train", folder=tmp_path / "nowhere")
    packed(folder, "train", 1).unlink()
    with pytest.raises(FileNotFoundError, match=r"tiny has no file train-labels-idx1-ubyte\.gz or train-labels"):
        MNIST("validation", folder=folder, **OPTIONS)
    for options, message in (
        ({"split": "val"}, "split is 'val', must be one of train, validation, test"),
        ({"split": "validation", "validation": 0}, "the validation split is empty; set validation to at least 1"),
        ({"validation": -1}, "validation = -1 must be 0 or more"),
        ({"shift": -2}, "shift = -2 must be 0 or more"),
        ({"seed": -2}, "seed = -2 must be 0 or more"),
    ):
        with pytest.raises(ValueError, match=message):
            MNIST(**{"split": "train", "folder": folder} | options)
    monkeypatch.setenv("SPIKELAB_SHARED", str(tmp_path))
    for kind, name in ((MNIST, "mnist"), (FashionMNIST, "fashion_mnist"), (KMNIST, "kmnist"), (NotMNIST, "notmnist")):
        with pytest.raises(FileNotFoundError, match=rf"{name}: {tmp_path}/data/{name} is no folder"):
            kind("test")
    monkeypatch.delenv("SPIKELAB_SHARED")
    beside = Path(spikelab.__file__).resolve().parents[2] / "shared" / "data" / "mnist"
    if beside.is_dir():
        assert MNIST("test").folder == beside
    else:
        monkeypatch.setenv("SPIKELAB_CACHE", str(tmp_path))
        with pytest.raises(FileNotFoundError, match=re.escape(f"{tmp_path}/datasets/mnist is no folder")):
            MNIST("test")


def test_more_wrong_options(folder):
    with pytest.raises(ValueError, match=r"validation = 10 leaves no picture of class 'a' to train on: there are 10"):
        MNIST("train", folder=folder, class_names="a, b,c,d", validation=10)
    with pytest.raises(ValueError, match="shift = 5 moves pictures of 6 x 5 out of view"):
        MNIST("train", folder=folder, class_names="a, b,c,d", validation=1, shift=5)


@pytest.mark.shared
def test_every_idx_folder_in_the_shared_data(shared):
    folders = sorted({path.parent for path in (shared / "data").glob("*/train-images-idx3-ubyte*")})
    if not folders:
        pytest.skip(f"no idx files under {shared}/data")
    for folder in folders:
        parts = {split: MNIST(split, folder=folder, validation=20) for split in ("train", "validation", "test")}
        assert (np.bincount(parts["validation"].labels, minlength=10) == 20).all(), folder
        for data in parts.values():
            assert set(np.unique(data.labels)) == set(range(10)), folder
            assert data[0]["image"].shape == (1, 28, 28)
            assert 0.02 < data.images.mean() / 255 < 0.7, folder
        held_out = {image.tobytes() for image in parts["validation"].images}
        total = len(parts["train"]) + len(parts["validation"])
        distinct = {image.tobytes() for image in parts["train"].images}
        # the same glyph may stand in a data set twice, but hardly ever
        assert len(held_out & distinct) < 0.05 * len(held_out), folder
        assert len(distinct) > 0.9 * (total - 200), folder

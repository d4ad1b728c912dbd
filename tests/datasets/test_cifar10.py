"""CIFAR-10's archive: its layout is found, splits do not overlap, and damage is named."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from spikelab.datasets.images.cifar10 import CIFAR10


def archive(folder, pictures=6, classes=("bird", "cat"), size=8, broken=None):
    with zipfile.ZipFile(folder / "pictures.zip", "w") as file:
        for part in ("train", "test"):
            for shade, name in enumerate(classes):
                for number in range(pictures):
                    data = io.BytesIO()
                    grey = np.full((size, size, 3), 40 * (2 * number + shade) % 256, np.uint8)
                    Image.fromarray(grey).save(data, "JPEG", quality=95)
                    path = f"{part}/{name}/{number:04}.jpg"
                    file.writestr(path, b"no picture" if path == broken else data.getvalue())
    return folder


def test_splits_share_the_training_pictures_and_keep_the_test_ones(tmp_path):
    archive(tmp_path)
    parts = {split: CIFAR10(split, folder=tmp_path, validation=2) for split in ("train", "validation", "test")}
    assert [len(parts[split]) for split in parts] == [8, 4, 12]
    assert parts["train"].class_names == ("bird", "cat")
    shown = {(int(s["label"]), float(s["image"].mean())) for split in ("train", "validation") for s in parts[split]}
    assert len(shown) == 12  # every training picture once
    sample = parts["train"][0]
    assert sample["image"].shape == (3, 8, 8)
    assert 0 <= sample["image"].min() <= sample["image"].max() <= 1


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (
            lambda folder: archive(folder, broken="train/cat/0001.jpg"),
            {"validation": 0},
            "train/cat/0001.jpg cannot be read",
        ),
        (lambda folder: archive(folder), {"validation": 6}, "leaves no picture of class 'bird'"),
        (lambda folder: folder, {}, "has no zip archive"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, make, options, message):
    make(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        CIFAR10("train", folder=tmp_path, **({"validation": 1} | options))


@pytest.mark.shared
def test_the_real_archive_is_balanced_and_in_colour(shared):
    test = CIFAR10("test", folder=shared / "data" / "cifar10_jpeg")
    assert len(test.class_names) == 10
    counts = np.bincount(test.labels, minlength=10)
    assert (counts == counts[0]).all()
    assert test.images.shape[1:] == (32, 32, 3)
    assert not np.array_equal(test.images[..., 0], test.images[..., 2])

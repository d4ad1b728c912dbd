"""MNIST and data sets in its format: small grey pictures, one class each, in four idx files.

MNIST (LeCun, Bottou, Bengio, Haffner, Proceedings of the IEEE 1998): handwritten digits, 28 x 28. Fashion-MNIST (Xiao,
Rasul, Vollgraf, arXiv 1708.07747), Kuzushiji-MNIST (Clanuwat et al., arXiv 1812.01718) and notMNIST (Bulatov 2011: the
letters A to J in many typefaces) have the same files. Whole sets and subsets of them are read alike: the files say how
many pictures there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from spikelab.datasets.cache import published_folder
from spikelab.datasets.images.idx_images import read_idx

_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


class ImageSample(TypedDict):
    """One item of a data set; the default collate function of torch stacks it batch first.

    Keys:
        image: float32 ``[1, H, W]``, 0 (background) to 1 (ink).
        label: int64 ``[]``, the number of the class.
    """

    image: torch.Tensor
    label: torch.Tensor


class MNIST(Dataset[ImageSample]):
    """Handwritten digits.

    The validation split is taken out of the training pictures: the same number of each class, chosen by `seed`. The
    training split is the rest of them, the test split is the test files, untouched.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        folder: holds the four files under their original names, with or without ``.gz``; None takes
            ``$SPIKELAB_SHARED/data/mnist``, or without that variable ``shared/data/mnist`` beside the checkout.
        class_names: names of the classes in the order of their numbers, or one string with commas between them; None
            takes those of the data set.
        validation: pictures of each class that the validation split takes from the training files.
        shift: the training split moves each picture by up to this many pixels up or down and left or right, anew in
            every epoch (what comes in is background): a pure function of `seed`, epoch and index. 0 leaves it as it is.
        seed: of the choice for validation, and of the shifts.

    Raises:
        FileNotFoundError: if the folder or a file in it is missing; the message says where to get them.
        ValueError: if there is no such split, a file is damaged, images and labels do not fit each other, a label is no
            class, or there are too few pictures for the validation split.
    """

    class_names: Sequence[str] = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    home: ClassVar[str] = "mnist"
    """Name of the folder under ``$SPIKELAB_SHARED/data``."""

    def __init__(
        self,
        split: str,
        *,
        folder: str | Path | None = None,
        class_names: Sequence[str] | str | None = None,
        validation: int = 100,
        shift: int = 0,
        seed: int = 0,
    ):
        if split not in ("train", "validation", "test"):
            raise ValueError(f"{self.home}: split is {split!r}, must be one of train, validation, test")
        for name, value in (("validation", validation), ("shift", shift), ("seed", seed)):
            if value < 0:
                raise ValueError(f"{self.home}: {name} = {value} must be 0 or more")
        if split == "validation" and validation == 0:
            raise ValueError(f"{self.home}: the validation split is empty; set validation to at least 1 of each class")
        if class_names is not None:
            given = class_names.split(",") if isinstance(class_names, str) else class_names
            self.class_names = tuple(str(name).strip() for name in given)
        self.split, self.seed = split, seed
        self.folder = published_folder(self.home) if folder is None else Path(folder)
        images, labels = self._read("test" if split == "test" else "train")
        if split != "test":
            chosen = self._choose(labels, validation)
            chosen = chosen if split == "validation" else np.setdiff1d(np.arange(len(labels)), chosen)
            images, labels = images[chosen], labels[chosen]
        if not len(images):
            raise ValueError(f"{self.home}: {self.folder} leaves no picture for the split {split!r}")
        self.images: NDArray[np.uint8] = images
        self.labels: NDArray[np.uint8] = labels
        self.height, self.width = images.shape[1:]
        self.shift = shift if split == "train" else 0
        if self.shift >= min(self.height, self.width):
            raise ValueError(f"{self.home}: shift = {shift} moves pictures of {self.height} x {self.width} out of view")
        # In shared memory: processes of a data loader that outlive an epoch see the new number.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    @staticmethod
    def recognises(folder: Path) -> bool:
        """Whether a folder holds any of the four files; what is in them, they do not say."""
        names = [name for pair in _FILES.values() for name in pair]
        return any((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in names)

    def __len__(self) -> int:
        return len(self.images)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose shifts the items show; also seen by running processes of a data loader."""
        self._epoch.fill_(epoch)

    def __getitem__(self, index: int) -> ImageSample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)} in split {self.split!r}")
        index %= len(self)
        image = self.images[index]
        if self.shift:
            random = np.random.default_rng([self.seed, int(self._epoch), index])
            image = _moved(image, *random.integers(-self.shift, self.shift + 1, size=2).tolist())
        return {
            "image": torch.from_numpy(image.astype(np.float32)[None] / np.float32(255)),
            "label": torch.tensor(int(self.labels[index])),
        }

    def _read(self, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        image_file, label_file = (self._find(name) for name in _FILES[part])
        images, labels = read_idx(image_file, 3), read_idx(label_file, 1)
        if len(images) != len(labels):
            raise ValueError(
                f"{self.home}: {image_file} holds {len(images)} images and {label_file} {len(labels)} labels; "
                "they are not of the same set"
            )
        if images.size == 0:
            raise ValueError(f"{self.home}: {image_file} holds no pixel: its images are {list(images.shape)}")
        wrong = np.flatnonzero(labels >= len(self.class_names))
        if wrong.size:
            raise ValueError(
                f"{self.home}: {label_file}: label {wrong[0]} is {labels[wrong[0]]} ({wrong.size} such labels), and "
                f"classes go from 0 to {len(self.class_names) - 1}; give class_names for all of them"
            )
        return images, labels

    def _find(self, name: str) -> Path:
        for path in (self.folder / f"{name}.gz", self.folder / name):
            if path.is_file():
                return path
        what = f"has no file {name}.gz or {name}" if self.folder.is_dir() else "is no folder"
        raise FileNotFoundError(
            f"{self.home}: {self.folder.absolute()} {what}; put the four idx files there that MNIST is published as "
            "(yann.lecun.com/exdb/mnist, storage.googleapis.com/cvdf-datasets/mnist; Fashion-MNIST: "
            "github.com/zalandoresearch/fashion-mnist; KMNIST: github.com/rois-codh/kmnist), name another with the "
            f"data set's option folder, or set SPIKELAB_SHARED to the folder that holds data/{self.home}"
        )

    def _choose(self, labels: NDArray[np.uint8], count: int) -> NDArray[np.intp]:
        """The places of the pictures for validation, in order: `count` of each class that the labels show."""
        random = np.random.default_rng(self.seed)
        chosen = []
        for label in np.unique(labels):
            places = np.flatnonzero(labels == label)
            if count >= len(places):
                raise ValueError(
                    f"{self.home}: validation = {count} leaves no picture of class {self.class_names[label]!r} to "
                    f"train on: there are {len(places)}; give a smaller number"
                )
            chosen.append(random.permutation(places)[:count])
        return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.intp)


class FashionMNIST(MNIST):
    """Articles of clothing; takes the options of `MNIST`."""

    class_names = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
    home = "fashion_mnist"


class KMNIST(MNIST):
    """Kuzushiji-MNIST: ten characters of Japanese cursive writing; takes the options of `MNIST`."""

    class_names = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    home = "kmnist"


class NotMNIST(MNIST):
    """The letters A to J in many typefaces; takes the options of `MNIST`."""

    class_names = tuple("ABCDEFGHIJ")
    home = "notmnist"


def _moved(image: NDArray[np.uint8], down: int, right: int) -> NDArray[np.uint8]:
    """A picture [H, W] moved by whole pixels; what comes in is background (0)."""
    height, width = image.shape
    moved = np.zeros_like(image)
    target = moved[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
    target[...] = image[max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)]
    return moved

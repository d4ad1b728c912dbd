"""What all data sets of compressed video share: the sample, the choice of groups of pictures, the random changes.

A sample is a few groups of pictures of one file, spread evenly over it: of each its I-frame, and of its first P-frames
the motion vectors and the residual. Nothing else of the file is kept; P-frames are never shown as pictures, unless a
data set is asked for `decoded` ones, to compare with.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from spikelab.video.groups import GroupOfPictures
from spikelab.video.pictures import read_pictures
from spikelab.video.reader import read_video

Residual = Literal["luma", "rgb"]


class VideoSample(TypedDict):
    """One item of a data set; the default collate function of torch stacks it batch first.

    Keys:
        image: float32 ``[G, 3, H, W]``, the I-frames of G groups of pictures, 0 to 1.
        motion: float32 ``[G, T, 2, H, W]``, how far the content of each pixel moved to the right and down, in pixels:
            since the picture before, or since the I-frame, as the data set says.
        residual: float32 ``[G, T, C, H, W]``, what the motion leaves unexplained, over 255, so -1 to 1; C is 1 (luma)
            or 3 (red, green, blue).
        valid: bool ``[G, T]``, whether there was such a P-frame; where there was none, motion and residual are zero.
        label: int64 ``[]``, the number of the class.

    Of a data set of decoded pictures every picture is an I-frame: G is G * (1 + T), and T is 0.
    """

    image: torch.Tensor
    motion: torch.Tensor
    residual: torch.Tensor
    valid: torch.Tensor
    label: torch.Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class VideoArrays:
    """Some groups of pictures of one file, in the form in which they are kept.

    Attributes:
        image: uint8 ``[N, 3, H, W]``.
        motion: float32 ``[N, T, 2, H, W]``, pixels.
        residual: int16 ``[N, T, C, H, W]``.
        valid: bool ``[N, T]``.
    """

    image: npt.NDArray[np.uint8]
    motion: npt.NDArray[np.float32]
    residual: npt.NDArray[np.int16]
    valid: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.image)

    def cropped(self, top: int, left: int, height: int, width: int) -> VideoArrays:
        """The part of all pictures that begins at row `top` and column `left`."""
        place = (..., slice(top, top + height), slice(left, left + width))
        return dataclasses.replace(
            self, image=self.image[place], motion=self.motion[place], residual=self.residual[place]
        )

    def taken(self, places: Sequence[int]) -> VideoArrays:
        """The groups of these numbers, in this order."""
        rows = list(places)
        if rows == list(range(len(self))):
            return self
        return VideoArrays(self.image[rows], self.motion[rows], self.residual[rows], self.valid[rows])

    def mirrored(self) -> VideoArrays:
        """Left and right exchanged; what moved to the right now moves to the left."""
        motion = self.motion[..., ::-1] * np.array([-1.0, 1.0], np.float32)[:, None, None]
        return dataclasses.replace(self, image=self.image[..., ::-1], motion=motion, residual=self.residual[..., ::-1])

    def sample(self, label: int) -> VideoSample:
        """As tensors; the given arrays are left alone."""
        return {
            "image": torch.from_numpy(np.divide(self.image, np.float32(255), dtype=np.float32)),
            "motion": torch.from_numpy(self.motion.copy()),
            "residual": torch.from_numpy(np.divide(self.residual, np.float32(255), dtype=np.float32)),
            "valid": torch.from_numpy(self.valid.copy()),
            "label": torch.tensor(label),
        }


def read_arrays(
    path: str | os.PathLike[str],
    steps: int,
    *,
    groups: Sequence[int] | None = None,
    size: tuple[int, int] | None = None,
    residual: Residual = "luma",
    accumulate: bool = True,
    decoded: bool = False,
) -> VideoArrays:
    """Decode groups of pictures of a file.

    Args:
        path: of the file.
        steps: T, how many P-frames of each group; what a shorter group lacks is zero and not valid.
        groups: their numbers in the file; None takes all.
        size: height and width to resize to; None keeps the file's.
        residual: ``"luma"``, of the luma as the file holds it, which colour has no part in; or ``"rgb"``.
        accumulate: motion and residual against the I-frame, not the picture before.
        decoded: all pictures as I-frames of groups without P-frames; a group with fewer than T P-frames shows its last
            picture again.

    Raises:
        VideoError: if the file cannot be read; see `spikelab.video.reader.VideoReader`.
    """
    if decoded:
        return _pictures(read_pictures(path, groups, steps, size), steps, 1 if residual == "luma" else 3)
    found = read_video(
        path, colour=residual, accumulate=accumulate, groups=groups, size=size, predicted=steps,
        colours=residual == "luma", b_frames="drop",
    )  # fmt: skip
    return _stacked(found, steps)


def _pictures(groups: Sequence[npt.NDArray[np.uint8]], steps: int, channels: int) -> VideoArrays:
    image = np.concatenate([group[np.minimum(np.arange(1 + steps), len(group) - 1)] for group in groups])
    number, size = len(image), image.shape[2:]
    nothing = np.zeros((number, 0), np.bool_)
    motion, residual = np.zeros((number, 0, 2, *size), np.float32), np.zeros((number, 0, channels, *size), np.int16)
    return VideoArrays(image, motion, residual, nothing)


def _stacked(groups: Sequence[GroupOfPictures], steps: int) -> VideoArrays:
    image = np.stack([group.image if group.colours is None else group.colours for group in groups])
    channels, height, width = groups[0].image.shape
    motion = np.zeros((len(groups), steps, 2, height, width), np.float32)
    residual = np.zeros((len(groups), steps, channels, height, width), np.int16)
    valid = np.zeros((len(groups), steps), np.bool_)
    for place, group in enumerate(groups):
        for step, frame in enumerate(group.predicted[:steps]):
            motion[place, step], residual[place, step] = frame.motion, frame.residual
            valid[place, step] = True
    return VideoArrays(image, motion, residual, valid)


def choose_groups(available: int, wanted: int, rng: np.random.Generator | None = None) -> list[int]:
    """Which groups of a file a sample takes: one from each of `wanted` equal parts of the file, in order.

    Temporal segments as in TSN (Wang et al. 2016, ECCV). Where there are fewer groups than wanted, each is taken once
    and the last is repeated.

    Args:
        available: groups in the file, at least 1.
        wanted: how many to take.
        rng: chooses within each part; None takes the middle.
    """
    if available <= wanted:
        return [min(place, available - 1) for place in range(wanted)]
    edges = [place * available // wanted for place in range(wanted + 1)]
    if rng is None:
        return [(first + last - 1) // 2 for first, last in itertools.pairwise(edges)]
    return [int(rng.integers(first, last)) for first, last in itertools.pairwise(edges)]


def check_whole(name: str, **values: Any) -> None:
    """Refuse what is no whole number.

    Raises:
        ValueError: naming the data set, the option and the value.
    """
    for option, value in values.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool):
            raise ValueError(f"{name}: {option} is {value!r}, must be a whole number")


def check_size(name: str, option: str, value: Any, least: int) -> None:
    """Refuse what is no height and width of a picture.

    Raises:
        ValueError: naming the data set, the option and the value.
    """
    two = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2
    if not two or not all(isinstance(side, int | np.integer) and least <= side <= 4096 for side in value):
        expected = f"a height and a width from {least} to 4096 pixels, such as (112, 112)"
        raise ValueError(f"{name}: {option} is {value!r}, must be {expected}")


class VideoDataset(Dataset[VideoSample], ABC):
    """Samples of compressed video.

    Training samples are chosen and changed at random, anew in every epoch; how is a pure function of seed, epoch and
    index. The other splits show the middle: of each part of the file, and of the picture.

    Args:
        name: of the data set, for messages.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        size: height and width of the pictures before they are cropped.
        groups: G, groups of pictures of a sample.
        crop: height and width that are cut out, at a random place in training and from the middle otherwise; None keeps
            the whole picture.
        flip: probability of a mirror image in training.
        seed: of everything random.

    Raises:
        ValueError: if there is no such split, or a number makes no sense.
    """

    class_names: Sequence[str]
    #: how a subclass reads its files, see `read_arrays`
    steps: int
    residual: Residual
    accumulate: bool
    decoded: bool

    def __init__(
        self,
        name: str,
        split: str,
        *,
        size: tuple[int, int],
        groups: int,
        crop: tuple[int, int] | None = None,
        flip: float = 0.0,
        seed: int = 0,
    ):
        if split not in ("train", "validation", "test"):
            raise ValueError(f"{name}: split is {split!r}, must be one of train, validation, test")
        check_whole(name, groups=groups, seed=seed)
        if groups < 1:
            raise ValueError(f"{name}: groups is {groups}, must be at least 1")
        if seed < 0:
            raise ValueError(f"{name}: seed is {seed}, must not be negative")
        if not 0.0 <= flip <= 1.0:
            raise ValueError(f"{name}: flip is {flip}, must be a probability from 0 to 1")
        if crop is not None:
            check_size(name, "crop", crop, 1)
            if crop[0] > size[0] or crop[1] > size[1]:
                raise ValueError(
                    f"{name}: crop is {crop}, must lie within the picture's height and width {tuple(size)}"
                )
        self.name, self.split, self.groups, self.seed = name, split, groups, seed
        self.crop, self.flip, self.size = crop, flip, (size[0], size[1])
        # In shared memory: processes of a data loader that outlive an epoch see the new number.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def label(self, index: int) -> int:
        """Number of a sample's class."""

    @abstractmethod
    def path(self, index: int) -> Path:
        """The file of a sample."""

    @abstractmethod
    def available(self, index: int) -> int:
        """How many groups of pictures a sample may take."""

    @abstractmethod
    def arrays(self, index: int, groups: Sequence[int]) -> VideoArrays:
        """The given groups of pictures, unchanged; a group may be given more than once."""

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose random changes the items show; also seen by running processes of a data loader."""
        self._epoch.fill_(epoch)

    def __getitem__(self, index: int) -> VideoSample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)} in split {self.split!r}")
        index %= len(self)
        rng = np.random.default_rng([self.seed, int(self._epoch), index]) if self.split == "train" else None
        # drawn first, so that their number does not depend on the file's length
        place, draw = ([0.5, 0.5], 1.0) if rng is None else (rng.random(2).tolist(), rng.random())
        arrays = self._cropped(self.arrays(index, choose_groups(self.available(index), self.groups, rng)), place)
        if draw < self.flip:
            arrays = arrays.mirrored()
        return arrays.sample(self.label(index))

    def decode(self, index: int, decoded: bool) -> VideoSample:
        """The first groups of a file, read from the file itself and not from a cache: what reading a video takes.

        Args:
            index: number of the sample.
            decoded: all pictures as I-frames, see `read_arrays`; otherwise as the data set has it.

        Raises:
            VideoError: if the file cannot be read as it is.
        """
        wanted = range(self.groups)
        arrays = read_arrays(
            self.path(index), self.steps, groups=wanted, size=self.size, residual=self.residual,
            accumulate=self.accumulate, decoded=decoded,
        )  # fmt: skip
        rows = 1 + self.steps if decoded else 1
        last = len(arrays) // rows - 1
        chosen = [min(group, last) * rows + row for group in wanted for row in range(rows)]
        return self._cropped(arrays.taken(chosen), [0.5, 0.5]).sample(self.label(index))

    def _cropped(self, arrays: VideoArrays, place: Sequence[float]) -> VideoArrays:
        """A part of the pictures that lies at those shares of the room that it has."""
        if self.crop is None:
            return arrays
        room = zip(place, self.size, self.crop, strict=True)
        top, left = (int(share * (whole - part + 1)) for share, whole, part in room)
        return arrays.cropped(top, left, *self.crop)

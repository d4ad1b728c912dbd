"""What all data sets for segmentation from events and frames share: the sample, its normalisation, random changes.

Where the samples come from is told elsewhere: `spikelab.datasets.segmentation.shards` keeps them ready made,
`spikelab.datasets.segmentation.recordings` cuts them out of recordings.

Classes and their numbers are those of the DDD17 labels by Alonso and Murillo (EV-SegNet, CVPR Workshops 2019): flat,
construction and sky, object, nature, human, vehicle; 255 is ignored.

**Normalisation of the events.** A sample's events become a voxel grid, bilinear in time, with one channel per
polarity, and each value is passed through ``log(1 + value)``. So the grid is not negative (as a spiking layer that
takes it as input current wants it), zero where nothing happened, and a flickering pixel with twenty events weighs six
times as much as a pixel with one, not twenty. No statistics of the data enter: the same recording gives the same
values in every data set, in training and in streaming.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import torch
from torch.utils.data import Dataset

from spikelab.datasets.cache import RawSample
from spikelab.datasets.segmentation.augmentation import Augmentation
from spikelab.events import EventArray, voxel_grid

IGNORE_INDEX = 255
CLASS_NAMES = ("flat", "construction and sky", "object", "nature", "human", "vehicle")
PALETTE = np.array(
    [(146, 98, 160), (96, 125, 139), (250, 202, 40), (90, 160, 60), (226, 40, 60), (40, 90, 215)], dtype=np.uint8
)
"""Colours of the classes, uint8 ``[6, 3]``: told apart by hue and by lightness."""


class SegmentationSample(TypedDict):
    """One item of a data set; the default collate function of torch stacks it batch first.

    Keys:
        events: float32 ``[T, 2, H, W]``; channel 0 OFF, channel 1 ON events, normalised as this module says. A data set
            may offer other images of the events, ``[T, C, H, W]``, and says which.
        frame: float32 ``[1, H, W]``, 0 (black) to 1 (white); ``[3, H, W]`` (red, green, blue) where a data set is asked
            for colour.
        label: int64 ``[H, W]``, class numbers or `IGNORE_INDEX`.
    """

    events: torch.Tensor
    frame: torch.Tensor
    label: torch.Tensor


def normalised_voxel_grid(events: EventArray, bins: int, t_start: int, t_end: int) -> np.ndarray:
    """Events of a window as all data sets hand them to a model: float32 ``[bins, 2, H, W]``, see the module's text.

    Args:
        events: the events; those outside of the window are not counted.
        bins: steps of time.
        t_start: start of the window, microseconds.
        t_end: its end, microseconds.
    """
    grid = voxel_grid(events, bins, t_start, t_end, polarity="separate")
    return np.log1p(grid, out=grid)


class SegmentationDataset(Dataset[SegmentationSample], ABC):
    """Samples of events, frames and labels; a subclass says how many there are and gives each as it is stored.

    Args:
        split: name of the part of the data set.
        window: length of a sample's event window, microseconds.
        size: height and width of frames and labels, pixels.
        time_bins: steps of the voxel grid.
        augmentation: random changes for training; None leaves the samples as they are.
        seed: of the augmentation.

    Attributes:
        class_names: of the classes, in the order of their numbers.
        palette: their colours, uint8 ``[C, 3]``.
        ignore_index: number of pixels without a class.

    Raises:
        ValueError: if `time_bins` is less than 1 or the augmentation does not fit the picture.
    """

    class_names: Sequence[str] = CLASS_NAMES
    palette: np.ndarray = PALETTE
    ignore_index: int = IGNORE_INDEX

    def __init__(
        self,
        split: str,
        window: int,
        size: tuple[int, int],
        *,
        time_bins: int = 5,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ):
        if time_bins < 1:
            raise ValueError(f"time_bins is {time_bins}, must be at least 1")
        self.split, self.window, self.time_bins, self.seed = split, window, time_bins, seed
        self.height, self.width = size
        self.augmentation = augmentation
        if augmentation is not None:
            augmentation.check_size(self.height, self.width)
        # In shared memory: processes of a data loader that outlive an epoch see the new number.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples."""

    @abstractmethod
    def raw(self, index: int) -> RawSample:
        """A sample as it is stored: the single events, the 8-bit frame, the 8-bit label; never augmented."""

    def conditions(self, index: int) -> tuple[str, ...]:
        """What is special about a sample, such as ``("dark",)``."""
        return ()

    def label(self, index: int) -> np.ndarray:
        """The label of a sample alone, uint8 ``[H, W]``."""
        return self.raw(index).label

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose random changes the items show; also seen by running processes of a data loader."""
        self._epoch.fill_(epoch)

    def place(self, index: int) -> int:
        """An index, counted from the end where it is negative, as one from the beginning.

        Raises:
            IndexError: if there is no such sample.
        """
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"sample {index} of {count} in split {self.split!r}")
        return index % count

    def channels(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What a model is given of a sample, before random changes.

        Returns:
            Events float32 ``[T, 2, H, W]``, frame uint8 ``[H, W]`` or ``[H, W, 3]``, label uint8 ``[H, W]``.
        """
        raw = self.raw(index)
        duration = self.window if raw.duration is None else raw.duration
        return normalised_voxel_grid(raw.events, self.time_bins, 0, duration), raw.frame, raw.label

    def __getitem__(self, index: int) -> SegmentationSample:
        events, picture, label = self.channels(index)
        planes = picture[None] if picture.ndim == 2 else picture.transpose(2, 0, 1)
        frame = planes.astype(np.float32) / np.float32(255.0)
        label = label.astype(np.int64)
        if self.augmentation is not None and not self.augmentation.identity:
            rng = np.random.default_rng([self.seed, int(self._epoch), self.place(int(index))])
            events, frame, label = self.augmentation(events, frame, label, rng)
        return {
            "events": torch.from_numpy(events),
            "frame": torch.from_numpy(np.ascontiguousarray(frame)),
            "label": torch.from_numpy(label),
        }

    def class_counts(self) -> np.ndarray:
        """Labelled pixels per class over the whole split, int64 ``[C]``; ignored pixels are not counted."""
        counts = np.zeros(256, dtype=np.int64)
        for index in range(len(self)):
            counts += np.bincount(self.label(index).ravel(), minlength=256)
        return counts[: len(self.class_names)]

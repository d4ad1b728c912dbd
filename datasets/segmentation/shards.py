"""Samples for segmentation that lie ready made in shards, for data sets that are generated or simulated."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from spikelab.datasets.cache import RawSample, Shard
from spikelab.datasets.segmentation.augmentation import Augmentation
from spikelab.datasets.segmentation.samples import SegmentationDataset


class ShardedSegmentation(SegmentationDataset):
    """Samples from shards, with the classes of DDD17.

    Args:
        shards: the files, in order.
        split: name of the part of the data set.
        window: length of a sample's event window, microseconds.
        time_bins: steps of the voxel grid.
        augmentation: random changes for training; None leaves the samples as they are.
        seed: of the augmentation.
        samples: the samples of the shards that belong to the split; None takes all.

    Raises:
        ValueError: if `time_bins` is less than 1 or the augmentation does not fit the picture.
    """

    def __init__(
        self,
        shards: Sequence[Shard],
        split: str,
        window: int,
        *,
        time_bins: int = 5,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        samples: range | None = None,
    ):
        super().__init__(split, window, shards[0].size, time_bins=time_bins, augmentation=augmentation, seed=seed)
        self._shards = list(shards)
        self._first = [0]
        for shard in shards:
            self._first.append(self._first[-1] + len(shard))
        self._samples = range(self._first[-1]) if samples is None else samples

    def __len__(self) -> int:
        return len(self._samples)

    def _locate(self, index: int) -> tuple[Shard, int]:
        place = self._samples[self.place(index)]
        shard = bisect.bisect_right(self._first, place) - 1
        return self._shards[shard], place - self._first[shard]

    def raw(self, index: int) -> RawSample:
        """See `SegmentationDataset.raw`."""
        shard, place = self._locate(index)
        return shard.read(place)

    def conditions(self, index: int) -> tuple[str, ...]:
        """See `SegmentationDataset.conditions`."""
        shard, place = self._locate(index)
        return shard.conditions(place)

    def verify(self) -> None:
        """Read every byte of the cached files and compare it with its checksum.

        Raises:
            CacheFileError: naming the file that has changed, and the remedy.
        """
        for shard in self._shards:
            shard.verify()

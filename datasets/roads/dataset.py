"""Roads: procedural driving scenes with events, frames and labels, made on first use from a seed.

There is nothing to download. The scenes hold all six classes of DDD17 (each at least 2 % of the labelled pixels), and
in most samples one of the two cameras is nearly blind (see `spikelab.datasets.roads.sample`), so a model must use
both.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from spikelab.datasets.cache import Shard, cache_folder, settings_digest
from spikelab.datasets.generate import ShardTask, generate_shards
from spikelab.datasets.roads.render import Lens
from spikelab.datasets.roads.sample import CONDITIONS, RoadsSettings, compile_renderer, event_camera, make_shard
from spikelab.datasets.segmentation.augmentation import Augmentation
from spikelab.datasets.segmentation.shards import ShardedSegmentation

SPLITS = {"train": 800, "validation": 100, "test": 100}
"""Splits and their default sizes. The scenes of different splits are drawn independently."""

VERSION = 3  # raise it with every change of the code that changes a sample
SHARD = 20  # samples a file


def roads_key(settings: RoadsSettings) -> str:
    """Digest of everything that the samples depend on; part of the cache folder's name."""
    names = {name for conditions, _ in CONDITIONS for name in conditions}
    return settings_digest(
        {
            "version": VERSION,
            "settings": dataclasses.asdict(settings),
            "lens": dataclasses.asdict(Lens(settings.height, settings.width)),
            "conditions": CONDITIONS,
            "cameras": {name: dataclasses.asdict(event_camera((name,))) for name in sorted(names)},
        }
    )


class Roads(ShardedSegmentation):
    """Procedural driving scenes.

    The samples are rendered when they are first asked for, on all cores, and kept in
    ``<cache>/datasets/roads-<digest of the settings>/``. An interrupted run goes on where it stopped.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        height: of the picture, pixels.
        width: of the picture, pixels.
        samples: how many; None takes the split's default (800, 100, 100). Sample ``i`` is the same whatever the
            number.
        seed: of the scenes, and of the augmentation.
        window: length of the event window in seconds; it ends at the moment of frame and label.
        time_bins: steps of the voxel grid.
        flip: probability of a mirror image.
        crop: height and width that are cut out at a random place; None keeps the whole picture.
        gain: random factor on the frame's brightness, from ``1 / (1 + gain)`` to ``1 + gain``. Flip, crop and gain
            change samples of the training split only, anew in every epoch: see `set_epoch` and
            `spikelab.datasets.segmentation.augmentation`.
        cache: root of the cache; None takes ``$SPIKELAB_CACHE`` or ``~/.cache/spikelab``.
        workers: processes that generate; None takes all cores. The result does not depend on it.
        progress: show a progress bar while generating.

    Raises:
        ValueError: if an argument is out of range.
        CacheFileError: if a file in the cache is damaged; the message says which one.
        OSError: if the cache cannot be written.

    Example:
        >>> data = Roads("test", samples=2)  # doctest: +SKIP
        >>> data[0]["events"].shape, data.conditions(0)  # doctest: +SKIP
        (torch.Size([5, 2, 96, 160]), ('stopped',))
    """

    def __init__(
        self,
        split: str,
        *,
        height: int = 96,
        width: int = 160,
        samples: int | None = None,
        seed: int = 0,
        window: float = 0.05,
        time_bins: int = 5,
        flip: float = 0.0,
        crop: tuple[int, int] | None = None,
        gain: float = 0.0,
        cache: str | Path | None = None,
        workers: int | None = None,
        progress: bool = True,
    ):
        if split not in SPLITS:
            raise ValueError(f"roads: split is {split!r}, must be one of {', '.join(SPLITS)}")
        samples = SPLITS[split] if samples is None else samples
        if samples < 1:
            raise ValueError(f"roads: samples is {samples}, must be at least 1")
        augmentation = Augmentation(flip, crop, gain)
        settings = RoadsSettings(height, width, seed, window)
        key = roads_key(settings)
        self.folder = cache_folder(f"roads-{key}", cache)
        tasks = []
        for start in range(0, samples, SHARD):
            stop = min(start + SHARD, samples)
            path = self.folder / f"{split}-{start:06d}-{stop:06d}.safetensors"
            tasks.append(ShardTask(path, start, stop, make_shard, {"settings": settings, "split": split, "key": key}))
        generate_shards(tasks, f"roads, {split}", workers=workers, progress=progress, warm_up=compile_renderer)
        shards = [Shard(task.path, key, task.stop - task.start, (height, width)) for task in tasks]
        super().__init__(
            shards,
            split,
            round(window * 1e6),
            time_bins=time_bins,
            augmentation=augmentation if split == "train" else None,
            seed=seed,
        )

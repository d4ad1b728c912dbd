"""Data sets, one a file.

`spikelab.datasets.roads` makes procedural driving scenes, `spikelab.datasets.camvid` reads real driving video with
labels and simulates its events; `spikelab.datasets.ddd17`, `spikelab.datasets.dsec` and `spikelab.datasets.mvsec` read
recordings of event cameras with labels from where the user has them. All give the samples that
`spikelab.datasets.segmentation` describes. `spikelab.datasets.mnist` reads MNIST and data sets in its format.
`spikelab.datasets.moving_shapes` makes compressed clips, `spikelab.datasets.action_videos` reads folders of them; their
samples are described in `spikelab.datasets.video_samples`. Importing this package imports neither torch nor Numba; the
names below are loaded when they are used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikelab.datasets.action_videos import ActionVideos
    from spikelab.datasets.augmentation import Augmentation
    from spikelab.datasets.cache import CacheFileError
    from spikelab.datasets.camvid import CamVidDriving
    from spikelab.datasets.ddd17 import DDD17
    from spikelab.datasets.dsec import DSECSemantic
    from spikelab.datasets.mnist import KMNIST, MNIST, FashionMNIST, NotMNIST
    from spikelab.datasets.moving_shapes import MovingShapes
    from spikelab.datasets.mvsec import MVSEC
    from spikelab.datasets.roads import Roads
    from spikelab.datasets.segmentation import SegmentationDataset, SegmentationSample

_HOMES = {
    "KMNIST": "mnist",
    "MNIST": "mnist",
    "ActionVideos": "action_videos",
    "Augmentation": "augmentation",
    "CacheFileError": "cache",
    "CamVidDriving": "camvid",
    "DDD17": "ddd17",
    "DSECSemantic": "dsec",
    "FashionMNIST": "mnist",
    "MovingShapes": "moving_shapes",
    "MVSEC": "mvsec",
    "NotMNIST": "mnist",
    "Roads": "roads",
    "SegmentationDataset": "segmentation",
    "SegmentationSample": "segmentation",
}

__all__ = [
    "DDD17",
    "KMNIST",
    "MNIST",
    "MVSEC",
    "ActionVideos",
    "Augmentation",
    "CacheFileError",
    "CamVidDriving",
    "DSECSemantic",
    "FashionMNIST",
    "MovingShapes",
    "NotMNIST",
    "Roads",
    "SegmentationDataset",
    "SegmentationSample",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

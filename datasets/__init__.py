"""Data sets, one a file.

`spikelab.datasets.roads` makes procedural driving scenes, `spikelab.datasets.camvid` reads real driving video with
labels and simulates its events; `spikelab.datasets.ddd17`, `spikelab.datasets.dsec` and `spikelab.datasets.mvsec` read
recordings of event cameras with labels from where the user has them. All give the samples that
`spikelab.datasets.segmentation` describes. Sets of recordings with one class each (`spikelab.datasets.nmnist`,
`spikelab.datasets.dvs_gesture` and others) give the samples of `spikelab.datasets.event_recordings`, or of
`spikelab.datasets.spike_trains` where there are channels in place of pixels. `spikelab.datasets.mnist` reads MNIST and
data sets in its format. `spikelab.datasets.moving_shapes` makes compressed clips, `spikelab.datasets.action_videos`
reads folders of them; their samples are described in `spikelab.datasets.video_samples`. Importing this package imports
neither torch nor Numba; the names below are loaded when they are used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikelab.datasets.action_videos import ActionVideos
    from spikelab.datasets.asl_dvs import ASLDVS
    from spikelab.datasets.atis_alphabet import AtisAlphabet
    from spikelab.datasets.augmentation import Augmentation
    from spikelab.datasets.cache import CacheFileError
    from spikelab.datasets.camvid import CamVidDriving
    from spikelab.datasets.cifar10_dvs import CIFAR10DVS
    from spikelab.datasets.ddd17 import DDD17
    from spikelab.datasets.dsec import DSECSemantic
    from spikelab.datasets.dvs_gesture import DVSGesture
    from spikelab.datasets.event_recordings import EventRecordings
    from spikelab.datasets.mnist import KMNIST, MNIST, FashionMNIST, NotMNIST
    from spikelab.datasets.moving_shapes import MovingShapes
    from spikelab.datasets.mvsec import MVSEC
    from spikelab.datasets.ncaltech101 import NCaltech101
    from spikelab.datasets.ncars import NCars
    from spikelab.datasets.nmnist import NMNIST
    from spikelab.datasets.roads import Roads
    from spikelab.datasets.segmentation import SegmentationDataset, SegmentationSample
    from spikelab.datasets.spike_trains import SpikeTrains
    from spikelab.datasets.spiking_heidelberg import SHD, SSC
    from spikelab.datasets.spoken_digits import SpokenDigits
    from spikelab.datasets.st_mnist import STMNIST
    from spikelab.datasets.tonic_recordings import TonicRecordings

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
    "ASLDVS": "asl_dvs",
    "AtisAlphabet": "atis_alphabet",
    "CIFAR10DVS": "cifar10_dvs",
    "DVSGesture": "dvs_gesture",
    "EventRecordings": "event_recordings",
    "NCaltech101": "ncaltech101",
    "NCars": "ncars",
    "NMNIST": "nmnist",
    "SHD": "spiking_heidelberg",
    "SSC": "spiking_heidelberg",
    "SpikeTrains": "spike_trains",
    "SpokenDigits": "spoken_digits",
    "STMNIST": "st_mnist",
    "TonicRecordings": "tonic_recordings",
}

__all__ = [
    "ASLDVS",
    "CIFAR10DVS",
    "DDD17",
    "KMNIST",
    "MNIST",
    "MVSEC",
    "NMNIST",
    "SHD",
    "SSC",
    "STMNIST",
    "ActionVideos",
    "AtisAlphabet",
    "Augmentation",
    "CacheFileError",
    "CamVidDriving",
    "DSECSemantic",
    "DVSGesture",
    "EventRecordings",
    "FashionMNIST",
    "MovingShapes",
    "NCaltech101",
    "NCars",
    "NotMNIST",
    "Roads",
    "SegmentationDataset",
    "SegmentationSample",
    "SpikeTrains",
    "SpokenDigits",
    "TonicRecordings",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

"""Data sets, one a file.

Segmentation with events and frames: `spikelab.datasets.roads` makes procedural driving scenes,
`spikelab.datasets.camvid` reads real driving video with labels and simulates its events; `spikelab.datasets.ddd17`,
`spikelab.datasets.dsec` and `spikelab.datasets.mvsec` read recordings of event cameras with labels from where the user
has them. Their samples are described in `spikelab.datasets.segmentation.samples`.

One class for each recording: `spikelab.datasets.event_recordings` (N-MNIST, DVS Gesture and others, and folders of
your own) for event cameras, `spikelab.datasets.spike_trains` for channels in place of pixels (SHD, spoken digits),
`spikelab.datasets.images` for still pictures (MNIST and its like), `spikelab.datasets.videos` for compressed clips;
each has a module `samples` that describes what its data sets give, but the pictures, which are arrays.

Importing this package imports neither torch nor Numba; the names below are loaded when they are used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikelab.datasets.cache import CacheFileError
    from spikelab.datasets.camvid.dataset import CamVidDriving
    from spikelab.datasets.ddd17.dataset import DDD17
    from spikelab.datasets.dsec.semantic import DSECSemantic
    from spikelab.datasets.event_recordings.asl_dvs import ASLDVS
    from spikelab.datasets.event_recordings.atis_alphabet import AtisAlphabet
    from spikelab.datasets.event_recordings.cifar10_dvs import CIFAR10DVS
    from spikelab.datasets.event_recordings.dvs_gesture import DVSGesture
    from spikelab.datasets.event_recordings.event_folders import EventFolders
    from spikelab.datasets.event_recordings.ncaltech101 import NCaltech101
    from spikelab.datasets.event_recordings.ncars import NCars
    from spikelab.datasets.event_recordings.nmnist import NMNIST
    from spikelab.datasets.event_recordings.samples import EventRecordings
    from spikelab.datasets.event_recordings.st_mnist import STMNIST
    from spikelab.datasets.event_recordings.tonic_recordings import TonicRecordings
    from spikelab.datasets.images.cifar10 import CIFAR10
    from spikelab.datasets.images.drawn_digits import DrawnDigits
    from spikelab.datasets.images.mnist import KMNIST, MNIST, FashionMNIST, NotMNIST
    from spikelab.datasets.mvsec.dataset import MVSEC
    from spikelab.datasets.roads.dataset import Roads
    from spikelab.datasets.segmentation.augmentation import Augmentation
    from spikelab.datasets.segmentation.samples import SegmentationDataset, SegmentationSample
    from spikelab.datasets.spike_trains.heidelberg import SHD, SSC
    from spikelab.datasets.spike_trains.samples import SpikeTrains
    from spikelab.datasets.spike_trains.spoken_digits import SpokenDigits
    from spikelab.datasets.videos.action_videos import ActionVideos
    from spikelab.datasets.videos.moving_shapes import MovingShapes

_HOMES = {
    "ASLDVS": "event_recordings.asl_dvs",
    "CIFAR10": "images.cifar10",
    "CIFAR10DVS": "event_recordings.cifar10_dvs",
    "DDD17": "ddd17.dataset",
    "KMNIST": "images.mnist",
    "MNIST": "images.mnist",
    "MVSEC": "mvsec.dataset",
    "NMNIST": "event_recordings.nmnist",
    "SHD": "spike_trains.heidelberg",
    "SSC": "spike_trains.heidelberg",
    "STMNIST": "event_recordings.st_mnist",
    "ActionVideos": "videos.action_videos",
    "AtisAlphabet": "event_recordings.atis_alphabet",
    "Augmentation": "segmentation.augmentation",
    "CacheFileError": "cache",
    "CamVidDriving": "camvid.dataset",
    "DSECSemantic": "dsec.semantic",
    "DVSGesture": "event_recordings.dvs_gesture",
    "DrawnDigits": "images.drawn_digits",
    "EventFolders": "event_recordings.event_folders",
    "EventRecordings": "event_recordings.samples",
    "FashionMNIST": "images.mnist",
    "MovingShapes": "videos.moving_shapes",
    "NCaltech101": "event_recordings.ncaltech101",
    "NCars": "event_recordings.ncars",
    "NotMNIST": "images.mnist",
    "Roads": "roads.dataset",
    "SegmentationDataset": "segmentation.samples",
    "SegmentationSample": "segmentation.samples",
    "SpikeTrains": "spike_trains.samples",
    "SpokenDigits": "spike_trains.spoken_digits",
    "TonicRecordings": "event_recordings.tonic_recordings",
}

__all__ = [
    "ASLDVS",
    "CIFAR10",
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
    "DrawnDigits",
    "EventFolders",
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

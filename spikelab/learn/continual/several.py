"""Several data sets, one after the other, with pictures brought to one size."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from spikelab import registry
from spikelab.learn.continual.stream import Pictures, Stream, TaskData, read_pictures

_LUMA = (0.299, 0.587, 0.114)


def several(
    seed: int = 0,
    data: Sequence[str] = ("mnist", "fashion_mnist", "notmnist", "cifar10"),
    samples: int = 5000,
    test_samples: int = 1000,
    side: int = 28,
    channels: int = 1,
    folder: str = "",
) -> Stream:
    """One task for each data set.

    Args:
        seed: Of the choice of pictures.
        data: Registered data sets of labelled pictures, in order.
        samples: Pictures to train on, of each; a data set with fewer gives all; 0 takes all.
        test_samples: Pictures to judge by, likewise.
        side: Pictures are brought to this height and width, by bilinear interpolation.
        channels: 1 makes colours grey, 3 gives grey pictures three equal channels.
        folder: Holds a folder of files for each data set, called as it is registered (FOLDER/mnist); empty takes each
            one's own default. A data set without files needs none.

    Raises:
        ValueError: For no data set, or a size that is none.

    Source: Ebrahimi, Meier, Calandra, Darrell and Rohrbach 2020, ECCV ("5-Datasets": CIFAR-10, MNIST, SVHN,
    Fashion-MNIST and notMNIST at 3 x 32 x 32). SVHN is not among the registered data sets.
    """
    if not data or side < 1 or channels not in (1, 3):
        raise ValueError(
            f"stream several: data = {list(data)}, side = {side}, channels = {channels}: name at least one data set, "
            "and give a side of at least 1 and 1 or 3 channels"
        )

    def task(name: str, part: str, count: int, number: int) -> tuple[TaskData, Pictures]:
        of_files = folder and "folder" in inspect.signature(registry.load("datasets", name)).parameters
        options = {"folder": str(Path(folder) / name)} if of_files else {}
        option = "--stream_options.samples" if part == "train" else "--stream_options.test_samples"
        pictures = read_pictures(name, part, count, seed, options, fewer=True, option=option)
        images = _brought_to(pictures.images, side, channels)
        return TaskData(images, pictures.labels, torch.full_like(pictures.labels, number)), pictures

    training = [task(name, "train", samples, number) for number, name in enumerate(data)]
    test = [task(name, "test", test_samples, number)[0] for number, name in enumerate(data)]
    return Stream(
        tuple(data),
        tuple(pictures.class_names for _, pictures in training),
        tuple(part for part, _ in training),
        tuple(test),
    )


def _brought_to(images: Tensor, side: int, channels: int) -> Tensor:
    """Pictures [N, C, H, W] of 1 or 3 channels as [N, channels, side, side], in 0 to 1."""
    if images.shape[1] == 3 and channels == 1:
        images = (images * torch.tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)
    if images.shape[1] == 1 and channels == 3:
        images = images.expand(-1, 3, -1, -1)
    if images.shape[1] != channels:
        raise ValueError(f"stream several: pictures have {images.shape[1]} channels; only 1 and 3 can be converted")
    if images.shape[2:] != (side, side):
        images = functional.interpolate(images, (side, side), mode="bilinear", antialias=True, align_corners=False)
    return images.clamp(0, 1).contiguous()

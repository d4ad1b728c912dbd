"""Permuted pictures: one data set, its pixels shown in another order in each task."""

from __future__ import annotations

import torch

from spikelab.learn.continual.stream import Pictures, Stream, TaskData, read_pictures


def permuted(
    seed: int = 0,
    tasks: int = 5,
    data: str = "mnist",
    samples: int = 6000,
    test_samples: int = 2000,
    first_in_place: bool = True,
    folder: str = "",
) -> Stream:
    """Every task has the same pictures and classes, and an order of the pixels of its own.

    Args:
        seed: Of the orders, and of the choice of pictures.
        tasks: How many.
        data: Registered data set of labelled pictures.
        samples: Pictures to train on in each task; 0 takes all.
        test_samples: Pictures to judge by in each task; 0 takes all.
        first_in_place: Whether the first task shows the pixels as they are.
        folder: Of the data set's files; empty takes its own default.

    Raises:
        ValueError: For less than one task, or more samples than there are.

    Source: Goodfellow, Mirza, Xiao, Courville and Bengio 2013, arXiv 1312.6211; Kirkpatrick et al. 2017, PNAS 114.
    """
    if tasks < 1:
        raise ValueError(f"stream permuted: tasks = {tasks}; give at least 1")
    options = {"folder": folder} if folder else {}
    training = read_pictures(data, "train", samples, seed, options, option="--stream_options.samples")
    test = read_pictures(data, "test", test_samples, seed, options, option="--stream_options.test_samples")
    pixels = training.images[0].numel()
    generator = torch.Generator().manual_seed(seed)
    orders = torch.stack([torch.randperm(pixels, generator=generator) for _ in range(tasks)])
    if first_in_place:
        orders[0] = torch.arange(pixels)

    def task(pictures: Pictures, number: int) -> TaskData:
        return TaskData(pictures.images, pictures.labels, torch.full_like(pictures.labels, number), orders)

    return Stream(
        tuple("original" if first_in_place and not number else f"permutation {number}" for number in range(tasks)),
        (training.class_names,) * tasks,
        tuple(task(training, number) for number in range(tasks)),
        tuple(task(test, number) for number in range(tasks)),
    )

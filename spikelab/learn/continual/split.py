"""Split pictures: the classes of one data set, a few in each task."""

from __future__ import annotations

import torch

from spikelab.learn.continual.stream import Pictures, Stream, TaskData, read_pictures


def split(
    seed: int = 0,
    tasks: int = 5,
    data: str = "mnist",
    samples: int = 0,
    test_samples: int = 0,
    shuffle_classes: bool = False,
    folder: str = "",
) -> Stream:
    """The classes of a data set in groups of equal size, one group after the other.

    Args:
        seed: Of the choice of pictures, and of the order of classes.
        tasks: How many; the number of classes must be a multiple of it.
        data: Registered data set of labelled pictures.
        samples: Pictures to train on, over all tasks together; 0 takes all.
        test_samples: Pictures to judge by, likewise.
        shuffle_classes: Whether the order of classes is drawn; else they come as they are numbered.
        folder: Of the data set's files; empty takes its own default.

    Raises:
        ValueError: If the classes do not divide into that many tasks, or a task gets no picture.

    Source: Zenke, Poole and Ganguli 2017, ICML, section 5.1 (split MNIST).
    """
    options = {"folder": folder} if folder else {}
    training = read_pictures(data, "train", samples, seed, options, option="--stream_options.samples")
    test = read_pictures(data, "test", test_samples, seed, options, option="--stream_options.test_samples")
    classes = len(training.class_names)
    if tasks < 1 or classes % tasks:
        raise ValueError(f"stream split: {classes} classes do not divide into tasks = {tasks}; give a divisor")
    order = torch.arange(classes)
    if shuffle_classes:
        order = torch.randperm(classes, generator=torch.Generator().manual_seed(seed))
    groups = order.reshape(tasks, -1)

    def task(pictures: Pictures, number: int, option: str) -> TaskData:
        group = groups[number]
        chosen = torch.isin(pictures.labels, group).nonzero().flatten()
        if not len(chosen):
            names = ", ".join(pictures.class_names[int(place)] for place in group)
            raise ValueError(
                f"stream split: {option} = {len(pictures.labels)}: task {number} ({names}) has no picture; give more"
            )
        labels = (pictures.labels[chosen, None] == group).int().argmax(1)
        return TaskData(pictures.images[chosen], labels, torch.full_like(labels, number))

    names = tuple(tuple(training.class_names[int(place)] for place in group) for group in groups)
    return Stream(
        tuple(" ".join(group) for group in names),
        names,
        tuple(task(training, number, "--stream_options.samples") for number in range(tasks)),
        tuple(task(test, number, "--stream_options.test_samples") for number in range(tasks)),
    )

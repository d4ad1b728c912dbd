"""Tasks that come one after the other, each with its pictures in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spikelab.learn.build import build_dataset


@dataclass(frozen=True, eq=False)
class TaskData:
    """Samples of one task, or of several.

    Attributes:
        images: [N, C, H, W] in 0 to 1.
        labels: [N] int64, the class within the task.
        tasks: [N] int64, the number of the task that a sample is of.
        orders: Number of a task -> the order [C * H * W] in which its pixels are shown; None leaves them in place.
    """

    images: Tensor
    labels: Tensor
    tasks: Tensor
    orders: Tensor | None = None

    def __post_init__(self) -> None:
        if not len(self.labels):
            raise ValueError("a task has no sample; give every task at least 1")
        if not len(self.images) == len(self.labels) == len(self.tasks):
            raise ValueError(
                f"a task has {len(self.images)} images, {len(self.labels)} labels and {len(self.tasks)} task numbers"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, places: Tensor) -> dict[str, Tensor]:
        """The samples at these places [B]: `image` [B, C, H, W], `label` [B], `task` [B]."""
        images, tasks = self.images[places], self.tasks[places]
        if self.orders is not None:
            images = images.flatten(1).gather(1, self.orders[tasks]).reshape(images.shape)
        return {"image": images, "label": self.labels[places], "task": tasks}

    def batches(self, size: int, order: torch.Generator | None = None, first: int = 0) -> Iterator[dict[str, Tensor]]:
        """All samples once, in a random order if a generator is given.

        Args:
            size: Samples of a batch; the last one may have fewer.
            order: Draws the order.
            first: Batches to leave out at the start.
        """
        count = len(self)
        places = torch.arange(count) if order is None else torch.randperm(count, generator=order)
        for start in range(first * size, count, size):
            yield self.batch(places[start : start + size])

    def some(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """A batch of samples drawn without replacement; all of them where there are no more."""
        return self.batch(torch.randperm(len(self), generator=generator)[:count])

    def to(self, device: torch.device) -> TaskData:
        """The same samples on a device."""
        orders = None if self.orders is None else self.orders.to(device)
        return TaskData(self.images.to(device), self.labels.to(device), self.tasks.to(device), orders)


def together(parts: Sequence[TaskData]) -> TaskData:
    """Samples of several tasks as one; they must be of one stream."""
    images, labels, tasks = (
        torch.cat([getattr(part, name) for part in parts]) for name in ("images", "labels", "tasks")
    )
    return TaskData(images, labels, tasks, parts[0].orders)


@dataclass(frozen=True, eq=False)
class Stream:
    """Tasks in order.

    Attributes:
        names: Of the tasks.
        class_names: Of the classes of each task.
        training: What each task teaches.
        test: What each task is judged by.

    Raises:
        ValueError: If a class number is not one of its task.
    """

    names: tuple[str, ...]
    class_names: tuple[tuple[str, ...], ...]
    training: tuple[TaskData, ...]
    test: tuple[TaskData, ...]

    def __post_init__(self) -> None:
        for name, classes, *parts in zip(self.names, self.class_names, self.training, self.test, strict=True):
            for part in parts:
                wrong = (part.labels < 0) | (part.labels >= len(classes))
                if wrong.any():
                    label = int(part.labels[wrong][0])
                    raise ValueError(f"task {name!r}: label {label}, and its classes are 0 to {len(classes) - 1}")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def image_shape(self) -> list[int]:
        """Channels, height and width of the pictures."""
        return list(self.training[0].images.shape[1:])


@dataclass(frozen=True, eq=False)
class Pictures:
    """A split of a data set in memory: images [N, C, H, W], labels [N] int64, and the names of its classes."""

    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...]


def read_pictures(
    name: str,
    split: str,
    samples: int,
    seed: int,
    options: dict[str, Any],
    fewer: bool = False,
    option: str = "samples",
) -> Pictures:
    """Pictures of a registered data set, drawn at random: files are often sorted by class.

    Args:
        name: Registered data set with `image` and `label` in its samples.
        split: Of the data set.
        samples: How many; 0 takes all.
        seed: Of the choice.
        options: Of the data set.
        fewer: Whether all will do where there are fewer.
        option: What `samples` is called where it was given, for messages.

    Raises:
        ValueError: If there are fewer, or the samples are no labelled pictures.
    """
    dataset = build_dataset(name, split, options)
    if samples < 0 or (samples > len(dataset) and not fewer):
        raise ValueError(
            f"{option} = {samples}: data set {name!r} has {len(dataset)} samples in split {split!r}; give 1 to "
            f"{len(dataset)}, or 0 for all"
        )
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(seed))[: samples or None]
    read = [dataset[int(place)] for place in order]
    if not read:
        raise ValueError(f"data set {name!r} has no sample in split {split!r}")
    if not hasattr(dataset, "class_names") or "label" not in read[0] or "image" not in read[0]:
        raise ValueError(f"data set {name!r} has no pictures with one label each; take one such as mnist")
    labels = torch.stack([torch.as_tensor(sample["label"]) for sample in read])
    if labels.dim() != 1:
        raise ValueError(
            f"data set {name!r} has labels of shape {list(labels.shape[1:])}; take one with one class each"
        )
    return Pictures(torch.stack([sample["image"] for sample in read]), labels, tuple(map(str, dataset.class_names)))

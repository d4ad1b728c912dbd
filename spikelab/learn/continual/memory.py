"""Samples of earlier tasks that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from spikelab.learn.continual.stream import TaskData


class Memory:
    """Keeps some samples of every task, as many of each class as there are of the others.

    Draws come from a generator of its own, whose state is kept: so a run that goes on draws what it would have drawn.

    Args:
        samples: Of each task.
        seed: Of what is kept and drawn.

    Raises:
        ValueError: For less than one sample.
    """

    def __init__(self, samples: int, seed: int = 0) -> None:
        if samples < 1:
            raise ValueError(f"samples = {samples}: a memory keeps at least 1 sample of each task")
        self.samples = samples
        self.generator = torch.Generator().manual_seed(seed)
        self.kept: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return len(self.kept["label"]) if self.kept else 0

    def add(self, data: TaskData) -> None:
        """Keeps samples of a task: turn by turn one of each class, until there are enough."""
        order = torch.randperm(len(data), generator=self.generator).to(data.labels.device)
        labels = data.labels[order]
        turn = torch.empty_like(labels)
        for label in labels.unique():
            own = labels == label
            turn[own] = torch.arange(int(own.sum()), device=labels.device)
        chosen = order[turn.argsort(stable=True)[: self.samples]]
        batch = data.batch(chosen)
        self.kept = {key: torch.cat([self.kept[key], batch[key]]) for key in batch} if self.kept else batch

    def draw(self, count: int) -> dict[str, Tensor]:
        """A batch of what is kept, without replacement; all of it where there is no more."""
        places = torch.randperm(len(self), generator=self.generator)[:count]
        return {key: values[places.to(values.device)] for key, values in self.kept.items()}

    def state(self) -> dict[str, Any]:
        """The samples, and the generator's state."""
        return {"kept": dict(self.kept), "generator": self.generator.get_state()}

    def restore(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Puts back what `state` gave."""
        self.kept = {key: values.to(device) for key, values in state["kept"].items()}
        self.generator.set_state(state["generator"])

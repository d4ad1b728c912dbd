"""Replay of kept samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from spikelab.learn.continual.learner import Learner, bytes_of
from spikelab.learn.continual.memory import Memory
from spikelab.learn.continual.method import ContinualMethod
from spikelab.learn.continual.stream import TaskData


class Replay(ContinualMethod):
    """Adds to every batch samples of earlier tasks that were kept.

    Args:
        learner: Model, task and rule.
        samples: Kept of each task.
        share: Samples that are added for each sample of the batch.
        seed: Of what is kept and drawn.

    Raises:
        ValueError: For no sample or a share that is not above 0.

    Source: Chaudhry et al. 2019, arXiv 1902.10486 (experience replay), with a memory that holds as much of every task.
    """

    def __init__(self, learner: Learner, samples: int = 100, share: float = 1.0, seed: int = 0) -> None:
        super().__init__(learner)
        if share <= 0:
            raise ValueError(f"replay: share = {share}: must be above 0")
        self.share = share
        self.memory = Memory(samples, seed)

    def mix(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The batch with kept samples after its own."""
        count = round(self.share * len(batch["label"]))
        if not len(self.memory) or not count:
            return dict(batch)
        kept = self.memory.draw(count)
        return {key: torch.cat([values, kept[key]]) for key, values in batch.items()}

    def end_task(self, data: TaskData) -> None:
        """Keeps samples of the task."""
        self.memory.add(data)

    def state(self) -> dict[str, Any]:
        """The memory."""
        return {"memory": self.memory.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Puts the memory back."""
        self.memory.restore(state["memory"], next(self.learner.model.parameters()).device)

    def memory_bytes(self) -> int:
        """Of the samples."""
        return bytes_of(self.memory.kept)

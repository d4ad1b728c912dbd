"""Classification over a stream: whether a sample's task tells which classes it may be of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from spikelab.learn.classification import ClassificationTask
from spikelab.learn.task import Batch

SCENARIOS = ("task", "domain", "class")


class HeadedClassification(ClassificationTask):
    """Cross-entropy where each task may have classes of its own.

    Three scenarios (van de Ven, Tuytelaars and Tolias 2022, Nature Machine Intelligence 4):

    * "task": every task has a head of its own, and a sample's task is known. The heads are rows of one readout; those
      of the other tasks get no error and no gradient.
    * "domain": all tasks share one head.
    * "class": every task has rows of its own, and a sample may be of any class: the task must be found out as well.

    A batch holds `image` [B, ...], `label` [B] int64 (the class within the task) and `task` [B] int64.

    Args:
        class_names: Of each task.
        scenario: One of the three.

    Raises:
        ValueError: For an unknown scenario, no tasks, a task without classes, or tasks that share a head but have
            different numbers of classes.
    """

    def __init__(self, class_names: Sequence[Sequence[str]], scenario: str = "domain") -> None:
        if scenario not in SCENARIOS:
            raise ValueError(f"scenario = {scenario!r}: must be one of {', '.join(SCENARIOS)}")
        empty = [place for place, names in enumerate(class_names) if not names]
        if not class_names or empty:
            what = f"task {empty[0]} has no class" if empty else "the stream has no task"
            raise ValueError(f"{what}; a stream needs tasks of at least 1 class each")
        counts = [len(names) for names in class_names]
        if scenario == "domain" and len(set(counts)) > 1:
            raise ValueError(
                f"tasks have {counts} classes, and scenario domain has one head for all; use scenario task or class"
            )
        self.scenario = scenario
        self.shared = scenario == "domain"
        starts = [0 if self.shared else sum(counts[:place]) for place in range(len(counts))]
        several = len(class_names) > 1 and not self.shared
        names = [
            f"task {place}: {name}" if several else name
            for place, own in enumerate(class_names[:1] if self.shared else class_names)
            for name in own
        ]
        super().__init__(SimpleNamespace(class_names=names))
        self.starts = torch.tensor(starts)
        self.allowed = torch.zeros(len(counts), len(names), dtype=torch.bool)
        for place, (start, count) in enumerate(zip(starts, counts, strict=True)):
            self.allowed[place, start : start + count] = True
        if scenario == "class":
            self.allowed[:] = True

    def located(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The batch with `label` as a row of the readout instead of a class within the task."""
        return {**batch, "label": batch["label"] + self.starts.to(batch["label"].device)[batch["task"]]}

    def forward(self, model: nn.Module, batch: Batch) -> Tensor:
        """Logits [B, rows of the readout]; those that a sample's task rules out are minus infinity.

        Raises:
            ValueError: If the batch is empty, lacks something, or a label is no row.
        """
        return self.restrict(super().forward(model, batch), batch)

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Cross-entropy over the classes that each sample may be of, summed, and the number of samples."""
        return super().loss(self.restrict(output, batch), batch)

    def restrict(self, logits: Tensor, batch: Batch) -> Tensor:
        """Logits with minus infinity where a sample's task rules a class out."""
        if self.scenario != "task":
            return logits
        return logits.masked_fill(~self.allowed.to(logits.device)[batch["task"]], float("-inf"))

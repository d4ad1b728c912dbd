"""Semantic segmentation of frames and events: cross-entropy per pixel, judged by mean intersection over union."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikelab.learn.metrics import SegmentationMeter
from spikelab.learn.task import Batch
from spikelab.settings import Loss


class SegmentationTask:
    """Give every pixel one of C classes.

    A batch holds `events` [B, T, 2, H, W], `frame` [B, 1, H, W] and `label` [B, H, W] int64; the model is called as
    `model(events, frame)` and returns logits [B, C, H, W].

    Args:
        dataset: Gives `class_names` and `ignore_index`. The data sets that are judged may also give
            `conditions(index)`: the name or names of the conditions that a sample was taken under.
        loss: Label smoothing and class weights.

    Raises:
        ValueError: If the data set has no class for each pixel, or the number of class weights is not that of the
            classes.
    """

    score = "mean_iou"
    higher_is_better = True

    def __init__(self, dataset: Any, loss: Loss | None = None) -> None:
        loss = loss or Loss()
        self.class_names = [str(name) for name in dataset.class_names]
        if not hasattr(dataset, "ignore_index"):
            raise ValueError(
                f"segmentation takes a data set with a class for each pixel, and a {type(dataset).__name__} has none; "
                "for one class a sample: --task classification"
            )
        self.ignore_index = int(dataset.ignore_index)
        self.label_smoothing = loss.label_smoothing
        self.class_weights = None if loss.class_weights is None else torch.tensor(loss.class_weights)
        if self.class_weights is not None and len(self.class_weights) != len(self.class_names):
            raise ValueError(
                f"loss.class_weights has {len(self.class_weights)} values; give one for each of the "
                f"{len(self.class_names)} classes: {', '.join(self.class_names)}"
            )

    def forward(self, model: nn.Module, batch: Batch) -> Tensor:
        """Logits [B, C, H, W].

        Raises:
            ValueError: If the batch is empty, or a label is neither a class nor the ignored one.
        """
        if len(batch["label"]) == 0:
            raise ValueError("the batch is empty; a batch holds at least 1 sample")
        self._check_labels(batch["label"])
        return model(batch["events"], batch["frame"])

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Cross-entropy summed over labelled pixels, and their number (or the sum of their class weights).

        Raises:
            ValueError: If the logits do not fit the labels.
        """
        label = batch["label"]
        expected = (label.shape[0], len(self.class_names), *label.shape[1:])
        if tuple(output.shape) != expected:
            raise ValueError(f"the model gives logits {list(output.shape)}, and the labels ask for {list(expected)}")
        weights = None if self.class_weights is None else self.class_weights.to(output.device)
        total = functional.cross_entropy(
            output.float(),
            label,
            weight=weights,
            ignore_index=self.ignore_index,
            reduction="sum",
            label_smoothing=self.label_smoothing,
        )
        valid = label != self.ignore_index
        weight = valid.sum().float() if weights is None else weights[label[valid]].sum()
        return total, weight

    def meter(self, dataset: Any) -> SegmentationMeter:
        """A meter over a data set; where that tells the conditions of its samples, also one figure per condition."""
        return SegmentationMeter(self.class_names, self.ignore_index, _conditions(dataset))

    def description(self) -> dict[str, Any]:
        """The classes."""
        return {"class_names": self.class_names, "ignore_index": self.ignore_index}

    def summary(self, figures: Mapping[str, Any]) -> str:
        """Mean IoU and pixel accuracy in percent."""
        if figures["mean_iou"] is None:
            return "no labelled pixel"
        return f"mean IoU {100 * figures['mean_iou']:.2f} %, pixel accuracy {100 * figures['pixel_accuracy']:.2f} %"

    def _check_labels(self, label: Tensor) -> None:
        if label.dtype != torch.int64:
            raise ValueError(f"labels have dtype {label.dtype}; give int64")
        unknown = ((label < 0) | (label >= len(self.class_names))) & (label != self.ignore_index)
        if unknown.any():
            index = unknown.nonzero()[0].tolist()
            raise ValueError(
                f"label{index} is {int(label[tuple(index)])}: classes go from 0 to {len(self.class_names) - 1}, and "
                f"{self.ignore_index} is ignored ({int(unknown.sum())} such pixels); map the ids of the data to these"
            )


def _conditions(dataset: Any) -> list[Sequence[str]]:
    if not hasattr(dataset, "conditions"):
        return []
    found = [dataset.conditions(index) for index in range(len(dataset))]
    return [(each,) if isinstance(each, str) else tuple(each) for each in found]

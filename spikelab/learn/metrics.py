"""Segmentation figures, all derived from confusion matrices that are summed over a whole split.

The field's convention (PASCAL VOC, Cityscapes, DDD17): intersection over union is formed once from the summed counts,
never per picture and then averaged.

Counting is one `bincount`. torchmetrics counts the same but imports torchvision wherever that is installed, and a
torchvision that does not match torch (easily got: norse asks for it) would then stop every training at its import.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from spikelab.learn.task import Batch


def confusion_matrix(predictions: Tensor, labels: Tensor, classes: int, ignore_index: int) -> Tensor:
    """Count pixels by label and prediction.

    Args:
        predictions: Class numbers, any shape, int64.
        labels: Class numbers or `ignore_index`, the same shape.
        classes: How many classes there are.
        ignore_index: Label that counts nowhere.

    Returns:
        Counts [C, C] int64 on the CPU; rows are labels, columns predictions.
    """
    counted = labels != ignore_index
    cells = labels[counted] * classes + predictions[counted]
    return torch.bincount(cells, minlength=classes * classes).reshape(classes, classes).cpu()


def figures_of(confusion: Tensor, class_names: Sequence[str]) -> dict[str, Any]:
    """Mean IoU, IoU per class and pixel accuracy of one confusion matrix.

    A class without a single labelled pixel has no IoU: it is reported as None, listed under `absent_classes` and left
    out of the mean, whatever was predicted (what is wrongly predicted as it already counts against the true classes).

    Args:
        confusion: Pixel counts [C, C] int64; rows are labels, columns predictions.
        class_names: C names.

    Returns:
        `mean_iou`, `pixel_accuracy` (None where there is no labelled pixel at all), `iou` (name -> value or None),
        `absent_classes`, `pixels` (labelled ones).
    """
    counts = confusion.double()
    hits, labelled, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
    present = labelled > 0
    iou = hits / (labelled + predicted - hits)
    pixels = int(confusion.sum())
    return {
        "mean_iou": float(iou[present].mean()) if pixels else None,
        "pixel_accuracy": float(hits.sum() / pixels) if pixels else None,
        "iou": {name: float(iou[c]) if present[c] else None for c, name in enumerate(class_names)},
        "absent_classes": [name for c, name in enumerate(class_names) if not present[c]],
        "pixels": pixels,
    }


class SegmentationMeter:
    """Confusion matrices of a split: one over all of it, and one per condition of its samples.

    Args:
        class_names: C names.
        ignore_index: Label that counts nowhere.
        conditions: For each sample of the data set, the names of the conditions it was taken under ("dark", "blurred");
            empty for a data set that knows none.
    """

    def __init__(self, class_names: Sequence[str], ignore_index: int, conditions: Sequence[Sequence[str]] = ()) -> None:
        self.class_names, self.ignore_index, self.conditions = list(class_names), ignore_index, conditions
        self.names = sorted({name for sample in conditions for name in sample})
        classes = len(self.class_names)
        self.confusion = torch.zeros(1 + len(self.names), classes, classes, dtype=torch.int64)
        self.samples = torch.zeros(1 + len(self.names), dtype=torch.int64)

    def update(self, output: Tensor, batch: Batch, indices: Sequence[int]) -> None:
        """Take in the logits [B, C, H, W] of a batch whose labels are `batch["label"]` [B, H, W]."""
        predictions = output.argmax(1)
        for sample, index in enumerate(indices):
            labels = batch["label"][sample]
            matrix = confusion_matrix(predictions[sample], labels, len(self.class_names), self.ignore_index)
            under = self.conditions[index] if self.conditions else ()
            rows = [0] + [1 + self.names.index(name) for name in under]
            for row in rows:
                self.confusion[row] += matrix
                self.samples[row] += 1

    def counts(self) -> list[Tensor]:
        """The counts, to be added up over processes in place."""
        return [self.confusion, self.samples]

    def figures(self) -> dict[str, Any]:
        """Figures over the split, its confusion matrix, and the figures of each condition."""
        figures = figures_of(self.confusion[0], self.class_names)
        figures |= {"samples": int(self.samples[0]), "confusion_matrix": self.confusion[0].tolist()}
        if self.names:
            figures["conditions"] = {
                name: figures_of(self.confusion[1 + row], self.class_names) | {"samples": int(self.samples[1 + row])}
                for row, name in enumerate(self.names)
            }
        return figures

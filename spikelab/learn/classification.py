"""Classification of whole samples: cross-entropy, judged by accuracy."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikelab.learn.metrics import confusion_matrix
from spikelab.learn.task import Batch
from spikelab.settings import Loss

_NOTHING_IGNORED = -1


class ClassificationTask:
    """Give every sample one of C classes.

    A batch holds `label` [B] int64 and `image` [B, ...]; the model is called as `model(image)` and returns logits
    [B, C]. A model that takes something else of a batch names it in an attribute `inputs`: it is called with these, in
    their order.

    Args:
        dataset: Gives `class_names`.
        loss: Label smoothing and class weights.

    Raises:
        ValueError: If the number of class weights is not that of the classes.
    """

    score = "accuracy"
    higher_is_better = True

    def __init__(self, dataset: Any, loss: Loss | None = None) -> None:
        loss = loss or Loss()
        self.class_names = [str(name) for name in dataset.class_names]
        self.label_smoothing = loss.label_smoothing
        self.class_weights = None if loss.class_weights is None else torch.tensor(loss.class_weights)
        if self.class_weights is not None and len(self.class_weights) != len(self.class_names):
            raise ValueError(
                f"loss.class_weights has {len(self.class_weights)} values; give one for each of the "
                f"{len(self.class_names)} classes: {', '.join(self.class_names)}"
            )

    def forward(self, model: nn.Module, batch: Batch) -> Tensor:
        """Logits [B, C].

        Raises:
            ValueError: If the batch is empty, lacks what the model takes, or a label is no class.
        """
        # training on several processes wraps the model
        inputs = getattr(getattr(model, "module", model), "inputs", ("image",))
        self.check(batch, inputs)
        return model(*(batch[name] for name in inputs))

    def check(self, batch: Batch, inputs: Sequence[str] = ("image",)) -> None:
        """Refuse what cannot be classified.

        Raises:
            ValueError: If the batch is empty, lacks one of the model's inputs, or a label is no class.
        """
        for key in (*inputs, "label"):
            if key not in batch:
                if key == "image" and set(batch) == {"events", "label"}:
                    raise ValueError(
                        "the data set has recordings of events, and the model takes images: choose one for events, "
                        "--model.name event_classifier"
                    )
                wanted = "images" if tuple(inputs) == ("image",) else f"samples that hold {', '.join(inputs)}"
                known = ", such as mnist (--data.name)" if wanted == "images" else " (--data.name)"
                raise ValueError(
                    f"a batch has no {key!r} but {', '.join(map(repr, batch))}: classification takes a data set of "
                    f"{wanted} with one label each{known}"
                )
        if len(batch["label"]) == 0:
            raise ValueError("the batch is empty; a batch holds at least 1 sample")
        self._check_labels(batch["label"])

    def loss(self, output: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Cross-entropy summed over the samples, and their number (or the sum of their class weights).

        Raises:
            ValueError: If the logits do not fit the labels.
        """
        label = batch["label"]
        expected = (len(label), len(self.class_names))
        if tuple(output.shape) != expected:
            raise ValueError(f"the model gives logits {list(output.shape)}, and the labels ask for {list(expected)}")
        weights = None if self.class_weights is None else self.class_weights.to(output.device)
        total = functional.cross_entropy(
            output.float(), label, weight=weights, reduction="sum", label_smoothing=self.label_smoothing
        )
        weight = torch.tensor(float(len(label)), device=output.device) if weights is None else weights[label].sum()
        return total, weight

    def meter(self, dataset: Any) -> "ClassificationMeter":
        """A meter over a data set."""
        return ClassificationMeter(self.class_names)

    def description(self) -> dict[str, Any]:
        """The classes."""
        return {"class_names": self.class_names}

    def summary(self, figures: Mapping[str, Any]) -> str:
        """Accuracy in percent."""
        return "no sample" if figures["accuracy"] is None else f"accuracy {100 * figures['accuracy']:.2f} %"

    def _check_labels(self, label: Tensor) -> None:
        if label.dtype != torch.int64 or label.dim() != 1:
            raise ValueError(f"labels are {label.dtype} {list(label.shape)}; give one int64 for each sample: [B]")
        unknown = (label < 0) | (label >= len(self.class_names))
        if unknown.any():
            index = int(unknown.nonzero()[0])
            raise ValueError(
                f"label[{index}] is {int(label[index])}: classes go from 0 to {len(self.class_names) - 1} "
                f"({int(unknown.sum())} such labels); map the ids of the data to these"
            )


class ClassificationMeter:
    """The confusion matrix of a split.

    Args:
        class_names: C names.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = list(class_names)
        classes = len(self.class_names)
        self.confusion = torch.zeros(classes, classes, dtype=torch.int64)

    def update(self, output: Tensor, batch: Batch, indices: Sequence[int]) -> None:
        """Take in the logits [B, C] of a batch whose labels are `batch["label"]` [B]."""
        self.confusion += confusion_matrix(output.argmax(1), batch["label"], len(self.class_names), _NOTHING_IGNORED)

    def counts(self) -> list[Tensor]:
        """The counts, to be added up over processes in place."""
        return [self.confusion]

    def figures(self) -> dict[str, Any]:
        """Figures over the split.

        Returns:
            `accuracy` (None without a sample), `class_accuracy` (name -> share of the class's samples that were
            recognised, None for a class without any), `precision` (name -> share of the samples taken for the class
            that are of it, None where there were none), `absent_classes`, `samples`, `confusion_matrix` (counts
            [C][C]; rows are labels, columns predictions).
        """
        counts = self.confusion.double()
        hits, labelled, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
        samples = int(self.confusion.sum())
        return {
            "accuracy": float(hits.sum() / samples) if samples else None,
            "class_accuracy": self._shares(hits, labelled),
            "precision": self._shares(hits, predicted),
            "absent_classes": [name for name, count in zip(self.class_names, labelled, strict=True) if not count],
            "samples": samples,
            "confusion_matrix": self.confusion.tolist(),
        }

    def _shares(self, hits: Tensor, totals: Tensor) -> dict[str, float | None]:
        rows = zip(self.class_names, hits.tolist(), totals.tolist(), strict=True)
        return {name: hit / total if total else None for name, hit, total in rows}

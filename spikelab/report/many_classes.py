"""How well a classifier does where classes are too many for a table of all confusions: the worst of it, worst first."""

from collections.abc import Mapping
from typing import Any

from spikelab.report.tables import percent, render

#: Up to here a table with a column for each class is read at a glance.
MOST_CLASSES = 12
_SHOWN = 10


def many_classes(figures: Mapping[str, Any], markdown: bool = False) -> list[str]:
    """The classes that are recognised worst, and the pairs that are confused most often.

    Args:
        figures: Of `spikelab.learn.classification.ClassificationMeter`.
        markdown: Whether to write Markdown tables.

    Returns:
        Tables, and what they leave out.
    """
    names, matrix = list(figures["class_accuracy"]), figures["confusion_matrix"]
    present = [place for place, name in enumerate(names) if figures["class_accuracy"][name] is not None]
    # of equally bad ones those first that more samples tell of
    worst = sorted(present, key=lambda place: (figures["class_accuracy"][names[place]], -sum(matrix[place])))
    rows: list[list[object]] = [
        [
            names[k],
            percent(figures["class_accuracy"][names[k]]),
            percent(figures["precision"][names[k]]),
            sum(matrix[k]),
        ]
        for k in worst[:_SHOWN]
    ]
    header = ["classes recognised worst", "recognised, %", "precision, %", "samples"]
    text = [render(header, rows, markdown)]
    pairs = [(row[j], i, j) for i, row in enumerate(matrix) for j in range(len(names)) if i != j and row[j]]
    pairs.sort(key=lambda pair: (-pair[0], -pair[0] / sum(matrix[pair[1]])))
    if pairs:
        rows = [[names[i], names[j], count, percent(count / sum(matrix[i]))] for count, i, j in pairs[:_SHOWN]]
        text += ["", render(["confused most often", "taken for", "samples", "of its class, %"], rows, markdown)]
    left = [f"{max(0, len(present) - _SHOWN)} more classes", f"{max(0, len(pairs) - _SHOWN)} more confused pairs"]
    return [*text, "", f"{' and '.join(left)}: all are in --json FILE (class_accuracy, precision, confusion_matrix)"]

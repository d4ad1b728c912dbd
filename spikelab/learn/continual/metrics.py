"""Figures over a matrix of accuracies.

R[i][j] is the accuracy on task j after learning tasks 0 to i. Source: Lopez-Paz and Ranzato 2017, NeurIPS, section 2.
"""

from __future__ import annotations

from collections.abc import Sequence


def average_accuracy(matrix: Sequence[Sequence[float]]) -> float:
    """ACC: the mean accuracy over all tasks after the last one.

    Raises:
        ValueError: If the matrix is not square, or empty.
    """
    _check(matrix)
    return sum(matrix[-1]) / len(matrix)


def backward_transfer(matrix: Sequence[Sequence[float]]) -> float | None:
    """BWT: what later tasks changed on a task, averaged over all but the last; below 0 is forgetting.

    None for a single task.
    """
    _check(matrix)
    count = len(matrix) - 1
    return sum(matrix[-1][task] - matrix[task][task] for task in range(count)) / count if count else None


def forward_transfer(matrix: Sequence[Sequence[float]], untrained: Sequence[float]) -> float | None:
    """FWT: what earlier tasks did for a task that was not learned yet, averaged over all but the first.

    Args:
        matrix: Accuracies.
        untrained: Accuracy on each task before anything was learned.

    Returns:
        None for a single task.

    Raises:
        ValueError: If the sizes do not fit.
    """
    _check(matrix)
    if len(untrained) != len(matrix):
        raise ValueError(f"{len(untrained)} accuracies of the untrained model for {len(matrix)} tasks; give one each")
    count = len(matrix) - 1
    return sum(matrix[task - 1][task] - untrained[task] for task in range(1, count + 1)) / count if count else None


def _check(matrix: Sequence[Sequence[float]]) -> None:
    if not matrix or any(len(row) != len(matrix) for row in matrix):
        raise ValueError(
            f"accuracies are {len(matrix)} rows of {sorted({len(row) for row in matrix})}; give one row for each task, "
            "with the accuracy on every task"
        )

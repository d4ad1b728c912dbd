"""What the training loop must know about a problem, and nothing more."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

Batch = Mapping[str, Any]


class Meter(Protocol):
    """Gathers predictions over a whole split and turns them into figures once, at its end."""

    def update(self, output: Any, batch: Batch, indices: Sequence[int]) -> None:
        """Take in the output for one batch; `indices` are the places of its samples in the data set."""

    def counts(self) -> list[Tensor]:
        """The tensors to add up over processes, in place, before `figures` is asked for."""

    def figures(self) -> dict[str, Any]:
        """The figures over everything taken in: numbers, strings, lists and dictionaries of such; None if undefined."""


class Task(Protocol):
    """A problem: how a model is called, what it is blamed for, and what counts as good."""

    score: str
    """The figure that picks the best checkpoint and stops early."""
    higher_is_better: bool
    """Whether a greater score is the better one."""

    def forward(self, model: nn.Module, batch: Batch) -> Any:
        """Call the model on a batch."""

    def loss(self, output: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """The loss summed over what it is taken over (pixels, samples), and the weight of that sum.

        The loop divides one by the other after adding up the weights of all processes: so a batch that is spread over
        several processes gives the same gradient as on one, however unevenly ignored pixels fall.
        """

    def meter(self, dataset: Any) -> Meter:
        """A fresh meter over one data set."""

    def description(self) -> dict[str, Any]:
        """What a data set must share with the training data, such as class names; kept in checkpoints."""

    def summary(self, figures: Mapping[str, Any]) -> str:
        """The figures in one line for the console."""

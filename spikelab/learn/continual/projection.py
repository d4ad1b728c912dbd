"""What methods share that let weights change only where earlier tasks do not look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from spikelab.learn.continual.activity import check_supported, inputs_of
from spikelab.learn.continual.learner import Learner
from spikelab.learn.continual.method import ContinualMethod
from spikelab.learn.continual.subspace import project_gradient
from spikelab.nn import BatchNorm1d, BatchNorm2d


class ProjectionMethod(ContinualMethod):
    """Protects a subspace of the inputs of every weights: whatever is learned later leaves the answers to it unchanged.

    A gradient G of weights is written as G (I - M^T M) with the orthonormal rows M that span the subspace. From the
    second task on only weights are trained: biases, normalisation (whose statistics stop as well) and neurons'
    parameters act on every input, so nothing could protect them. Where every task has a head of its own, the readout
    is neither protected nor stopped: its rows belong to one task each.

    Args:
        learner: Model, task and rule.

    Attributes:
        bases: Name of the weights -> orthonormal rows [K, N] of their protected subspace.

    Raises:
        UnsupportedError: For weights that are no plain product with their input; names them.
    """

    def __init__(self, learner: Learner) -> None:
        super().__init__(learner)
        self.protected = learner.weights()
        if learner.task.scenario == "task":
            self.protected.pop(learner.readout())
        for name, weights in self.protected.items():
            check_supported(name, weights)
        self.bases: dict[str, Tensor] = {
            name: weights.weight.new_zeros(0, inputs_of(weights)) for name, weights in self.protected.items()
        }
        self._before: dict[str, Tensor] = {}

    def begin_task(self) -> None:
        """Stops what cannot be protected, once there is something to protect."""
        if self.tasks_done:
            self._freeze()

    def _freeze(self) -> None:
        trainable = {id(weights.weight) for weights in self.protected.values()}
        if self.learner.task.scenario == "task":
            readout = self.learner.model.get_submodule(self.learner.readout())
            trainable |= {id(parameter) for parameter in readout.parameters()}
        for parameter in self.learner.model.parameters():
            if id(parameter) not in trainable:
                parameter.requires_grad_(False)
                parameter.grad = None

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Normalises with the statistics of the first task, which are kept."""
        norms = [each for each in self.learner.model.modules() if isinstance(each, BatchNorm1d | BatchNorm2d)]
        modes = [norm.training for norm in norms]
        for norm in norms:
            norm.train(norm.training and not self.tasks_done)
        try:
            yield
        finally:
            for norm, mode in zip(norms, modes, strict=True):
                norm.train(mode)

    def change_gradients(self) -> None:
        """Projects the gradients."""
        super().change_gradients()
        for name, weights in self.protected.items():
            gradient, basis = weights.weight.grad, self.bases[name]
            if gradient is None or not len(basis):
                continue
            weights.weight.grad = project_gradient(gradient, basis)
            if not self.learner.plain_steps:
                self._before[name] = weights.weight.detach().clone()

    def after_step(self, rate: float) -> None:
        """Projects the step itself, where it is not a multiple of projected gradients."""
        for name, before in self._before.items():
            weights = self.protected[name].weight
            with torch.no_grad():
                weights.copy_(before + project_gradient(weights - before, self.bases[name]))
        self._before = {}

    def state(self) -> dict[str, Any]:
        """The bases."""
        return {"bases": dict(self.bases)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Puts the bases back; `tasks_done` must be set before."""
        for name, basis in state["bases"].items():
            self.bases[name] = basis.to(self.bases[name])
        if self.tasks_done:
            self._freeze()


def for_each(values: Sequence[float], names: Sequence[str], what: str) -> dict[str, float]:
    """One number for all weights, or one for each of them.

    Raises:
        ValueError: If there are neither one nor as many as weights.
    """
    if len(values) not in (1, len(names)):
        raise ValueError(
            f"{what} = {list(values)}: give 1 number for all, or {len(names)}, one for each of {', '.join(names)}"
        )
    several = list(values) if len(values) > 1 else list(values) * len(names)
    return dict(zip(names, several, strict=True))

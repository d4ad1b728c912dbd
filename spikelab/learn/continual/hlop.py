"""Hebbian learning based orthogonal projection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikelab.learn.continual.activity import Presynaptic, WeightInputs, inputs_of, over_time, rows
from spikelab.learn.continual.lateral import LateralWeights
from spikelab.learn.continual.learner import Learner
from spikelab.learn.continual.projection import ProjectionMethod, for_each
from spikelab.learn.continual.stream import TaskData
from spikelab.learn.continual.subspace import orthonormal
from spikelab.learn.rules.rule import UnsupportedError
from spikelab.nn import Conv2d, Dense


class HLOP(ProjectionMethod):
    """Lateral connections learn the subspace of a layer's inputs while a task is learned; later tasks leave it alone.

    Weights change by dW = -eta delta x'^T, in which the inputs x come without what the subspace neurons of earlier
    tasks answer to: x' = x - H^T H x. What neurons get, and the errors that go down, stay as they are.

    Args:
        learner: Model, task and rule.
        neurons: Subspace neurons for the first task: a number for all weights, or one for each. None takes a fifth of
            the inputs.
        more: Subspace neurons that each later task adds, likewise. None takes a tenth.
        projection: "weights" takes the subspace out of the gradient of the weights, which is the same for linear
            subspace neurons, cheaper, and works with every rule; "activity" takes it out of the activity that the
            gradient is made of, as the equation says, where gradients come out of a backward pass (rule bptt).
        spike_levels: Subspace neurons answer in spikes: see `LateralWeights`; 0 for real numbers. The authors take 40
            with a range of 20.
        spike_range: Largest answer in spikes.
        presynaptic: What the lateral connections learn from: "spikes" of every step (for surrogate gradients), firing
            "rates" (as for DSR) or "traces" (as for OTTT).
        decay: Of rates and traces.
        rate: Of the lateral connections: a number for all weights, or one for each (`LateralWeights`).
        iterations: Of the lateral connections, for each batch.
        orthonormalise: Whether new rows are made orthonormal when a task ends, which spans the same subspace and makes
            the projection exact. Without it nothing but Hebbian learning shapes them, as in the paper.
        largest_rows: Rows (steps, samples and places) of a batch to learn from; of more, evenly spaced ones are taken.

    Raises:
        ValueError: For a number of neurons that is none or above that of the inputs, or an unknown projection.
        UnsupportedError: For activity projection beside a rule that makes gradients in another way; see also
            `ProjectionMethod`.

    Source: Xiao, Meng, Zhang, He and Lin 2024, ICLR, equations 4 to 10.
    """

    def __init__(
        self,
        learner: Learner,
        neurons: Sequence[int] | None = None,
        more: Sequence[int] | None = None,
        projection: Literal["weights", "activity"] = "weights",
        spike_levels: int = 0,
        spike_range: float = 20.0,
        presynaptic: Presynaptic = "spikes",
        decay: float = 0.5,
        rate: Sequence[float] = (3.0,),
        iterations: int = 5,
        orthonormalise: bool = True,
        largest_rows: int = 4096,
    ) -> None:
        super().__init__(learner)
        names = list(self.protected)
        sizes = [inputs_of(weights) for weights in self.protected.values()]
        first = [-(-size // 5) for size in sizes] if neurons is None else neurons
        later = [-(-size // 10) for size in sizes] if more is None else more
        self.neurons = for_each(first, names, "hlop: neurons")
        self.more = for_each(later, names, "hlop: more")
        rates = for_each(rate, names, "hlop: rate")
        if min([*first, *later]) < 0 or min(rates.values()) <= 0 or iterations < 1 or largest_rows < 1:
            raise ValueError(
                f"hlop: neurons = {list(first)}, more = {list(later)}, rate = {list(rate)}, iterations = {iterations}, "
                f"largest_rows = {largest_rows}: numbers of neurons are 0 or more, the others above 0"
            )
        for name, size in zip(names, sizes, strict=True):
            for option, counts in (("neurons", self.neurons), ("more", self.more)):
                if counts[name] > size:
                    raise ValueError(
                        f"hlop: {option} = {counts[name]} for {name}, which has {size} inputs: their subspaces "
                        f"have no more dimensions than that; give at most {size}"
                    )
        if projection not in ("weights", "activity"):
            raise ValueError(f"hlop: projection = {projection!r}: must be weights or activity")
        if projection == "activity" and not learner.rule.backward_through_model:
            raise UnsupportedError(
                f"hlop: projection = 'activity' works where gradients come out of a backward pass (rule bptt), not "
                f"beside {type(learner.rule).__name__}; projection = 'weights' works beside every rule"
            )
        if projection == "activity" and not learner.plain_steps:
            raise UnsupportedError(
                "hlop: projection = 'activity' takes --optimiser.name sgd without weight decay: other optimisers do "
                "not step along the gradient; projection = 'weights' works with all"
            )
        if spike_levels and projection == "weights":
            raise ValueError(
                "hlop: answers in spikes are not linear, so they cannot be taken out of the weights' gradient; use "
                "projection = 'activity' with spike_levels"
            )
        self.projection, self.presynaptic, self.decay = projection, presynaptic, decay
        self.orthonormalise, self.largest_rows = orthonormalise, largest_rows
        self.laterals = {
            name: LateralWeights(size, rates[name], 0.9, iterations, spike_levels, spike_range)
            for name, size in zip(names, sizes, strict=True)
        }
        for name, lateral in self.laterals.items():
            lateral.held = self.bases[name]
        #: share of the inputs' energy that the subspace neurons missed in the latest batch
        self.missed: dict[str, float] = {}
        self.inputs = WeightInputs(self.protected)
        self._projecting = False
        if projection == "activity":
            for name, weights in self.protected.items():
                weights.register_forward_hook(self._projecting_hook(name))

    def begin_task(self) -> None:
        """Grows new subspace neurons, as many as there is room for."""
        super().begin_task()
        generator = torch.Generator().manual_seed(self.tasks_done)
        wanted = self.more if self.tasks_done else self.neurons
        for name, lateral in self.laterals.items():
            room = lateral.held.shape[1] - len(lateral.held)
            lateral.sprout(min(int(wanted[name]), room), generator)

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Keeps what arrives at the weights, and projects it if asked to."""
        self._projecting = True
        try:
            with super().observing(), self.inputs.keep():
                yield
        finally:
            self._projecting = False

    def change_gradients(self) -> None:
        """Projects the gradients, unless they were made of projected activity."""
        if self.projection == "weights":
            super().change_gradients()

    def after_step(self, rate: float) -> None:
        """Lets the lateral connections learn from the batch."""
        super().after_step(rate)
        for name, weights in self.protected.items():
            x = rows(weights, over_time(self.inputs.take(name), self.presynaptic, self.decay))
            self.missed[name] = self.laterals[name].learn(x[:: -(-len(x) // self.largest_rows)])

    def end_task(self, data: TaskData) -> None:
        """Holds what was learned from now on."""
        for name, lateral in self.laterals.items():
            lateral.merge(orthonormal(lateral.new, lateral.held) if self.orthonormalise else None)
            self.bases[name] = lateral.held

    def state(self) -> dict[str, Any]:
        """All lateral connections."""
        parts = {name: {"new": each.new, "change": each.change} for name, each in self.laterals.items()}
        return {**super().state(), "laterals": parts}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Puts the lateral connections back."""
        super().restore(state)
        for name, lateral in self.laterals.items():
            lateral.held = self.bases[name]
            lateral.new, lateral.change = (state["laterals"][name][key].to(lateral.held) for key in ("new", "change"))

    def _projecting_hook(self, name: str) -> Any:
        """Leaves the value as it is, and makes the gradient of the weights of the reduced input."""

        def project(module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
            lateral = self.laterals[name]
            if not self._projecting or not len(lateral.held) or not torch.is_grad_enabled():
                return None
            assert isinstance(module, Dense | Conv2d)
            through = _product(module, arguments[0])
            own = _product_of_reduced(module, arguments[0].detach(), lateral)
            return through + (own - own.detach())

        return project


def _product(weights: Dense | Conv2d, x: Tensor) -> Tensor:
    """What the weights give for x [T, B, ...], with a gradient to x but none to them."""
    fixed = weights.weight.detach()
    bias = None if weights.bias is None else weights.bias.detach()
    if isinstance(weights, Dense):
        return functional.linear(x, fixed, bias)
    settings = (weights.stride, weights.padding, weights.dilation)
    given = functional.conv2d(x.flatten(0, 1), fixed, bias, *settings)  # type: ignore[arg-type]
    return given.unflatten(0, x.shape[:2])


def _product_of_reduced(weights: Dense | Conv2d, x: Tensor, lateral: LateralWeights) -> Tensor:
    """What the weights give for x [T, B, ...] without what the held subspace neurons send back."""
    if isinstance(weights, Dense):
        return functional.linear(lateral.reduced(x.flatten(0, 1)), weights.weight).unflatten(0, x.shape[:2])
    height, width = _size(weights, x)
    reduced = lateral.reduced(rows(weights, x))
    own = (reduced @ weights.weight.flatten(1).T).unflatten(0, (-1, height * width))
    return own.transpose(1, 2).unflatten(2, (height, width)).unflatten(0, x.shape[:2])


def _size(weights: Conv2d, x: Tensor) -> tuple[int, int]:
    sizes = []
    for axis, length in enumerate(x.shape[-2:]):
        padding = weights.padding[axis]
        assert isinstance(padding, int)
        reach = weights.dilation[axis] * (weights.kernel_size[axis] - 1) + 1
        sizes.append((length + 2 * padding - reach) // weights.stride[axis] + 1)
    return sizes[0], sizes[1]

"""Local learning by activity synchronisation: each layer is taught by how its activity agrees with fixed waves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikelab.learn.rules.local_rule import LocalRule
from spikelab.learn.rules.projection import pool, pooled_size, projection_basis
from spikelab.learn.task import Batch, Task


class LLS(LocalRule):
    """Every hidden layer minimises the cross-entropy of its own activity, projected on a fixed basis.

    With activity h, averaged over places and scaled to length 1 (not for a random basis: `unit_length`), and a basis
    b [C, n] with a row for each class, the layer's logits are h bᵀ divided by a temperature. No gradient crosses from
    one layer to another; the readout learns the task's loss. Of spiking layers the activity is the mean over time, and
    the gradient within the layer goes back through time.

    Args:
        model: A chain of layers.
        task: Has `class_names`.
        sample_shapes: Name -> shape of each tensor of a sample.
        basis: "square", "sine", "cosine" or "random" (`projection_basis`).
        modulation: "none"; "vector" (LLS-M: each class's logit times a learned number); or "matrix" (LLS-MxM: logits
            times a learned matrix).
        modulation_start: "random", small numbers of mean 0, as in the authors' code: then a layer learns slowly until
            they have grown; or "identity": ones, or the unit matrix, so that learning begins as without modulation.
        rows: Rows of the basis; one a class by default. Another number needs modulation "matrix".
        features: Numbers to which a layer's activity is averaged, at most.
        temperature: Divides logits.
        unit_length: Whether activity is scaled to length 1. None does as the authors' code: yes with waves, no with a
            random basis, whose numbers are ten times smaller.
        seed: Of the random basis and of the modulation's start.

    Raises:
        UnsupportedError: For a model or task that the rule cannot train.
        ValueError: For an option that is not allowed.

    Source: Apolinario, Roy and Roy 2025, WACV, arXiv 2405.15868; length and temperature are in the authors' code.
    """

    memory_grows_with_time: ClassVar[bool] = True

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        sample_shapes: Mapping[str, Sequence[int]],
        basis: Literal["square", "sine", "cosine", "random"] = "square",
        modulation: Literal["none", "vector", "matrix"] = "none",
        modulation_start: Literal["random", "identity"] = "random",
        rows: int = 0,
        features: int = 512,
        temperature: float = 0.5,
        unit_length: bool | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(model, task, sample_shapes)
        if modulation not in ("none", "vector", "matrix"):
            raise ValueError(f"modulation = {modulation!r}: takes 'none', 'vector' or 'matrix'")
        if modulation_start not in ("random", "identity"):
            raise ValueError(f"modulation_start = {modulation_start!r}: takes 'random' or 'identity'")
        if not 0 < temperature < math.inf:
            raise ValueError(f"temperature = {temperature!r} must be positive")
        if features < 1:
            raise ValueError(f"features = {features!r} must be at least 1")
        rows = rows or self.classes
        if rows != self.classes and modulation != "matrix":
            raise ValueError(f"rows = {rows}: another number than that of classes needs modulation 'matrix'")
        self.temperature, self.modulation = temperature, modulation
        self.unit_length = basis != "random" if unit_length is None else unit_length
        generator = torch.Generator().manual_seed(seed)
        device = next(model.parameters()).device
        self.sizes = [pooled_size(self.shapes[layer.output], features) for layer in self.chain.hidden]
        for place, size in enumerate(self.sizes):
            matrix = projection_basis(basis, rows, math.prod(size), generator)
            self.register_buffer(f"basis_{place}", matrix.to(device))
            if modulation != "none":
                start = torch.ones(rows) if modulation == "vector" else torch.eye(rows, self.classes)
                if modulation_start == "random":
                    start = 0.01 * torch.randn(start.shape, generator=generator)
                self.register_parameter(f"modulation_{place}", nn.Parameter(start.to(device)))

    def measure(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """The task's loss of the readout; hidden layers have losses of their own."""
        x, label = self.encode(batch), batch["label"]
        for place, layer in enumerate(self.chain.hidden):
            with torch.enable_grad():
                activity = layer.run(x)
                loss = functional.cross_entropy(self.logits(place, _mean(activity)), label, reduction="sum")
            own = [self.get_parameter(f"modulation_{place}")] if self.modulation != "none" else []
            self.add_gradients_of(loss, [*layer.modules(), nn.ParameterList(own)])
            x = activity.detach()
        return self.measure_readout(x, batch)

    def logits(self, place: int, activity: Tensor) -> Tensor:
        """What a hidden layer's activity [B, ...] says of the classes, [B, C]."""
        seen = pool(activity, self.sizes[place])
        if self.unit_length:
            seen = functional.normalize(seen)
        agreement = seen @ self.get_buffer(f"basis_{place}").T
        if self.modulation == "vector":
            agreement = agreement * self.get_parameter(f"modulation_{place}")
        elif self.modulation == "matrix":
            agreement = agreement @ self.get_parameter(f"modulation_{place}")
        return agreement / self.temperature

    def signal_operations(self) -> float | None:
        """Two products with the basis for each hidden layer, whatever the number of steps."""
        return sum(2.0 * self.get_buffer(f"basis_{place}").numel() for place in range(len(self.sizes)))


def _mean(activity: Tensor) -> Tensor:
    """Of activity [T, B, ...] over time; a single step is its own mean, without the cost of one."""
    return activity[0] if len(activity) == 1 else activity.mean(0)

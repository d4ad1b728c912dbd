"""What lowering needs to know about a chip's arithmetic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from spikelab.hw.lowering.real_graph import RealPopulation
from spikelab.hw.lowering.scales import Grid, Limit
from spikelab.hw.lowering.step_form import CannotLower
from spikelab.hw.neuron import IntegerNeuron


@dataclass(frozen=True)
class Fitted:
    """A layer in a chip's arithmetic.

    Attributes:
        neuron: the kind.
        parameters: its whole numbers.
        notes: where the chip computes something else than the real-valued layer, beside rounding.
        before_rounding: parameters that depend on trained weights or biases, as they were before they were rounded.
    """

    neuron: IntegerNeuron
    parameters: Mapping[str, Any]
    notes: list[str] = field(default_factory=list)
    before_rounding: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Reach:
    """How far a population can get, in real units.

    Attributes:
        membrane: largest magnitude of its membrane where nothing resets it.
        current: largest magnitude of its current, or of what arrives at one step where it has none.
        arriving: largest magnitude of what arrives at one step.
    """

    membrane: float
    current: float
    arriving: float


class Profile(ABC):
    """The arithmetic of a kind of chip.

    Attributes:
        name: registered name.
        title: in words.
        bits: smallest and largest number of bits of a weight.
        per_unit: membrane units that a weight of one adds.
        exponents: smallest and largest exponent of a connection.
        per_row: whether each neuron, or each feature map, may have its own threshold, so that it may have its own unit.
        pools: whether events can be summed over windows before the weights apply.
        steps_per_connection: steps that each connection between populations takes at least.
        steps_from_input: steps that a connection from the input takes at least.
        longest_delay: steps; the longest that a connection may take beyond these.
        graded_inputs: smallest and largest message from outside.
    """

    name: str
    title: str
    bits: tuple[int, int] = (2, 8)
    per_unit: int = 1
    exponents: tuple[int, int] = (0, 0)
    per_row: bool = False
    pools: bool = False
    steps_per_connection: int = 0
    steps_from_input: int = 0
    longest_delay: int = 2**15
    graded_inputs: tuple[int, int] = (0, 1)

    @abstractmethod
    def grid(self, weights: np.ndarray, bits: int) -> Grid:
        """The weights that can be stored for a connection with these real ones."""

    def input_factor(self, population: RealPopulation) -> torch.Tensor:
        """By what the weights into a layer are multiplied first, where the chip's neuron takes its input otherwise."""
        return torch.ones((), dtype=torch.float64)

    @abstractmethod
    def limits(self, population: RealPopulation, reach: Reach) -> list[Limit]:
        """What the unit of a population must make room for."""

    @abstractmethod
    def fit(self, population: RealPopulation, unit: np.ndarray) -> Fitted:
        """The layer with its membrane counted in ``unit``, one for all or one for each row of its shape.

        Raises:
            CannotLower: if the chip has nothing that behaves like it; says what would.
        """

    def started_late(self, steps: int) -> Mapping[str, int] | None:
        """Parameters that empty a neuron after so many steps, so that its bias starts then; None if there are none."""
        return None


def numbers(value: torch.Tensor) -> np.ndarray:
    """A real parameter as an array."""
    found: np.ndarray = value.detach().cpu().numpy()
    return found


def along_rows(unit: np.ndarray, dimensions: int) -> torch.Tensor:
    """Units [rows] so that they broadcast to a population's shape."""
    return torch.as_tensor(unit.reshape(-1, *[1] * (dimensions - 1)) if unit.size > 1 else unit.reshape(()))


def whole(value: np.ndarray | torch.Tensor) -> Any:
    """Rounded, as a plain number where all are alike."""
    value = numbers(value) if isinstance(value, torch.Tensor) else value
    rounded = np.rint(value).astype(np.int64)
    return int(rounded.flat[0]) if rounded.size and (rounded == rounded.flat[0]).all() else rounded


def one_for_all(value: torch.Tensor, what: str, chip: str) -> float:
    """The one value of a parameter.

    Raises:
        CannotLower: if it differs between neurons.
    """
    values = numbers(value)
    if values.size > 1 and np.ptp(values) > 1e-9 * max(1.0, float(np.abs(values).max())):
        raise CannotLower(f"has {what} that differ between neurons; {chip} has one for a population: split the layer")
    return float(values.flat[0])


def refuse_other_subtraction(population: RealPopulation, chip: str) -> None:
    """Chips that subtract take the threshold off.

    Raises:
        CannotLower: if the layer takes off something else than lies between its rest and its threshold.
    """
    taken, threshold = population.form.v_subtract, population.form.v_threshold
    if taken is not None and threshold is not None and bool(((taken - threshold).abs() > 1e-9 * taken.abs()).any()):
        raise CannotLower(
            f"takes off another amount than lies between its rest and its threshold; {chip} takes the threshold off: "
            f"set v_leak=0, or use the profile 'generic'"
        )

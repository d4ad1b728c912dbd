"""Chooses the real value of one integer unit, so that few bits of weight lose least.

A population's spikes do not change when its weights, bias and threshold are all multiplied by one number, so its unit
is free: it is chosen by what rounding does to the weights. Connections into one population share its unit; each may
shift it by a power of two, its exponent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Method = Literal["mse", "max", "percentile"]
METHODS = ("mse", "max", "percentile")


@dataclass(frozen=True)
class Grid:
    """The weights that can be stored: ``multiple · k`` for whole k from ``low`` to ``high``."""

    low: int
    high: int
    multiple: int = 1

    def levels(self, weight: np.ndarray, step: np.ndarray | float) -> np.ndarray:
        """The nearest k for each weight, when one k is worth ``step``."""
        return np.clip(np.rint(weight / step), self.low, self.high)


@dataclass(frozen=True)
class Weights:
    """Weights of one connection.

    Attributes:
        values: [rows, weights of a row], in units of the target's membrane and of the source's messages.
        grid: what can be stored.
        per_unit: membrane units that one stored weight of one adds before the exponent.
    """

    values: np.ndarray
    grid: Grid
    per_unit: int


@dataclass(frozen=True)
class Limit:
    """Something that must fit into a chip's numbers.

    Attributes:
        value: real, one [1] or one for each row [rows].
        most: the largest whole number that may hold it.
        hard: whether weights give up levels for it, where no exponent makes room.
    """

    value: np.ndarray
    most: float
    hard: bool = True


@dataclass(frozen=True)
class Scales:
    """What was chosen.

    Attributes:
        unit: real value of one unit of the membrane, one [1] or one for each row [rows].
        exponents: one for each connection.
    """

    unit: np.ndarray
    exponents: list[int]


def best_step(values: np.ndarray, grid: Grid, method: Method, percentile: float = 99.9) -> np.ndarray:
    """The step between neighbouring levels for each row of values [rows, N]; 0 where a row has no weights but zeros.

    "max" represents the largest weight; "percentile" that share of a row's weights; "mse" has the smallest mean squared
    error among steps up to that of "max".
    """
    largest = _needed(values, grid, 100.0)
    if method == "max":
        return largest
    if method == "percentile":
        return _needed(values, grid, percentile)
    best, least = largest.copy(), np.full(len(values), np.inf)
    # few levels are best spent on the many small weights; the largest may then be cut to a fraction
    lowest = 0.1 if grid.high - grid.low < 16 else 0.4
    for fraction in np.linspace(lowest, 1.0, 46):
        step = largest * fraction
        error = squared_error(values, grid, step)
        better = error < least
        best[better], least[better] = step[better], error[better]
    return best


def squared_error(values: np.ndarray, grid: Grid, step: np.ndarray) -> np.ndarray:
    """Mean squared error of each row after rounding to multiples of the row's step."""
    safe = np.where(step > 0, step, 1.0)[:, None]
    rounded = grid.levels(values, safe) * safe
    errors: np.ndarray = np.square(rounded - values).mean(1) if values.shape[1] else np.zeros(len(values))
    return errors


def _needed(values: np.ndarray, grid: Grid, percentile: float) -> np.ndarray:
    if not values.shape[1]:
        return np.zeros(len(values))
    if percentile == 100:
        above, below = np.maximum(values.max(1), 0), np.maximum(-values.min(1), 0)
    else:
        above = np.percentile(np.maximum(values, 0), percentile, axis=1)
        below = np.percentile(np.maximum(-values, 0), percentile, axis=1)
    needed = above / grid.high if grid.high else np.zeros(len(values))
    if grid.low:
        needed = np.maximum(needed, below / -grid.low)
    return needed


def choose_scales(
    connections: Sequence[Weights],
    limits: Sequence[Limit],
    exponents: tuple[int, int],
    per_row: bool,
    method: Method = "mse",
    percentile: float = 99.9,
) -> Scales:
    """The unit of a population and the exponents of the connections into it.

    Args:
        connections: into the population.
        limits: the threshold, the range of the membrane, ...: the unit is made large enough for each of them.
        exponents: smallest and largest that the target has.
        per_row: one unit for each row.
        method: how a step is chosen, see ``best_step``.
        percentile: for "percentile".
    """
    rows = max((len(c.values) for c in connections), default=1)
    given = list(connections)
    connections = [c for c in given if np.any(c.values)]
    floor, soft = np.zeros(1), np.zeros(1)
    for limit in limits:
        soft = np.maximum(soft, np.abs(limit.value) / limit.most)
        floor = np.maximum(floor, np.abs(limit.value) / limit.most) if limit.hard else floor
    if not connections:
        unit = np.where(floor > 0, floor, 1.0)
        return Scales(unit if per_row else unit.max(keepdims=True), [0] * len(given))
    values, chosen = _units(connections, per_row and rows > 1, exponents, method, percentile, rows)
    scales = _in_range(values, chosen, [c.grid for c in connections], (floor, soft), exponents, per_row)
    of = dict(zip(map(id, connections), scales.exponents, strict=True))
    return Scales(scales.unit, [of.get(id(c), 0) for c in given])


def _units(
    connections: Sequence[Weights],
    per_row: bool,
    exponents: tuple[int, int],
    method: Method,
    percentile: float,
    rows: int,
) -> tuple[np.ndarray, list[int]]:
    """Units before they are brought into range, and exponents that go with them."""
    if per_row and len(connections) == 1:
        (c,) = connections
        steps = best_step(c.values, c.grid, method, percentile) / float(_step(c, 1.0, 0))
        # rows without weights take any unit that others have
        return np.where(steps > 0, steps, steps.max()), [0]
    together = [Weights(c.values.reshape(1, -1), c.grid, c.per_unit) for c in connections]
    best = [best_step(c.values, c.grid, method, percentile)[0] for c in together]
    shared, chosen = _shared_unit(together, best, exponents)
    if not per_row:
        return np.array([shared]), chosen
    return _unit_of_rows(connections, shared, chosen, rows), chosen


def _step(c: Weights, unit: np.ndarray | float, exponent: int) -> np.ndarray:
    step: np.ndarray = np.asarray(unit, np.float64) * c.per_unit * c.grid.multiple * 2.0**exponent
    return step


def _lowest(grid: Grid, exponents: tuple[int, int]) -> int:
    # a right shift must not cut stored bits off: chips differ in where they shift
    return max(exponents[0], -int(np.log2(grid.multiple)))


def _shared_unit(
    connections: Sequence[Weights], steps: list[float], exponents: tuple[int, int]
) -> tuple[float, list[int]]:
    """One unit for all connections and the exponent of each, by the sum of squared errors."""
    alone = [step / float(_step(c, 1.0, 0)) for c, step in zip(connections, steps, strict=True)]
    base = int(np.argmax([np.square(c.values).sum() for c in connections]))
    if len(connections) == 1:
        return alone[0], [0]
    best: tuple[float, float, list[int]] = (np.inf, alone[base], [0] * len(connections))
    low, high = exponents
    spread = 1 if high > low else 5
    for j in range(-16 * spread, 16 * spread):
        unit = alone[base] * 2.0 ** (j / 16)
        # exponents count from that of the base connection; they are moved into their range afterwards
        found = [int(np.clip(np.rint(np.log2(own / unit)), low - high, high - low)) for own in alone]
        error = sum(
            float(squared_error(c.values, c.grid, np.array([_step(c, unit, e)]))[0]) * c.values.size
            for c, e in zip(connections, found, strict=True)
        )
        if error < best[0]:
            best = (error, unit, found)
    return best[1], best[2]


def _unit_of_rows(connections: Sequence[Weights], unit: float, chosen: list[int], rows: int) -> np.ndarray:
    """A unit for each row, when exponents are given."""
    best, least = np.full(rows, unit), np.full(rows, np.inf)
    for j in range(-48, 17):
        candidate = np.full(rows, unit * 2.0 ** (j / 16))
        error = np.zeros(rows)
        for c, e in zip(connections, chosen, strict=True):
            error += squared_error(np.broadcast_to(c.values, (rows, c.values.shape[1])), c.grid, _step(c, candidate, e))
        better = error < least
        best[better], least[better] = candidate[better], error[better]
    return best


def _in_range(
    unit: np.ndarray,
    chosen: list[int],
    grids: list[Grid],
    floors: tuple[np.ndarray, np.ndarray],
    exponents: tuple[int, int],
    per_row: bool,
) -> Scales:
    """Moves unit and exponents together by a power of two: as fine a unit as fits, within the exponents' range."""
    floor, soft = floors
    finer = min(exponents[1] - e for e in chosen)
    needed = np.max(soft / unit)
    if needed > 0:
        finer = min(finer, int(np.floor(-np.log2(needed))))
    finer = max(finer, max(_lowest(g, exponents) - e for g, e in zip(grids, chosen, strict=True)))
    unit = unit / 2.0**finer
    # where no exponent makes room, weights must use fewer of their levels
    unit = np.maximum(unit, floor if per_row else floor.max())
    return Scales(unit, [e + finer for e in chosen])

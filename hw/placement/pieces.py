"""Populations cut into pieces, and which synapses end in a piece."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne, pooled_shape
from spikelab.hw.ir import IntegerGraph, Population
from spikelab.hw.target import CUTS

Range = tuple[int, int]


@dataclass(frozen=True)
class Piece:
    """A block of neurons of a population.

    Attributes:
        population: its name.
        ranges: first and last + 1 along each dimension of the population's shape.
        of: the population's shape.
    """

    population: str
    ranges: tuple[Range, ...]
    of: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the block."""
        return tuple(stop - start for start, stop in self.ranges)

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    @property
    def whole(self) -> bool:
        """Whether it is all of the population."""
        return self.shape == self.of

    @property
    def title(self) -> str:
        """Name and, of a part, which: "conv1, channels 0 to 15"."""
        names = ("neurons",) if len(self.ranges) == 1 else CUTS
        parts = [
            f"{name} {start} to {stop - 1}"
            for name, (start, stop), length in zip(names, self.ranges, self.of, strict=False)
            if stop - start < length
        ]
        return ", ".join([self.population, *parts])


def neurons_of(piece: Piece, shape: Sequence[int]) -> np.ndarray:
    """Indices of the neurons of a piece in its population, flattened in C order."""
    every = np.arange(math.prod(shape)).reshape(tuple(shape))
    return every[tuple(slice(start, stop) for start, stop in piece.ranges)].ravel()


class Pieces:
    """A graph whose populations are cut, along up to three dimensions, into even blocks.

    Args:
        graph: the network.
        order: along what is cut first, second and third; names of ``CUTS``.
        most: a population is cut into at most so many pieces.
    """

    def __init__(self, graph: IntegerGraph, order: Sequence[str] = CUTS, most: int = 2**20):
        self.graph, self.order, self.most = graph, tuple(order), most
        self.parts = {p.name: (1,) * len(p.shape) for p in graph.populations}
        self._of = {p.name: p for p in graph.populations}
        self._kept: dict[Any, Any] = {}

    def population(self, name: str) -> Population:
        """The population of that name."""
        return self._of[name]

    def kept(self, key: Any, make: Any) -> Any:
        """What ``make()`` gives, made once for a key."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def count(self, name: str) -> int:
        """How many pieces a population has; an input has one."""
        return math.prod(self.parts.get(name, (1,)))

    def of(self, name: str) -> list[Piece]:
        """The pieces of a population."""
        shape, parts = self._of[name].shape, self.parts[name]
        return list(self.kept(("pieces", name, parts), lambda: _cut(name, shape, parts)))

    def channel_parts(self, name: str) -> int:
        """Into how many the channels of a population are cut; an input is never cut."""
        parts = self.parts.get(name)
        return parts[0] if parts else 1

    def smallest(self, name: str) -> Piece:
        """A piece that cannot be cut further, in the middle of a population."""
        shape = self._of[name].shape
        cuttable = {CUTS.index(cut) for cut in self.order}
        ranges = [
            (length // 2, length // 2 + 1) if place in cuttable else (0, length) for place, length in enumerate(shape)
        ]
        return Piece(name, tuple(ranges), shape)

    def finer(self, name: str, factor: float) -> list[tuple[int, ...]]:
        """Ways to cut a population into up to ``factor`` times, but at most twice, as many pieces; in order."""
        shape, parts, found = self._of[name].shape, self.parts[name], []
        for cut in self.order:
            place = CUTS.index(cut)
            if place >= len(shape) or parts[place] == shape[place]:
                continue
            made = min(shape[place], max(parts[place] + 1, math.ceil(parts[place] * min(factor, 2))))
            changed = (*parts[:place], made, *parts[place + 1 :])
            if math.prod(changed) <= self.most:
                found.append(changed)
        return found


def _cut(name: str, shape: tuple[int, ...], parts: tuple[int, ...]) -> list[Piece]:
    edges = [
        [(length * k // count, length * (k + 1) // count) for k in range(count)]
        for length, count in zip(shape, parts, strict=True)
    ]
    return [Piece(name, ranges, shape) for ranges in itertools.product(*edges)]


@dataclass(frozen=True)
class Taps:
    """How a convolution reaches a piece: along rows and along columns.

    Attributes:
        rows: [input rows, kernel rows]: row of the piece's population that is reached, or -1.
        columns: likewise.
        channels: output channels of the piece.
    """

    rows: np.ndarray
    columns: np.ndarray
    channels: Range


def taps(connection: Connection, source: tuple[int, ...], piece: Piece) -> Taps:
    """The taps of a convolution that end in a piece, after pooling."""
    weights = connection.weights
    assert isinstance(weights, Convolution)
    _, height, width = pooled_shape(connection.pool, source)
    found = []
    for axis, length in enumerate((height, width)):
        place = np.arange(length)[:, None] + weights.padding[axis]
        place = place - np.arange(weights.weight.shape[2 + axis])[None, :] * weights.dilation[axis]
        reached, left = np.divmod(place, weights.stride[axis])
        start, stop = piece.ranges[1 + axis]
        found.append(np.where((left == 0) & (reached >= start) & (reached < stop), reached, -1))
    return Taps(found[0], found[1], piece.ranges[0])


def matrix_into(connection: Connection, target: Population, piece: Piece) -> np.ndarray:
    """Weights [neurons of the piece, sources] of a dense connection."""
    weights = connection.weights
    assert isinstance(weights, Dense)
    if piece.whole:
        return weights.weight
    return weights.weight[neurons_of(piece, target.shape)]


def weights_of_one_to_one(connection: Connection, target: Population, piece: Piece) -> np.ndarray:
    """The weight of each neuron of a piece."""
    weights = connection.weights
    assert isinstance(weights, OneToOne)
    every = np.broadcast_to(weights.weight.reshape(-1), (target.size,))
    return every[neurons_of(piece, target.shape)]


def stored_weights_of(connection: Connection, target: Population, piece: Piece) -> np.ndarray:
    """All weights that a piece must keep of a connection, each once."""
    weights = connection.weights
    if isinstance(weights, Convolution):
        start, stop = piece.ranges[0]
        return weights.weight[start:stop]
    if isinstance(weights, Dense):
        return matrix_into(connection, target, piece)
    return weights.weight if weights.weight.size == 1 else weights_of_one_to_one(connection, target, piece)


def synapses_into(connection: Connection, source: tuple[int, ...], target: Population, piece: Piece) -> int:
    """Number of weights that are not zero and end in a piece; those of a convolution count once for each place."""
    weights = connection.weights
    if isinstance(weights, Dense):
        return int(np.count_nonzero(matrix_into(connection, target, piece)))
    if isinstance(weights, OneToOne):
        return int(np.count_nonzero(weights_of_one_to_one(connection, target, piece)))
    found = taps(connection, source, piece)
    start, stop = found.channels
    nonzero = np.count_nonzero(weights.weight[start:stop], axis=(0, 1))
    places = np.outer((found.rows >= 0).sum(0), (found.columns >= 0).sum(0))
    return int((nonzero * places).sum())


def outputs_of(graph: IntegerGraph) -> set[str]:
    """Populations that are given out: those that say so, or else those that send to nobody."""
    if graph.outputs:
        return {output.population for output in graph.outputs}
    sending = {c.source for c in graph.connections}
    return {p.name for p in graph.populations} - sending


def stated(population: Population, name: str) -> np.ndarray:
    """A parameter's value, or its default."""
    declared: Mapping[str, Any] = {p.name: p.default for p in population.neuron.parameters}
    return np.asarray(population.parameters.get(name, declared[name]))

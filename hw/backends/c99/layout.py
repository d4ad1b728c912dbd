"""What has to be known of a graph before a line of C is printed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from spikelab.hw.backends.c99.integer_types import index_type, signed_type, size_of
from spikelab.hw.connections import Connection, pooled_shape
from spikelab.hw.intervals import Range
from spikelab.hw.ir import IntegerGraph, Output, Population
from spikelab.hw.neuron import STEP
from spikelab.hw.ranges import NeuronRanges


@dataclass
class Sums:
    """Sums on their way to a port.

    Attributes:
        name: in C.
        port: where they go.
        extent: range in units of 2^scale, of whole sums and of all their parts.
        scale: each unit counts 2^scale.
        connection: the only one that adds to it, where its sum is shifted or wrapped; else None.
        delivered: range of what reaches the port.
        ring: whether there is a slot for each step ahead.
    """

    name: str
    port: str
    extent: Range
    scale: int
    connection: Connection | None
    delivered: Range
    ring: bool = False

    @property
    def ctype(self) -> str:
        """Narrowest type of at least 16 bits: sums of 8 save little and cost conversions."""
        return signed_type((min(self.extent[0], -(2**15)), self.extent[1]))


@dataclass(frozen=True)
class Link:
    """One connection as it will be delivered.

    Attributes:
        name: of its function in C.
        connection: what it is.
        weight: its weights, with common halvings taken out.
        delay: further steps a weight [targets, sources]; None where all arrive together.
        sums: where it adds to.
        factor: what a weight counts in units of the sums.
        offset: slots from the present one to that of the shortest delay.
        history: so many steps ago the source sent what is delivered; 0: in this step.
        early: delivered before the target steps; else after all have stepped.
        why: how its delay is kept, in words.
    """

    name: str
    connection: Connection
    weight: np.ndarray
    delay: np.ndarray | None
    sums: Sums
    factor: int
    offset: int
    history: int
    early: bool
    why: str


@dataclass
class Source:
    """An input or a population as others hear it.

    Attributes:
        name: in C.
        shape: of it.
        message: range of what it sends.
        history: lists of events that it keeps beside that of this step.
    """

    name: str
    shape: tuple[int, ...]
    message: Range
    history: int = 0

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    @property
    def index_type(self) -> str:
        """Of a neuron's number."""
        return index_type(self.size)

    @property
    def silent(self) -> bool:
        """Whether it never sends."""
        return self.message == (0, 0)

    @property
    def value_type(self) -> str:
        """Of a message; "" where the only one is 1."""
        return "" if self.message[0] >= 0 and self.message[1] <= 1 else signed_type(self.message)

    @property
    def event_bytes(self) -> int:
        """What one event takes in a list."""
        return size_of(self.index_type) + (size_of(self.value_type) if self.value_type else 0)


@dataclass
class PopulationPlan:
    """One population.

    Attributes:
        population: what it is.
        source: as others hear it.
        ranges: of all its values.
        states: state -> type in memory.
        fields: state -> its name in C.
        sums: what arrives.
        slots: of rings of sums; 1 for none.
        places: bits that say who is awake: one for each neuron, or one for all channels of a place.
        sleeps: whether neurons that rest are skipped.
        checked: states, and "message", whose ranges are assumed and looked after in every step.
    """

    population: Population
    source: Source
    ranges: NeuronRanges
    states: dict[str, str]
    fields: dict[str, str]
    sums: list[Sums]
    slots: int
    places: int
    sleeps: bool
    checked: tuple[str, ...]

    @property
    def uses_step(self) -> bool:
        """Whether any equation asks for the number of the step."""
        return any(STEP in {s.name for s in line.value.free_symbols} for line in self.ranges.lines)

    @property
    def words(self) -> int:
        """Words of 32 bits that hold who is awake."""
        return -(-self.places // 32)


@dataclass
class Plan:
    """Everything that printing needs."""

    graph: IntegerGraph
    name: str
    inputs: dict[str, Source] = field(default_factory=dict)
    populations: dict[str, PopulationPlan] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    outputs: dict[str, Output] = field(default_factory=dict)

    def source(self, name: str) -> Source:
        """An input or a population."""
        return self.inputs[name] if name in self.inputs else self.populations[name].source

    def shape_into(self, link: Link) -> tuple[int, ...]:
        """Shape of a link's source after pooling."""
        return pooled_shape(link.connection.pool, self.source(link.connection.source).shape)

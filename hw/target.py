"""What a chip or a microcontroller offers: data only, each number with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: A number was read in a public document or program, or it was worked out or guessed by us.
DOCUMENTED, ESTIMATE = "documented", "estimate"
STATUSES = (DOCUMENTED, ESTIMATE)
#: How populations are laid on cores: several on a core, one on a core, or everything on the only core.
PACKINGS = ("shared", "matching", "whole")
#: Along what a population may be cut: the first dimension of its shape (or its neurons), the second, the third.
CUTS = ("channels", "rows", "columns")
#: How a weight is stored: two's complement, or Loihi's sign modes.
WEIGHT_FORMATS = ("two_complement", "loihi_sign_modes")


@dataclass(frozen=True)
class Number:
    """A number with its source.

    Attributes:
        value: the number; several where only these are allowed; smallest and largest where it is a range.
        unit: in words.
        source: where it is from.
        status: "documented" or "estimate".
    """

    value: int | tuple[int, ...]
    unit: str
    source: str
    status: str = DOCUMENTED

    @property
    def most(self) -> int:
        """The number, or the largest of several."""
        return self.value if isinstance(self.value, int) else max(self.value)

    @property
    def least(self) -> int:
        """The number, or the smallest of several."""
        return self.value if isinstance(self.value, int) else min(self.value)

    @property
    def allowed(self) -> tuple[int, ...]:
        """All that are allowed."""
        return (self.value,) if isinstance(self.value, int) else self.value


@dataclass(frozen=True)
class Resource:
    """Something that populations use up.

    Attributes:
        title: in words.
        unit: in words, plural.
        cost: name of a function in ``spikelab.hw.placement.resources``: how much a piece of a population needs.
        source: where the function is from.
        status: of the function.
        options: numbers that the function takes.
    """

    title: str
    unit: str
    cost: str
    source: str
    status: str = DOCUMENTED
    options: Mapping[str, Number] = field(default_factory=dict)


@dataclass(frozen=True)
class CoreClass:
    """Cores that are alike.

    Attributes:
        count: how many there are.
        capacity: resource -> how much each has.
    """

    count: Number
    capacity: Mapping[str, Number]


@dataclass(frozen=True)
class Target:
    """A chip or a microcontroller.

    Attributes:
        name: short.
        title: as people call it.
        status: "documented", or "estimate" where the whole description is one.
        profile: registered name of its arithmetic.
        neurons: registered names of the integer neurons that it can run.
        weight_format: one of ``WEIGHT_FORMATS``.
        steps: what a time step is on it.
        packing: one of ``PACKINGS``.
        split: along what populations may be cut, in order of preference; empty if they may not.
        resources: name -> what is used up, and how it is counted.
        cores: in the order in which the chip numbers them.
        chip: resource -> how much all cores together have, where that is less than their sum.
        limits: name -> number; ``spikelab.hw.placement.limits`` says what each means.
        parameters: parameter of a neuron -> smallest and largest value.
        mesh: columns and rows in which cores are drawn, and along which neighbours are kept close.
        notes: what a reader should know.
        path: the file that it was read from.
    """

    name: str
    title: str
    status: str
    profile: str
    neurons: tuple[str, ...]
    weight_format: str
    steps: str
    packing: str
    split: tuple[str, ...]
    resources: Mapping[str, Resource]
    cores: tuple[CoreClass, ...]
    chip: Mapping[str, Number] = field(default_factory=dict)
    limits: Mapping[str, Number] = field(default_factory=dict)
    parameters: Mapping[str, Number] = field(default_factory=dict)
    mesh: Number | None = None
    notes: tuple[str, ...] = ()
    path: Path | None = None

    @property
    def capacities(self) -> list[Mapping[str, Number]]:
        """What each core has, core by core."""
        return [kind.capacity for kind in self.cores for _ in range(kind.count.most)]

    def largest(self, resource: str) -> Number:
        """The most that a core has of a resource."""
        return max((kind.capacity[resource] for kind in self.cores), key=lambda number: number.most)

    def status_of(self, resource: str) -> str:
        """Whether a share of a resource is an estimate: its formula, its capacity or an option is one."""
        found = self.resources[resource]
        parts = [found.status, *(option.status for option in found.options.values())]
        parts += [kind.capacity[resource].status for kind in self.cores if resource in kind.capacity]
        parts += [self.chip[resource].status] if resource in self.chip else []
        return ESTIMATE if ESTIMATE in [self.status, *parts] else DOCUMENTED

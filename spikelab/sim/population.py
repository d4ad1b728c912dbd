"""Populations: neurons of one kind, or sources of spikes, and ranges of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from spikelab.neurons.spec import NeuronSpec

if TYPE_CHECKING:
    from spikelab.sim.sources import SpikeSource

#: Identities of neurons are 32-bit numbers.
LARGEST = 2**31 - 1


@dataclass(frozen=True, eq=False, repr=False)
class Group:
    """A contiguous range of a population's neurons, from which and to which projections run.

    ``group[a:b]`` is a narrower range. A population is itself a group: all of it.

    Attributes:
        population: the population it is part of.
        first: its first neuron.
        size: how many.
    """

    population: Population
    first: int
    size: int

    def __getitem__(self, range_: slice) -> Group:
        if not isinstance(range_, slice):
            raise TypeError(f"{self}: takes a range of neurons such as [:100], not [{range_!r}]")
        start, stop, step = range_.indices(self.size)
        if step != 1:
            raise ValueError(f"{self}: a group is a contiguous range; [{range_.start}:{range_.stop}:{step}] is not")
        return Group(self.population, self.first + start, max(0, stop - start))

    def __len__(self) -> int:
        return self.size

    def __str__(self) -> str:
        if self.size == self.population.size:
            return self.population.name
        return f"{self.population.name}[{self.first}:{self.first + self.size}]"

    def __repr__(self) -> str:
        return f"<group {self}, {self.size} neurons>"


@dataclass(frozen=True, eq=False, repr=False)
class Population:
    """Neurons of one kind, or a source of spikes. Made by ``Network.population`` and ``Network.source``.

    Attributes:
        name: its name in the network.
        size: number of neurons.
        neuron: the equations, receptors included; None for a source.
        receptors: receptor -> unit of a weight; always has "current", the neuron's input itself.
        parameters: every parameter of the equations: one number, or float64 [size].
        initial: state -> starting value, one number or float64 [size]; the others start as the equations say.
        refractory: refractory time in seconds, 0 for none.
        method: discretisation; "" takes the neuron's own.
        reset: one of the neuron's resets; "" takes its own.
        bias: constant input, one number or float64 [size].
        sign: "excitatory" or "inhibitory" where all outgoing weights must have one sign (Dale's law), else "".
        positions: of the neurons in space, float64 [size, 2 or 3] in metres, or None.
        source: what emits the spikes, for a population without equations.
        given: what parameters, starting values ("initial v") and the bias were drawn from, where from a distribution.
    """

    name: str
    size: int
    neuron: NeuronSpec | None = None
    receptors: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, float | np.ndarray] = field(default_factory=dict)
    initial: Mapping[str, float | np.ndarray] = field(default_factory=dict)
    refractory: float = 0.0
    method: str = ""
    reset: str = ""
    bias: float | np.ndarray = 0.0
    sign: str = ""
    positions: np.ndarray | None = None
    source: SpikeSource | None = None
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def conductances(self) -> frozenset[str]:
        """The receptors that open a conductance towards a reversal potential: their weights are never negative."""
        return frozenset(name for name in self.receptors if f"reversal_{name}" in self.parameters)

    @property
    def all(self) -> Group:
        """All its neurons, as a group."""
        return Group(self, 0, self.size)

    def __getitem__(self, range_: slice) -> Group:
        return self.all[range_]

    def __len__(self) -> int:
        return self.size

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        kind = self.neuron.name if self.neuron is not None else type(self.source).__name__
        return f"<population {self.name}, {self.size} of {kind}>"


def as_group(choice: Any, what: str) -> Group:
    """A population or a group as a group.

    Raises:
        TypeError: for anything else.
    """
    if isinstance(choice, Population):
        return choice.all
    if isinstance(choice, Group):
        return choice
    raise TypeError(f"{what}: takes a population or a range of one, such as cells[:100]; got {type(choice).__name__}")

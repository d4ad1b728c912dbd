"""The integer graph: populations and connections, everything in whole numbers.

It is what a network is lowered to. The simulator, C code, netx and every other back end read this one object, so that
being equal bit for bit is a property of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from spikelab.hw.connections import Connection, shape_problem
from spikelab.hw.neuron import MESSAGE, IntegerNeuron, IntegerParameter


@dataclass(frozen=True)
class Population:
    """Neurons of one kind.

    Attributes:
        name: unique in the graph.
        neuron: the kind.
        shape: of the population, such as (N,) or (C, H, W).
        parameters: parameter -> a number, or an array that broadcasts to the shape; int64. Those left out have their
            default.
        scale: real value of one unit of the membrane, where the graph came from a real-valued one: one for all neurons,
            or one for each along the first dimension; empty where it has no meaning.
    """

    name: str
    neuron: IntegerNeuron
    shape: tuple[int, ...]
    parameters: Mapping[str, np.ndarray | int] = field(default_factory=dict)
    scale: tuple[Fraction, ...] = ()

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Input:
    """What comes from outside.

    Attributes:
        shape: of one step, such as (N,) or (C, H, W).
        low: smallest message; spikes are 0 and 1.
        high: largest.
        scale: real value of a message of one; None where it has no meaning.
    """

    shape: tuple[int, ...]
    low: int = 0
    high: int = 1
    scale: Fraction | None = None


@dataclass(frozen=True)
class Output:
    """What is given out.

    Attributes:
        name: unique among outputs.
        population: where it comes from.
        value: "message", or one of the population's states.
        lag: by how many steps it comes later than in the real-valued network that the graph was made from.
    """

    name: str
    population: str
    value: str = MESSAGE
    lag: int = 0


class IntegerGraphError(ValueError):
    """An integer graph that makes no sense; says everything that is wrong with it."""


@dataclass(frozen=True)
class IntegerGraph:
    """Populations and connections.

    Attributes:
        inputs: name -> what comes from outside.
        populations: in the order in which they are updated within a step.
        connections: between them.
        dt: length of a step in seconds; None where it has no meaning.
        outputs: what is given out, where it was said.

    Raises:
        IntegerGraphError: if names, shapes or parameters do not fit.
    """

    inputs: Mapping[str, Input]
    populations: Sequence[Population]
    connections: Sequence[Connection]
    dt: float | None = None
    outputs: Sequence[Output] = ()

    def __post_init__(self) -> None:
        problems = [*self._name_problems(), *self._parameter_problems()]
        problems = problems or self._connection_problems()
        if problems:
            raise IntegerGraphError("\n".join(problems))

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Shape of an input or a population."""
        shapes = {name: given.shape for name, given in self.inputs.items()}
        return {**shapes, **{p.name: p.shape for p in self.populations}}[name]

    def population(self, name: str) -> Population:
        """The population of that name."""
        return next(p for p in self.populations if p.name == name)

    def into(self, target: str) -> list[Connection]:
        """The connections that end in a population."""
        return [c for c in self.connections if c.target == target]

    def _name_problems(self) -> list[str]:
        names = [*self.inputs, *(p.name for p in self.populations)]
        problems = [
            f"the name {name!r} is used {names.count(name)} times" for name in sorted({*names}) if names.count(name) > 1
        ]
        targets = {p.name: p for p in self.populations}
        for c in self.connections:
            where = f"connection {c.source!r} -> {c.target!r}"
            if c.source not in names:
                problems.append(f"{where}: there is no {c.source!r}; known are {', '.join(names)}")
            if c.target not in targets:
                problems.append(f"{where}: there is no population {c.target!r}; known are {', '.join(targets)}")
            elif c.port not in targets[c.target].neuron.inputs:
                known = ", ".join(targets[c.target].neuron.inputs)
                problems.append(f"{where}: a {targets[c.target].neuron.name} has no input {c.port!r}; it has {known}")
        for output in self.outputs:
            if output.population not in targets:
                problems.append(f"output {output.name!r}: there is no population {output.population!r}")
            elif output.value not in (MESSAGE, *(s.name for s in targets[output.population].neuron.states)):
                problems.append(f"output {output.name!r}: {output.population!r} has no {output.value!r}")
        given = [output.name for output in self.outputs]
        problems += [f"the output {name!r} is given twice" for name in sorted({*given}) if given.count(name) > 1]
        problems += [f"input {name!r}: low > high" for name, i in self.inputs.items() if i.low > i.high]
        return problems

    def _parameter_problems(self) -> list[str]:
        problems = []
        for population in self.populations:
            declared = {p.name: p for p in population.neuron.parameters}
            unknown = set(population.parameters) - set(declared)
            problems += [
                f"population {population.name!r}: a {population.neuron.name} has no parameter {name!r}; "
                f"it has {', '.join(declared)}"
                for name in sorted(unknown)
            ]
            for name, parameter in declared.items():
                if name not in population.parameters:
                    if parameter.default is None:
                        problems.append(f"population {population.name!r}: {name} ({parameter.meaning}) is missing")
                    continue
                problems += _value_problems(population, parameter)
        return problems

    def _connection_problems(self) -> list[str]:
        problems = []
        place = {p.name: k for k, p in enumerate(self.populations)}
        for c in self.connections:
            where = f"connection {c.source!r} -> {c.target!r}"
            source, target = self.shape_of(c.source), self.shape_of(c.target)
            problem = shape_problem(c, source, target)
            problems += [f"{where}: {problem}"] if problem else []
            if c.delay < 0 or (c.delay == 0 and place.get(c.source, -1) >= place[c.target]):
                problems.append(
                    f"{where}: a delay of {c.delay} steps would need a spike before it is sent; use 1 or more"
                )
        return problems


def _value_problems(population: Population, parameter: IntegerParameter) -> list[str]:
    value, low, high = np.asarray(population.parameters[parameter.name]), parameter.low, parameter.high
    where = f"population {population.name!r}: {parameter.name}"
    if value.dtype.kind not in "iu":
        return [f"{where} is {value.dtype}, not whole numbers"]
    try:
        np.broadcast_to(value, population.shape)
    except ValueError:
        return [f"{where} has shape {list(value.shape)}, which does not fit neurons of shape {list(population.shape)}"]
    if value.size > 1 and not parameter.per_neuron and (value != value.flat[0]).any():
        return [f"{where} differs between neurons; a {population.neuron.name} has one for a population: split it"]
    if value.size and (value.min() < low or value.max() > high):
        return [f"{where} = {value.min()} to {value.max()} lies outside {low} to {high}"]
    return []

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

from spikelab.hw.neuron import IntegerNeuron, IntegerParameter


@dataclass(frozen=True)
class Population:
    """Neurons of one kind.

    Attributes:
        name: unique in the graph.
        neuron: the kind.
        shape: of the population, such as (N,) or (C, H, W).
        parameters: parameter -> a number, or an array that broadcasts to the shape; int64. Those left out have their
            default.
        scale: real value of one unit of the membrane, where the graph came from a real-valued one.
    """

    name: str
    neuron: IntegerNeuron
    shape: tuple[int, ...]
    parameters: Mapping[str, np.ndarray | int] = field(default_factory=dict)
    scale: Fraction | None = None

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Dense:
    """Weights between all neurons of two populations.

    Attributes:
        weight: [targets, sources], int64; both populations are flattened in C order.
        delay: further steps for each weight [targets, sources]; None for none.
    """

    weight: np.ndarray
    delay: np.ndarray | None = None


@dataclass(frozen=True)
class Convolution:
    """A cross-correlation over a population of shape (C, H, W), as PyTorch's.

    Attributes:
        weight: [C_out, C_in / groups, height, width], int64.
        stride: down and right.
        padding: rows and columns of zeros on each side.
        dilation: down and right.
        groups: as PyTorch's.
    """

    weight: np.ndarray
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


@dataclass(frozen=True)
class OneToOne:
    """One weight for each neuron, or one for all: identity times ``weight``."""

    weight: np.ndarray


@dataclass(frozen=True)
class Connection:
    """What one population sends to another.

    Attributes:
        source: population or input that sends.
        target: population that receives.
        weights: how.
        delay: steps from sending to arriving, for all of it; 0 within the same step.
        exponent: the sum is shifted by so many bits to the left (to the right, rounded down, where negative).
        wrap_bits: the sum is wrapped to so many bits; 0 for no wrap.
        port: which of the target's inputs it adds to.
    """

    source: str
    target: str
    weights: Dense | Convolution | OneToOne
    delay: int = 1
    exponent: int = 0
    wrap_bits: int = 0
    port: str = "a"


class IntegerGraphError(ValueError):
    """An integer graph that makes no sense; says everything that is wrong with it."""


@dataclass(frozen=True)
class IntegerGraph:
    """Populations and connections.

    Attributes:
        inputs: name -> shape of what comes from outside.
        populations: in the order in which they are updated within a step.
        connections: between them.
        dt: length of a step in seconds; None where it has no meaning.

    Raises:
        IntegerGraphError: if names, shapes or parameters do not fit.
    """

    inputs: Mapping[str, tuple[int, ...]]
    populations: Sequence[Population]
    connections: Sequence[Connection]
    dt: float | None = None

    def __post_init__(self) -> None:
        problems = [*self._name_problems(), *self._parameter_problems()]
        problems = problems or self._connection_problems()
        if problems:
            raise IntegerGraphError("\n".join(problems))

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Shape of an input or a population."""
        return {**self.inputs, **{p.name: p.shape for p in self.populations}}[name]

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
            problem = _shape_problem(c.weights, source, target)
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


def _shape_problem(weights: Dense | Convolution | OneToOne, source: tuple[int, ...], target: tuple[int, ...]) -> str:
    if weights.weight.dtype.kind not in "iu":
        return f"weights are {weights.weight.dtype}, not whole numbers"
    if isinstance(weights, Dense):
        expected = (math.prod(target), math.prod(source))
        if weights.weight.shape != expected:
            return f"weights have shape {list(weights.weight.shape)}, but must be [targets, sources] = {list(expected)}"
        if weights.delay is not None and (weights.delay.shape != expected or weights.delay.min(initial=0) < 0):
            return f"delays must be whole numbers >= 0 of shape {list(expected)}"
        return ""
    if isinstance(weights, OneToOne):
        return "" if math.prod(source) == math.prod(target) else f"{list(source)} and {list(target)} differ in size"
    if len(source) != 3:
        return f"a convolution needs a source of shape (C, H, W), not {list(source)}"
    found = convolved_shape(weights, source)
    return "" if found == target else f"the convolution makes {list(found)} out of {list(source)}, not {list(target)}"


def convolved_shape(weights: Convolution, source: tuple[int, ...]) -> tuple[int, ...]:
    """Shape (C, H, W) after a convolution."""
    sizes = (
        (length + 2 * pad - step * (kernel - 1) - 1) // stride + 1
        for length, pad, step, kernel, stride in zip(
            source[1:], weights.padding, weights.dilation, weights.weight.shape[2:], weights.stride, strict=True
        )
    )
    return (weights.weight.shape[0], *sizes)

"""What an integer neuron is: states of so many bits, parameters with limits, and exact equations on whole numbers.

The equations are the only definition. The simulator, the C code, quantisation-aware training and the tables in reports
are printed from them, so they agree bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from spikelab.hw.arithmetic import FUNCTIONS
from spikelab.neurons.expression import parse

#: Names that every equation may use beside states and parameters: the number of the step, counted from 1.
STEP = "t"
#: The line whose value is sent to other populations.
MESSAGE = "message"


@dataclass(frozen=True)
class IntegerState:
    """One whole number a neuron.

    Attributes:
        name: as used in equations.
        bits: width in two's complement on the chip.
        meaning: in words.
    """

    name: str
    bits: int
    meaning: str


@dataclass(frozen=True)
class IntegerParameter:
    """A whole number, one for a population or one for each neuron.

    Attributes:
        name: as used in equations.
        low: smallest value that the chip can hold.
        high: largest.
        meaning: in words.
        default: where none is given; None if one must be.
        per_neuron: whether the chip can hold one for each neuron.
    """

    name: str
    low: int
    high: int
    meaning: str
    default: int | None = None
    per_neuron: bool = False


@dataclass(frozen=True)
class IntegerNeuron:
    """A neuron in integer arithmetic.

    Attributes:
        name: registered name.
        title: in words.
        states: what stays from step to step; all start at zero.
        parameters: constants.
        inputs: sums that connections deliver to, usually one.
        lines: assignments in order; one to a state changes what later lines see, and the last holds after the step.
        message_bits: width of what is sent, with sign; 1 for plain spikes.
        input_bits: width that the chip has for what arrives in a step, in two's complement; simulators do not check
            it, ``hw.limits`` does.
        source: what the rules were taken from.
    """

    name: str
    title: str
    states: tuple[IntegerState, ...]
    parameters: tuple[IntegerParameter, ...]
    lines: tuple[tuple[str, str], ...]
    source: str
    inputs: tuple[str, ...] = ("a",)
    message_bits: int = 1
    input_bits: int = 32

    @cached_property
    def assignments(self) -> tuple[tuple[str, sp.Expr], ...]:
        """The lines, read."""
        names = {*self.inputs, *(s.name for s in self.states), *(p.name for p in self.parameters), STEP}
        symbols = {name: sp.Symbol(name, integer=True) for name in names}
        read = []
        for name, text in self.lines:
            read.append((name, parse(text, symbols, f"{self.name}: {name}", FUNCTIONS)))
            symbols[name] = sp.Symbol(name, integer=True)
        if MESSAGE not in symbols:
            raise ValueError(f"{self.name}: no line says what {MESSAGE!r} is")
        return tuple(read)

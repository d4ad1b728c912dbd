"""Reads the lines of a plasticity rule: ``name = expression``, ``deliver expression``, ``dname/dt = expression``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from spikelab.neurons.expression import parse

#: What a line that says how much arrives at the target assigns to.
DELIVERY = "deliver"
_ASSIGNMENT = re.compile(r"\s*([A-Za-z_]\w*)\s*=(?!=)(.*)", re.DOTALL)
_DELIVERY = re.compile(rf"\s*{DELIVERY}\s+(.*)", re.DOTALL)
_DERIVATIVE = re.compile(r"\s*d([A-Za-z_]\w*)\s*/\s*dt\s*=(?!=)(.*)", re.DOTALL)


@dataclass(frozen=True)
class Statement:
    """One line.

    Attributes:
        name: what it changes, or ``DELIVERY``.
        value: its new value, what is delivered, or its derivative.
        text: as written.
        derivative: whether ``value`` is a derivative by time.
    """

    name: str
    value: sp.Expr
    text: str
    derivative: bool = False


def read_statements(lines: Sequence[str], symbols: Mapping[str, sp.Expr], where: str) -> tuple[Statement, ...]:
    """Reads assignments.

    Raises:
        ValueError: for a line that is not one, or uses an unknown name.
    """
    found = []
    for text in lines:
        match = _ASSIGNMENT.fullmatch(text)
        if match is None:
            raise ValueError(f"{where}: {text!r} is not a statement; write 'name = expression'")
        found.append(Statement(match[1], parse(match[2], symbols, where), text.strip()))
    return tuple(found)


def read_deliveries(lines: Sequence[str], symbols: Mapping[str, sp.Expr], where: str) -> tuple[Statement, ...]:
    """Reads assignments of which one may be a delivery; without one, the weight is delivered first.

    Raises:
        ValueError: for a line that is neither, for a second delivery, or for an unknown name.
    """
    found: list[Statement] = []
    for text in lines:
        match = _DELIVERY.fullmatch(text)
        if match is None:
            found += read_statements([text], symbols, where)
        elif any(each.name == DELIVERY for each in found):
            raise ValueError(f"{where}: {text!r} delivers a second time; a spike is delivered once")
        else:
            found.append(Statement(DELIVERY, parse(match[1], symbols, where), text.strip()))
    if not any(each.name == DELIVERY for each in found):
        found.insert(0, Statement(DELIVERY, symbols["w"], f"{DELIVERY} w"))
    return tuple(found)


def read_derivatives(lines: Sequence[str], symbols: Mapping[str, sp.Expr], where: str) -> tuple[Statement, ...]:
    """Reads derivatives by time.

    Raises:
        ValueError: for a line that is not one, for two of the same variable, or for an unknown name.
    """
    found: list[Statement] = []
    for text in lines:
        match = _DERIVATIVE.fullmatch(text)
        if match is None:
            raise ValueError(f"{where}: {text!r} is not a derivative; write 'dname/dt = expression'")
        if any(each.name == match[1] for each in found):
            raise ValueError(f"{where}: two lines for d{match[1]}/dt; write their sum as one")
        found.append(Statement(match[1], parse(match[2], symbols, where), text.strip(), derivative=True))
    return tuple(found)

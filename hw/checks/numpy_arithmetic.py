"""Integer equations worked out on whole arrays, keeping count of where numbers met a limit.

The simulator's kernels keep no such count. Here every ``wrap`` and ``saturate`` of an equation says which numbers it
changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import sympy as sp

from spikelab.hw.neuron import IntegerNeuron


@dataclass
class Worked:
    """What the lines of a neuron gave.

    Attributes:
        values: name -> its value after the last line.
        clipped: (name, limit) -> where a ``saturate`` with a constant limit cut the value of a line. A limit that is a
            parameter is wanted, and not counted.
        wrapped: name -> where a ``wrap`` turned the value of a line round.
    """

    values: dict[str, np.ndarray]
    clipped: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)
    wrapped: dict[str, np.ndarray] = field(default_factory=dict)


def work_out(neuron: IntegerNeuron, values: Mapping[str, np.ndarray]) -> Worked:
    """Runs the lines of a neuron on arrays.

    Args:
        neuron: the kind.
        values: states before the step, inputs, parameters and the number of the step; int64, broadcastable.
    """
    found = Worked(dict(values))
    for name, expression in neuron.assignments:
        found.values[name] = _Evaluation(found, name).value(expression)
    return found


class _Evaluation:
    def __init__(self, found: Worked, line: str):
        self.found, self.line = found, line

    def value(self, e: sp.Expr) -> np.ndarray:
        if isinstance(e, sp.Symbol):
            return self.found.values[e.name]
        if e.is_Integer:
            return np.asarray(int(e), np.int64)
        arguments = [self.value(argument) for argument in e.args]
        if isinstance(e, sp.Add | sp.Mul):
            return reduce(np.add if isinstance(e, sp.Add) else np.multiply, arguments)
        if isinstance(e, sp.Abs):
            return np.abs(arguments[0])
        name = type(e).__name__
        if name == "saturate":
            self._count_clipped(e, arguments[0])
        if name == "wrap":
            half = 1 << (arguments[1] - 1)
            _join(self.found.wrapped, self.line, (arguments[0] > half) | (arguments[0] <= -half))
        return _OPERATIONS[name](*arguments)

    def _count_clipped(self, e: sp.Expr, x: np.ndarray) -> None:
        for limit, outside in ((e.args[1], np.less), (e.args[2], np.greater)):
            if limit.is_Integer:
                _join(self.found.clipped, (self.line, int(limit)), outside(x, int(limit)))


def _join(into: dict[Any, np.ndarray], key: Any, mask: np.ndarray) -> None:
    into[key] = into[key] | mask if key in into else mask


def _shift(x: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.where(n >= 0, x << np.maximum(n, 0), x >> np.maximum(-n, 0))


def _wrap(x: np.ndarray, n: np.ndarray) -> np.ndarray:
    half = 1 << (n - 1)
    return np.where(x > half, x - 2 * half, np.where(x <= -half, x + 2 * half, x))


def _choose(c: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(c > 0, a, b)


_OPERATIONS: dict[str, Callable[..., np.ndarray]] = {
    "toward_zero": lambda x, n: np.sign(x) * (np.abs(x) >> n),
    "shift": _shift,
    "wrap": _wrap,
    "saturate": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "quotient": lambda a, b: a // b,
    "remainder": lambda a, b: a % b,
    "positive": lambda x: (x > 0).astype(np.int64),
    "choose": _choose,
}

"""The integer operations in torch, with derivatives: what quantisation-aware training runs.

Whole numbers are held in float64, exact up to 2^53. The forward pass is the integer step itself. The backward pass
takes each operation for what it would be without rounding (the straight-through estimator; Bengio, Leonard and
Courville 2013), and a spike's derivative for a surrogate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sympy as sp
import torch
from torch import Tensor

from spikelab.hw.arithmetic import choose, positive
from spikelab.hw.neuron import MESSAGE, IntegerNeuron
from spikelab.kernels.reference import spike_function
from spikelab.neurons.surrogate import Surrogate

#: Real value of one unit of the membrane.
_UNIT = "unit_"


class spike(sp.Function):
    """``spike(x, unit)``: 1 where x > 0, with a surrogate derivative at x · unit."""

    nargs = 2


class after_spike(sp.Function):
    """``after_spike(c, a, b)``: as ``choose``, with a derivative with respect to c, which is 0 or 1."""

    nargs = 3


def _straight(exact: Any, rounded: Callable[[Tensor], Tensor]) -> Tensor:
    """The rounded value with the derivative of the exact one."""
    exact = torch.as_tensor(exact, dtype=torch.float64)
    return rounded(exact.detach()) + (exact - exact.detach())


def _power(n: Any) -> Any:
    return torch.ldexp(torch.ones((), dtype=torch.float64), n.to(torch.int32)) if isinstance(n, Tensor) else 2.0**n


def _toward_zero(x: Any, n: Any) -> Any:
    return _straight(x / _power(n), torch.trunc)


def _shift(x: Any, n: Any) -> Any:
    return _straight(x * _power(n), torch.floor)


def _wrap(x: Any, n: Any) -> Any:
    half = 2.0 ** (n - 1)
    x = torch.as_tensor(x, dtype=torch.float64)
    turns = (x.detach() > half).double() - (x.detach() <= -half).double()
    return x - 2 * half * turns


def _saturate(x: Any, low: Any, high: Any) -> Any:
    low, high = (torch.as_tensor(v, dtype=torch.float64) for v in (low, high))
    return torch.minimum(torch.maximum(torch.as_tensor(x, dtype=torch.float64), low), high)


def _quotient(a: Any, b: Any) -> Any:
    return _straight(a / b, torch.floor)


def _remainder(a: Any, b: Any) -> Any:
    return a - b * torch.floor(torch.as_tensor(a / b))


def _positive(x: Any) -> Any:
    return (torch.as_tensor(x) > 0).double()


def _choose(c: Any, a: Any, b: Any) -> Any:
    a, b = (torch.as_tensor(v, dtype=torch.float64) for v in (a, b))
    return torch.where(torch.as_tensor(c) > 0, a, b)


def _after_spike(c: Any, a: Any, b: Any) -> Any:
    a, b = (torch.as_tensor(v, dtype=torch.float64) for v in (a, b))
    # adds exactly zero, and carries the derivative with respect to the spike
    return torch.where(c > 0, a, b) + (c - c.detach()) * (a - b).detach()


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "toward_zero": _toward_zero,
    "shift": _shift,
    "wrap": _wrap,
    "saturate": _saturate,
    "quotient": _quotient,
    "remainder": _remainder,
    "positive": _positive,
    "choose": _choose,
    "after_spike": _after_spike,
    "Abs": torch.abs,
    "abs": torch.abs,
}


class TorchNeuron:
    """The step of an integer neuron on tensors.

    Args:
        neuron: its equations.
        surrogate: derivative of the spike, in units of the real-valued network.
        detach_reset: pass no gradient from the reset back to the spike.
    """

    def __init__(self, neuron: IntegerNeuron, surrogate: Surrogate, detach_reset: bool = False):
        self.neuron, self.detach_reset = neuron, detach_reset
        fires = spike_function(surrogate)
        space = {**_OPERATIONS, "spike": lambda gate, unit: fires(gate * unit, 1.0)}
        self.programs = [
            # the text comes from parsed equations through SymPy's printer
            (name, [str(s) for s in used], sp.lambdify(used, value, modules=[space]))
            for name, value, used in _lines(neuron)
        ]

    def step(self, values: Mapping[str, Any], unit: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """One step.

        Args:
            values: states, inputs, parameters and the number of the step, each a tensor that broadcasts.
            unit: real value of one unit of the membrane.

        Returns:
            what is sent, and the states after the step.
        """
        now = {**values, _UNIT: unit}
        sent = None
        for name, used, program in self.programs:
            found = program(*(now[u] for u in used))
            if name == MESSAGE:
                sent = torch.as_tensor(found, dtype=torch.float64)
                found = sent.detach() if self.detach_reset else sent
            now[name] = found
        assert sent is not None
        return sent, {state.name: now[state.name] for state in self.neuron.states}


def _lines(neuron: IntegerNeuron) -> Iterator[tuple[str, sp.Expr, list[sp.Symbol]]]:
    """(name, value, names it uses) of each line, the spike and what follows from it marked."""
    message = sp.Symbol(MESSAGE, integer=True)
    for name, value in neuron.assignments:
        if name == MESSAGE:
            value = value.replace(positive, lambda x: spike(x, sp.Symbol(_UNIT)))
        value = value.replace(
            lambda e: isinstance(e, choose) and message in e.args[0].free_symbols, lambda e: after_spike(*e.args)
        )
        yield name, value, sorted(value.free_symbols, key=str)

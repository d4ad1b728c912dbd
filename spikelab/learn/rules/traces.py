"""Traces: what a neuron still feels of the spikes that once reached it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy as sp
import torch
from torch import Tensor, nn

from spikelab.kernels.coefficients import programs
from spikelab.learn.rules.rule import UnsupportedError
from spikelab.neurons.discretise import CHARGED
from spikelab.neurons.spec import INPUT
from spikelab.neurons.step import Step
from spikelab.nn import Neuron


@dataclass(frozen=True)
class Filter:
    """A linear filter over time steps, whose answer to a single 1 begins with 1.

    Its state is f[t] = matrix f[t-1] + entry x[t], and it gives out exit · f[t].

    Attributes:
        matrix: [d][d].
        entry: [d].
        exit: [d]; entry · exit = 1.
    """

    matrix: tuple[tuple[float, ...], ...]
    entry: tuple[float, ...]
    exit: tuple[float, ...]

    def advance(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What the filter gives out [...] for x [...] of one step, and its state [d, ...] after it."""
        if x.dtype not in (torch.float32, torch.float64):
            # small steps over long times: half precision would lose them
            x = x.float()
        entry = x.new_tensor(self.entry).reshape(-1, *[1] * x.dim())
        after = entry * x
        if state is not None:
            after = after + _combine(x.new_tensor(self.matrix), state)
        return _combine(x.new_tensor(self.exit), after), after


def _combine(factors: Tensor, values: Tensor) -> Tensor:
    with torch.autocast(values.device.type, enabled=False):
        return torch.tensordot(factors, values, 1)


def exponential(decay: float) -> Filter:
    """The trace q[t] = decay q[t-1] + x[t]; decay 0 remembers nothing."""
    return Filter(((float(decay),),), (1.0,), (1.0,))


def membrane_filter(name: str, neurons: nn.Module | None) -> Filter:
    """How the membrane of a layer's neurons answers to a spike, resets aside, scaled to begin with 1.

    For a LIF neuron it is the exponential trace of the membrane's own decay, for one with a synaptic current the
    difference of two exponentials.

    Args:
        name: The layer, for the error.
        neurons: A `Neuron`, or something without memory, or None.

    Raises:
        UnsupportedError: Where there is no such answer, the same for all neurons and at all times.
    """
    if not isinstance(neurons, Neuron):
        return exponential(0.0)
    try:
        matrix, entry, leave = _linear_part(neurons.step)
    except _NotLinear as error:
        raise UnsupportedError(
            f"layer {name!r}: {neurons.spec.name} {error}, so no trace of its input alone says what it still feels of "
            "it; lif, cuba_lif and adaptive_lif without a refractory time have one, and e_prop and bptt take any neuron"
        ) from error
    step = neurons.step
    with torch.no_grad():
        values = programs(step).coefficients(neurons.parameter_values(), neurons.dt, neurons.refractory)
    numbers: dict[sp.Symbol, float] = {}
    symbols = set().union(*(each.free_symbols for each in (*matrix, *entry, *leave)))
    for symbol in sorted(symbols, key=lambda each: each.name):
        value = torch.as_tensor(values[symbol.name])
        if value.numel() > 1 and bool((value != value.flatten()[0]).any()):
            raise UnsupportedError(
                f"layer {name!r}: its neurons differ ({symbol.name} has shape {list(value.shape)}), and this rule "
                "keeps one trace for all of them; give them the same parameters, or use e_prop or bptt"
            )
        numbers[symbol] = float(value.flatten()[0])

    def numeric(expressions: sp.Matrix) -> list[list[float]]:
        rows: list[list[float]] = expressions.subs(numbers).evalf().tolist()
        return [[float(each) for each in row] for row in rows]

    first = float((leave * entry).subs(numbers).evalf()[0])
    if first == 0:
        raise UnsupportedError(
            f"layer {name!r}: {neurons.spec.name} does not answer to its input within the same step, and this rule's "
            "errors do; choose a method that lets it (semi_implicit_euler), or use bptt"
        )
    inward = tuple(row[0] / first for row in numeric(entry))
    return Filter(tuple(map(tuple, numeric(matrix))), inward, tuple(numeric(leave)[0]))


class _NotLinear(Exception):
    """The step up to the threshold is not linear; the message says in what."""


@lru_cache(maxsize=64)
def _linear_part(step: Step) -> tuple[sp.Matrix, sp.Matrix, sp.Matrix]:
    """State by state [d, d], state by input [d, 1], and gate (or membrane) by state [1, d], over coefficients."""
    known: dict[sp.Symbol, sp.Expr] = {}
    for name, value in step.lines:
        known[sp.Symbol(name, real=True)] = value.subs(known)
    states = [sp.Symbol(name, real=True) for name in step.spec.state_names]
    charged = [sp.Symbol(name + CHARGED, real=True) for name in step.spec.state_names]
    x = sp.Symbol(INPUT, real=True)
    answer = charged[step.spec.state_names.index(step.spec.membrane)]
    if step.spec.spikes:
        answer = dict(step.lines)["gate_"].subs({s: v for s, v in known.items() if s not in charged})
        fires = dict(step.lines)["spike"]
        if fires.func.__name__ != "spike":
            raise _NotLinear("has a refractory time, or fires on the way up only")
    after = sp.Matrix([known[symbol] for symbol in charged])
    parts = after.jacobian(states), after.jacobian([x]), sp.Matrix([answer]).jacobian(charged)
    for part in parts:
        moving = part.free_symbols & {*states, *charged, x, sp.Symbol("refractory_left", real=True)}
        if moving:
            raise _NotLinear(f"is not linear below its threshold (in {', '.join(sorted(s.name for s in moving))})")
    return parts

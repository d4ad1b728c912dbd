"""What a forward pass keeps for the backward pass: the fewest bytes from which the derivatives can be computed.

The backward lines of a step need some of the step's values. A set of values suffices if every way from the step's input
and states to what is needed leads through it: a cut. The cheapest one is found as a minimum cut of the step's graph, in
which a value costs the bytes that keeping it moves. A leaky neuron so keeps its distance from threshold alone, and not
even its input has to stay in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import networkx as nx
import sympy as sp

from spikelab.kernels.emit import Lines, backward, forward
from spikelab.neurons.functions import blend, select, spike, stop_gradient
from spikelab.neurons.spec import INPUT
from spikelab.neurons.step import SPIKE, Step

_GATE = "gate_"
_FROM, _TO = "from", "to"


@dataclass(frozen=True)
class Kept:
    """What the backward pass of a step starts from.

    Attributes:
        given: names that are read where they lie anyway: the input "x", and outputs.
        values: names that are written for the backward pass.
        signs: names of which only the sign is written, one byte each.
        again: the lines that the backward pass runs again, in order.
        cost: bytes moved for a neuron and step.
    """

    given: tuple[str, ...]
    values: tuple[str, ...]
    signs: tuple[str, ...]
    again: tuple[tuple[str, sp.Expr], ...]
    cost: int


@lru_cache(maxsize=512)
def least_kept(step: Step, coefficient_gradients: bool, word: int, kept_word: int) -> Kept:
    """The cheapest set of values that the backward pass can start from.

    Rounded values could put the gate on its other side, and the reset's derivative would belong to a spike that never
    was. So where values are rounded, the spike is read from the output, or it is the gate itself that is kept: rounding
    never changes its sign.

    Args:
        step: the step.
        coefficient_gradients: whether the backward pass also differentiates by the coefficients.
        word: bytes of an element of input and output.
        kept_word: bytes of a kept value; where it is smaller than that of the states, values are rounded.
    """
    needed = _needed(step, coefficient_gradients)
    rounded = kept_word == 2
    # written and read again, but what lies there anyway
    costs = (word, 2 * kept_word, 2)
    plain = _Graph(step, forward(step).lines, needed, _lying(step, exact_outputs=word > 2), costs)
    found = [plain.cut()]
    if not rounded or not step.spec.spikes:
        return found[0]
    if SPIKE in {name for name, _ in found[0].again} | set(found[0].values) and _GATE not in found[0].values:
        found = [plain.cut(given={SPIKE})]
    turned = _gate_turned_round(step)
    if turned is not None:
        lying = _lying(step, exact_outputs=False)
        found.append(_Graph(step, turned, needed, lying, costs).cut(kept={_GATE}))
    return min(found, key=lambda kept: kept.cost)


@lru_cache(maxsize=512)
def linear_between_spikes(step: Step) -> bool:
    """Whether kept values may be rounded to the input's precision.

    The gradients of a linear neuron are then off by no more than the input is. A rounded potential in the exponential
    of an AdEx neuron, say, could be off by more than a tenth.
    """
    degree = dict.fromkeys((INPUT, *step.states), 1.0)
    for name, value in forward(step).lines:
        degree[name] = _degree(value, degree)
    return max(degree.values()) <= 1


@lru_cache(maxsize=512)
def _backward_lines(step: Step, coefficient_gradients: bool) -> tuple[tuple[str, sp.Expr], ...]:
    return backward(step, coefficient_gradients).lines


def _needed(step: Step, coefficient_gradients: bool) -> frozenset[str]:
    """Values of the forward pass that occur in the backward lines."""
    lines = _backward_lines(step, coefficient_gradients)
    return frozenset(_symbols(value for _, value in lines) & _values(step))


def _values(step: Step) -> set[str]:
    return {INPUT, *step.states, *(name for name, _ in forward(step).lines)}


def _symbols(expressions: Iterable[sp.Expr]) -> set[str]:
    return {symbol.name for value in expressions for symbol in value.free_symbols}


@lru_cache(maxsize=512)
def least_in_cache(step: Step, coefficient_gradients: bool) -> Kept:
    """As ``least_kept``, for values that never leave the cache: as dear as the input, which is read from memory again.

    Outputs are not read again, and what is kept is never rounded.
    """
    needed = _needed(step, coefficient_gradients)
    return _Graph(step, forward(step).lines, needed, lying={INPUT}, costs=(1, 1, 1)).cut()


def recomputed(step: Step, coefficient_gradients: bool) -> Kept:
    """What the backward pass runs again when it starts from the input and the states before the step."""
    needed = _needed(step, coefficient_gradients)
    lines = Lines(_ancestors(forward(step).lines, needed, {INPUT, *step.states}))
    return Kept((INPUT,), step.states, (), lines.lines, 0)


def _ancestors(
    lines: Iterable[tuple[str, sp.Expr]], needed: Iterable[str], known: set[str]
) -> tuple[tuple[str, sp.Expr], ...]:
    """The lines that the needed values follow from, but for what is known."""
    wanted, kept = set(needed) - known, []
    for name, value in reversed(list(lines)):
        if name in wanted:
            kept.append((name, value))
            wanted |= {symbol.name for symbol in value.free_symbols} - known
    return tuple(reversed(kept))


def _gate_turned_round(step: Step) -> tuple[tuple[str, sp.Expr], ...] | None:
    """The lines with the membrane computed from the gate, where the gate is the membrane less coefficients."""
    lines = dict(forward(step).lines)
    inner = lines[_GATE].free_symbols & {sp.Symbol(name, real=True) for name in lines}
    outer = {symbol.name for symbol in lines[_GATE].free_symbols - inner}
    if len(inner) != 1 or not outer <= set(step.coefficients):
        return None
    (membrane,) = inner
    if sp.diff(lines[_GATE], membrane) != 1:
        return None
    turned = sp.Symbol(_GATE, real=True) - (lines[_GATE] - membrane)
    return tuple((name, turned if name == membrane.name else value) for name, value in lines.items() if name != _GATE)


def _lying(step: Step, *, exact_outputs: bool) -> set[str]:
    """What lies in memory anyway: the input, and an output that is not rounded. Spikes never are."""
    outputs = {SPIKE} if step.spec.spikes else set(step.outputs[:1]) if exact_outputs else set()
    return {INPUT, *outputs}


class _Graph:
    """Which value follows from which.

    Args:
        step: the step.
        lines: of its forward pass.
        needed: values that occur in the backward lines.
        lying: values that lie in memory anyway.
        costs: of such a value, of another one, and of a sign alone.
    """

    def __init__(
        self,
        step: Step,
        lines: tuple[tuple[str, sp.Expr], ...],
        needed: frozenset[str],
        lying: set[str],
        costs: tuple[int, int, int],
    ):
        self.step, self.needed, self.lying, self.costs = step, needed, lying, costs
        self.lines = _ancestors(lines, needed, set())
        # where a sign is no cheaper than its value, there is nothing to tell apart
        self.signs = self._tested_only() if costs[2] < costs[1] else set()

    def _tested_only(self) -> set[str]:
        """Values of which all that follows only asks whether they are positive."""
        read: set[str] = set()
        for _, value in (*self.lines, *_backward_lines(self.step, True)):
            read |= _read(value)
        return _values(self.step) - read

    def _costs(self, name: str) -> int:
        lying, value, sign = self.costs
        return lying if name in self.lying else sign if name in self.signs else value

    def cut(self, given: Iterable[str] = (), kept: Iterable[str] = ()) -> Kept:
        """The cheapest cut, in which the given and kept values are the start of every way that they lie on."""
        start = {*given, *kept}
        lines = tuple((name, value) for name, value in self.lines if name not in start)
        inputs = {INPUT, *self.step.states, *start}
        values = {*inputs, *(name for name, _ in lines)}
        graph = nx.DiGraph()
        graph.add_nodes_from((_FROM, _TO))
        # of equal cuts the one closest to what is needed, so that the least is computed again
        for place, name in enumerate([*sorted(inputs), *(name for name, _ in lines)]):
            graph.add_edge((name, _FROM), (name, _TO), capacity=self._costs(name) * 10_000 - place)
            if name in inputs:
                graph.add_edge(_FROM, (name, _FROM))
            if name in self.needed:
                graph.add_edge((name, _TO), _TO)
        for name, value in lines:
            for argument in sorted(_symbols([value]) & values):
                graph.add_edge((argument, _TO), (name, _FROM))
        _, (reached, _) = nx.minimum_cut(graph, _FROM, _TO)
        chosen = [name for name in sorted(values) if (name, _FROM) in reached and (name, _TO) not in reached]
        found = Kept(
            tuple(name for name in chosen if name in self.lying),
            tuple(name for name in chosen if name not in self.lying and name not in self.signs),
            tuple(name for name in chosen if name not in self.lying and name in self.signs),
            (),
            sum(map(self._costs, chosen)),
        )
        return replace(found, again=_ancestors(lines, self.needed, set(chosen)))


def _read(value: sp.Expr) -> set[str]:
    """Names of which an expression needs more than the sign."""
    if isinstance(value, sp.Symbol):
        return {value.name}
    arguments = value.args
    if isinstance(value, (select, blend)) and isinstance(arguments[0], sp.Symbol):
        arguments = arguments[1:]
    return set().union(*map(_read, arguments))


def _degree(value: sp.Expr, of: Mapping[str, float]) -> float:
    """Degree of an expression as a polynomial; infinite for other functions."""
    if isinstance(value, sp.Symbol):
        return of.get(value.name, 0.0)
    if isinstance(value, spike):
        return 0.0
    degrees = [_degree(argument, of) for argument in value.args]
    if isinstance(value, (select, blend)):
        return max(degrees[1:])
    if isinstance(value, sp.Mul):
        return sum(degrees)
    if isinstance(value, (sp.Add, stop_gradient)):
        return max(degrees)
    if isinstance(value, sp.Pow) and value.exp.is_Integer and value.exp > 0:
        return degrees[0] * int(value.exp)
    return float("inf") if any(degrees) else 0.0

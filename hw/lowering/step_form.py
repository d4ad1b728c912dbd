"""A spiking layer as what every event chip computes: one leaky current, one leaky membrane, a threshold, a reset.

With ``a`` the weighted sum that arrives, in units of the membrane,

    u <- keep_syn · u + a + bias_syn          (only where there is a current; else u = a)
    v <- keep_mem · v + u + direct · a + bias
    spike where v > v_threshold;  then v <- v_reset, or v <- v - v_threshold

The numbers are read off the step that the layer itself runs, so any method and input form is taken as it is. The
membrane is counted from its initial value, which makes a leak potential vanish.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import sympy as sp
import torch
from torch import Tensor

from spikelab.kernels.coefficients import coefficients, initial_state
from spikelab.neurons.discretise import CHARGED
from spikelab.neurons.spec import INPUT
from spikelab.neurons.step import Step
from spikelab.nn import Neuron, Threshold


class CannotLower(ValueError):
    """Something has no integer form; the message says what and the remedy."""


@dataclass(frozen=True)
class StepForm:
    """The numbers of a layer's step; float64 tensors that broadcast to the shape of the layer.

    Attributes:
        gain: what a unit of the layer's input adds to ``a``.
        keep_mem: part of the membrane kept at each step.
        keep_syn: part of the current kept; None where there is no current.
        direct: part of ``a`` that reaches the membrane beside the current, in the same step.
        bias: added to the membrane.
        bias_syn: added to the current.
        rest: potential from which the membrane is counted.
        v_threshold: None for a readout.
        v_reset: None for a reset by subtraction.
        v_subtract: what a spike takes off the membrane; None for a reset to a value.
        late: steps by which the input arrives later than it is sent.
    """

    gain: Tensor
    keep_mem: Tensor
    keep_syn: Tensor | None
    direct: Tensor
    bias: Tensor
    bias_syn: Tensor
    rest: Tensor
    v_threshold: Tensor | None
    v_reset: Tensor | None
    v_subtract: Tensor | None = None
    late: int = 0

    @property
    def spikes(self) -> bool:
        """Whether the layer spikes; a readout gives its membrane."""
        return self.v_threshold is not None


def step_form(layer: Neuron | Threshold) -> StepForm:
    """The numbers of a layer's step; a bare threshold is a membrane that keeps nothing.

    Raises:
        CannotLower: for equations that are not of this form, a refractory time, or more than two states.
    """
    if isinstance(layer, Threshold):
        one, zero = (torch.full((), value, dtype=torch.float64) for value in (1.0, 0.0))
        return StepForm(one, zero, None, zero, zero, zero, zero, layer.threshold.detach().double().cpu(), zero)
    spec = layer.spec
    if layer.refractory:
        raise CannotLower("has a refractory time, which the integer neurons do not have; set refractory=0")
    others = [name for name in spec.state_names if name != spec.membrane]
    if len(others) > 1 or any(state.after_spike for state in spec.states):
        raise CannotLower(f"{_one(spec.name)} has more than a current and a membrane; use a LIF or CubaLIF")
    with torch.no_grad():
        values = {name: value.detach().double().cpu() for name, value in layer.parameter_values().items()}
        constants = coefficients(layer.step, values, layer.dt)
        rows = {
            name: {source: _number(factor, constants) for source, factor in row.items()}
            for name, row in _affine(layer.step).items()
        }
        numbers = _numbers(rows, spec.membrane, others[0] if others else None)
        rest = _rest(layer, values)
        # what only keeps the membrane where it starts vanishes when it is counted from there
        bias = numbers["bias"] - (1 - numbers["keep_mem"]) * rest
        bias = torch.where(bias.abs() < 1e-12 * (1 + rest.abs()), torch.zeros_like(bias), bias)
        threshold, reset, taken = _threshold(layer, values), None, None
        if threshold is not None:
            reset, taken = _reset(layer, values, rest)
            threshold = threshold - rest
        late = bool(others) and bool((numbers["direct"] == -1).all())
        if late:
            # the membrane sees the current of the step before: a current that is one step late and one decay smaller
            for name in ("gain", "bias_syn"):
                numbers[name] = numbers[name] * numbers["keep_syn"]
            numbers["direct"] = torch.zeros_like(numbers["direct"])
        return StepForm(
            numbers["gain"], numbers["keep_mem"], numbers["keep_syn"] if others else None, numbers["direct"], bias,
            numbers["bias_syn"], rest, threshold, reset, taken, int(late),
        )  # fmt: skip


def _one(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _rest(layer: Neuron, values: dict[str, Tensor]) -> Tensor:
    shape = torch.broadcast_shapes(*(value.shape for value in values.values()))
    start = initial_state(layer.step, values, shape, torch.zeros((), dtype=torch.float64))
    return start[layer.step.states.index(layer.spec.membrane)]


@cache
def _affine(step: Step) -> dict[str, dict[str, sp.Expr]]:
    """Each charged state as a sum over the values before the step: state -> {state, input or "1" -> factor}."""
    spec, lines = step.spec, dict(step.lines)
    others = [name for name in spec.state_names if name != spec.membrane]
    dynamic = [spec.symbols[name] for name in (*others, spec.membrane, INPUT)]
    charged = {sp.Symbol(name + CHARGED, real=True): lines[name + CHARGED] for name in others}
    found = {}
    for name in (*others, spec.membrane):
        try:
            polynomial = sp.Poly(sp.expand(lines[name + CHARGED].subs(charged)), *dynamic)
        except sp.PolynomialError:
            polynomial = None
        if polynomial is None or polynomial.total_degree() > 1:
            raise CannotLower(f"{_one(spec.name)} is not linear between spikes; use a LIF or CubaLIF")
        names = [str(d) for d in dynamic]
        found[name] = {
            "1" if not any(powers) else names[powers.index(1)]: factor for powers, factor in polynomial.terms()
        }
    return found


@cache
def _program(expression: sp.Expr) -> tuple[list[str], Any]:
    used = sorted(expression.free_symbols, key=str)
    return [str(s) for s in used], sp.lambdify(used, expression, modules="math")


def _number(expression: sp.Expr, constants: dict[str, Tensor]) -> Tensor:
    used, program = _program(expression)
    return torch.as_tensor(program(*(constants[name] for name in used)), dtype=torch.float64)


def _numbers(rows: dict[str, dict[str, Tensor]], membrane: str, current: str | None) -> dict[str, Tensor]:
    zero = torch.zeros((), dtype=torch.float64)
    v = rows[membrane]
    keep_mem, from_x, constant = (v.get(name, zero) for name in (membrane, INPUT, "1"))
    if current is None:
        return {"gain": from_x, "keep_mem": keep_mem, "direct": zero, "bias": constant, "bias_syn": zero}
    i = rows[current]
    if membrane in i:
        raise CannotLower("its current depends on its membrane; use a LIF or CubaLIF")
    keep_syn, into, held = (i.get(name, zero) for name in (current, INPUT, "1"))
    if bool((keep_syn == 0).any()):
        raise CannotLower("its current is emptied within a step; use a LIF, or a longer tau_syn")
    # u is the current after its update, in units of the membrane that it raises in this step
    raised = v.get(current, zero) / keep_syn
    gain = raised * into
    direct = torch.where(gain == 0, zero, (from_x - gain) / torch.where(gain == 0, torch.ones_like(gain), gain))
    direct = torch.where(direct.abs() < 1e-9, torch.zeros_like(direct), direct)
    return {
        "gain": gain, "keep_mem": keep_mem, "keep_syn": keep_syn, "direct": direct, "bias": constant - raised * held,
        "bias_syn": raised * held,
    }  # fmt: skip


def _threshold(layer: Neuron, values: dict[str, Tensor]) -> Tensor | None:
    spec = layer.spec
    if spec.gate is None:
        return None
    membrane = spec.symbols[spec.membrane]
    rest = sp.expand(membrane - spec.expression(spec.gate, "gate"))
    if rest.free_symbols - set(spec.parameter_symbols.values()):
        raise CannotLower(f"{_one(spec.name)} compares more than its membrane with a constant; use a LIF or CubaLIF")
    return _number(rest, values)


def _reset(layer: Neuron, values: dict[str, Tensor], rest: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Where a spike puts the membrane, counted from its rest, or what it takes off."""
    spec = layer.spec
    after = spec.expression(spec.resets[layer.options.reset], "reset")
    membrane = spec.symbols[spec.membrane]
    if membrane not in after.free_symbols:
        return _number(after, values) - rest, None
    taken = sp.expand(membrane - after)
    if taken.free_symbols - set(spec.parameter_symbols.values()):
        raise CannotLower(f"resets to {after}, which depends on more than its parameters; use 'subtract' or 'value'")
    return None, _number(taken, values)

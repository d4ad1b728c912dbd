"""The truth: a plain loop over time in torch, differentiated by autograd.

Every other back end is compared with it. It is also the way to run on devices that have no kernel of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy as sp
import torch
from torch import Tensor

from spikelab.kernels.emit import Lines, Printer, forward
from spikelab.neurons.step import Step
from spikelab.neurons.surrogate import Surrogate


class _TorchPrinter(Printer):
    functions: Mapping[str, str] = {name: f"torch.{text}" for name, text in Printer.functions.items()}

    def choose(self, condition: str, chosen: str, otherwise: str) -> str:
        return f"choose({condition}, {chosen}, {otherwise})"

    def fires(self, gate: str, scale: str) -> str:
        return f"fires({gate}, {scale})"

    def blend(self, spike: str, after: str, before: str) -> str:
        return f"blend({spike}, {after}, {before})"

    def stop_gradient(self, value: str) -> str:
        return f"stop_gradient({value})"

    def divide(self, numerator: str, denominator: str) -> str:
        return f"divide({numerator}, {denominator})"


def _tensor_like(value: Any, like: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else torch.full_like(like, value)


def _choose(condition: Tensor, chosen: Any, otherwise: Any) -> Tensor:
    return torch.where(condition > 0, chosen, otherwise)


def _blend(spikes: Tensor, after: Any, before: Tensor) -> Tensor:
    after = _tensor_like(after, before)
    value = torch.where(spikes > 0, after, before)
    # adds exactly zero, and carries the derivative with respect to the spike
    return value + (spikes - spikes.detach()) * (after - before).detach() if spikes.requires_grad else value


def _divide(numerator: Any, denominator: Any) -> Any:
    # python's `1.0 / tensor` multiplies by a reciprocal, which rounds differently
    if isinstance(denominator, Tensor):
        return torch.true_divide(_tensor_like(numerator, denominator), denominator)
    return numerator / denominator


def _stop_gradient(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


_NAMES: dict[str, Any] = {
    "torch": torch,
    "choose": _choose,
    "blend": _blend,
    "divide": _divide,
    "stop_gradient": _stop_gradient,
}


#: Options of a step -> its function. A plain dict, because torch.compile can look something up in one.
_functions: dict[str, Any] = {}


def step_function(step: Step, key: str) -> Any:
    """``one_step(x, state..., coefficient...) -> (outputs, states)`` on tensors of any shape.

    A layer asks for it when it is made: torch.compile cannot trace how it is built.

    Args:
        step: the step.
        key: its options, ``step.options.key()``.
    """
    if key not in _functions:
        _functions[key] = _build(step)
    return _functions[key]


def _build(step: Step) -> Any:
    printer = _TorchPrinter()
    space = {**_NAMES, "fires": spike_function(step.surrogate)}
    arguments = ", ".join(["x", *step.states, *step.coefficients])
    body = [f"    {line}" for line in Lines(forward(step).lines).code(printer)]
    outputs = ", ".join(step.outputs)
    states = ", ".join(step.next_states[name] for name in step.states)
    source = "\n".join([f"def one_step({arguments}):", *body, f"    return ({outputs},), ({states},)"])
    # generated above from parsed equations; nothing in it was read as code
    exec(compile(source, f"<reference step of {step.spec.name}>", "exec"), space)
    return space["one_step"]


def spike_function(surrogate: Surrogate) -> Any:
    """``fires(gate, scale)``: 1 where the gate is above 0, with the surrogate's derivative at gate / scale."""
    space = dict(_NAMES)
    code = f"def derivative(x): return {_TorchPrinter()(surrogate.expression(sp.Symbol('x', real=True)))}"
    exec(compile(code, "<surrogate>", "exec"), space)
    derivative: Any = space["derivative"]

    class Spike(torch.autograd.Function):
        """Heaviside step forward, surrogate derivative backward."""

        @staticmethod
        def forward(ctx: Any, gate: Tensor, scale: Any) -> Tensor:
            ctx.save_for_backward(gate)
            ctx.scale = scale.detach() if isinstance(scale, Tensor) else scale
            return (gate > 0).to(gate.dtype)

        @staticmethod
        def backward(ctx: Any, incoming: Tensor) -> Any:
            (gate,) = ctx.saved_tensors
            return incoming * derivative(_divide(gate, ctx.scale)) / ctx.scale, None

    return Spike.apply


def run(
    step: Step, x: Tensor, state: Sequence[Tensor], coefficients: Sequence[Tensor], key: str = ""
) -> tuple[list[Tensor], list[Tensor]]:
    """Runs a neuron over time.

    Args:
        step: the neuron's step.
        x: input [T, ...].
        state: one tensor [...] a state, in the order of ``step.states``.
        coefficients: one tensor a coefficient, broadcastable to [...].
        key: ``step.options.key()``, for who has it at hand.

    Returns:
        outputs, each [T, ...], in the order of ``step.outputs``; the states after the last step.
    """
    one_step = step_function(step, key or step.options.key())
    collected: list[list[Tensor]] = [[] for _ in step.outputs]
    now = tuple(state)
    # unbind, not x[t]: indexing a tensor that needs gradients costs a full-size zero tensor a step, quadratic in T
    for x_t in x.unbind(0):
        outputs, now = one_step(x_t, *now, *coefficients)
        for into, value in zip(collected, outputs, strict=True):
            into.append(value)
    stacked = [torch.stack(values) if values else x.new_empty(x.shape) for values in collected]
    return stacked, [torch.as_tensor(value) for value in now]

"""Computes a step's coefficients from its parameters, with gradients.

This runs once for a whole sequence, in float64, so that every back end starts from the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sympy as sp
import torch
from torch import Tensor

from spikelab.kernels.emit import Printer
from spikelab.neurons.expression import parse
from spikelab.neurons.functions import exp_divided_difference, stop_gradient
from spikelab.neurons.step import DT, Step


def exp_divided_difference_torch(*points: Tensor) -> Tensor:
    """Divided difference of exp at the points, stable also where points coincide.

    It is the upper right element of the exponential of the bidiagonal matrix with the points on its diagonal and ones
    beside it (Opitz 1964; McCurdy, Ng and Parlett 1984).
    """
    points = torch.broadcast_tensors(*points)
    diagonal = torch.diag_embed(torch.stack(points, dim=-1))
    size = len(points)
    beside = torch.diag(torch.ones(size - 1, dtype=diagonal.dtype, device=diagonal.device), 1)
    return torch.linalg.matrix_exp(diagonal + beside)[..., 0, size - 1]


def _detach(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


class _TorchPrinter(Printer):
    def __call__(self, expression: sp.Expr) -> str:
        if isinstance(expression, exp_divided_difference):
            # numbers among the points (a held input has rate zero) must become tensors
            points = [f"as_tensor({self(point)})" for point in expression.args]
            return f"exp_divided_difference({', '.join(points)})"
        if isinstance(expression, stop_gradient):
            return f"detach({self(expression.args[0])})"
        return super().__call__(expression)

    def call(self, name: str, *arguments: str) -> str:
        return f"{self.functions[name]}({', '.join(f'as_tensor({a})' for a in arguments)})"


@lru_cache(maxsize=512)
def _program(step: Step) -> dict[str, Any]:
    printer = _TorchPrinter()
    names = [*step.spec.parameter_names, "dt", "refractory_steps"]
    programs = {}
    for name, expression in step.coefficients.items():
        code = printer(expression.subs(DT, sp.Symbol("dt", real=True)))
        space = {
            "as_tensor": lambda value: torch.as_tensor(value, dtype=torch.float64),
            "exp_divided_difference": exp_divided_difference_torch,
            "detach": _detach,
            **{f: getattr(torch, f) for f in Printer.functions.values()},
        }
        # the code comes from the printer above, out of symbols and numbers that were parsed, never evaluated
        programs[name] = eval(compile(f"lambda {', '.join(names)}: {code}", f"<coefficient {name}>", "eval"), space)
    return programs


def coefficients(step: Step, parameters: Mapping[str, Tensor], dt: float, refractory: float = 0.0) -> dict[str, Tensor]:
    """The coefficients of a step.

    Args:
        step: the step.
        parameters: every parameter of the neuron, SI units, any shape.
        dt: length of a step in seconds.
        refractory: refractory time in seconds; rounded to whole steps, at least one.

    Returns:
        coefficient -> float64 tensor, of the shape that its parameters broadcast to.
    """
    values: dict[str, Any] = {name: parameters[name].to(torch.float64) for name in step.spec.parameter_names}
    steps = max(1.0, float(round(refractory / dt)))
    result = {}
    for name, program in _program(step).items():
        result[name] = torch.as_tensor(program(**values, dt=dt, refractory_steps=steps), dtype=torch.float64)
    return result


def initial_state(step: Step, parameters: Mapping[str, Tensor], shape: torch.Size, like: Tensor) -> list[Tensor]:
    """A fresh state: one tensor of the given shape, dtype and device of ``like``, for each of ``step.states``."""
    values = {name: parameters[name] for name in step.spec.parameter_names}
    declared = {state.name: state.initial for state in step.spec.states}
    state = []
    for name in step.states:
        program = _initial_program(step, declared.get(name, "0"))
        value = torch.as_tensor(program(**values), dtype=like.dtype, device=like.device)
        state.append(value.detach().expand(shape).clone())
    return state


@lru_cache(maxsize=512)
def _initial_program(step: Step, text: str) -> Any:
    expression = parse(text, step.spec.parameter_symbols, f"{step.spec.name}: initial state")
    code = _TorchPrinter()(expression)
    space = {"as_tensor": torch.as_tensor, **{f: getattr(torch, f) for f in Printer.functions.values()}}
    return eval(compile(f"lambda {', '.join(step.spec.parameter_names)}: {code}", "<initial state>", "eval"), space)

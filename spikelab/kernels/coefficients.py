"""Computes a step's coefficients from its parameters, with gradients.

This runs once for a whole sequence, in float64, so that every back end starts from the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    # a held input's rate is a plain number, which lies on the CPU wherever the parameters are
    device = next((point.device for point in points if point.device.type != "cpu"), points[0].device)
    points = torch.broadcast_tensors(*(point.to(device) for point in points))
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

    def choose(self, condition: str, chosen: str, otherwise: str) -> str:
        return f"choose({', '.join(f'as_tensor({a})' for a in (condition, chosen, otherwise))})"

    def call(self, name: str, *arguments: str) -> str:
        return f"{self.functions[name]}({', '.join(f'as_tensor({a})' for a in arguments)})"


def _compile(expression: sp.Expr, arguments: Sequence[str], what: str) -> Callable[..., Any]:
    code = _TorchPrinter()(expression.subs(DT, sp.Symbol("dt", real=True)))
    space = {
        "as_tensor": lambda value: torch.as_tensor(value, dtype=torch.float64),
        "exp_divided_difference": exp_divided_difference_torch,
        "detach": _detach,
        "choose": lambda condition, chosen, otherwise: torch.where(condition > 0, chosen, otherwise),
        **{name: getattr(torch, name) for name in Printer.functions.values()},
    }
    # the code comes from the printer above, out of symbols and numbers that were parsed, never evaluated
    return eval(compile(f"lambda {', '.join(arguments)}: {code}", f"<{what}>", "eval"), space)


class Programs:
    """What a step needs once for a sequence, ready to run: a layer holds it, so that no graph has to build it.

    Attributes:
        step: the step.
    """

    def __init__(self, step: Step):
        self.step = step
        names = step.spec.parameter_names
        self._coefficients = {
            name: _compile(expression, [*names, "dt", "refractory_steps"], f"coefficient {name}")
            for name, expression in step.coefficients.items()
        }
        declared = {state.name: state.initial for state in step.spec.states}
        self._initial = {
            name: _compile(
                parse(declared.get(name, "0"), step.spec.parameter_symbols, f"{step.spec.name}: initial {name}"),
                names,
                f"initial {name}",
            )
            for name in step.states
        }

    def __deepcopy__(self, memo: Any) -> Programs:
        # nothing in it ever changes
        return self

    def __reduce__(self) -> Any:
        return programs, (self.step,)

    def coefficients(self, parameters: Mapping[str, Tensor], dt: float, refractory: float = 0.0) -> dict[str, Tensor]:
        """As the function ``coefficients``."""
        values: dict[str, Any] = {name: parameters[name].to(torch.float64) for name in self.step.spec.parameter_names}
        steps = max(1.0, float(round(refractory / dt)))
        return {
            name: torch.as_tensor(program(**values, dt=dt, refractory_steps=steps), dtype=torch.float64)
            for name, program in self._coefficients.items()
        }

    def initial_state(self, parameters: Mapping[str, Tensor], shape: torch.Size, like: Tensor) -> list[Tensor]:
        """As the function ``initial_state``."""
        values = {name: parameters[name] for name in self.step.spec.parameter_names}
        state = []
        for program in self._initial.values():
            value = torch.as_tensor(program(**values), dtype=like.dtype, device=like.device).detach()
            state.append(value.expand(shape).clone())
        return state


@lru_cache(maxsize=512)
def programs(step: Step) -> Programs:
    """The programs of a step, built once."""
    return Programs(step)


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
    return programs(step).coefficients(parameters, dt, refractory)


def initial_state(step: Step, parameters: Mapping[str, Tensor], shape: torch.Size, like: Tensor) -> list[Tensor]:
    """A fresh state: one tensor of the given shape, dtype and device of ``like``, for each of ``step.states``."""
    return programs(step).initial_state(parameters, shape, like)

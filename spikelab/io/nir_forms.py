"""The parameters of a neuron in NIR, such that those who read them make the steps that we make.

NIR knows no time step, so two programs agree on a neuron only if they step its equation alike. Most step by forward
Euler, and few support every parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from spikelab.nn import Neuron

Form = Literal["continuous", "euler", "portable"]
FORMS: tuple[Form, ...] = ("continuous", "euler", "portable")
Values = dict[str, Tensor]


class CannotExport(ValueError):
    """Some nodes have no NIR form; the message lists every one with its remedy."""


def nir_parameters(layer: Neuron, form: Form) -> dict[str, np.ndarray]:
    """A layer's parameters, by their own names, each a number for all or an array for each neuron.

    Raises:
        CannotExport: if the form cannot say what the layer does.
    """
    values = {name: value.detach().double() for name, value in layer.parameter_values().items()}
    if layer.options.reset in ("zero", "subtract"):
        # a reset by subtraction goes to no value; zero is what readers without v_reset take for granted
        values["v_reset"] = torch.zeros_like(values["v_threshold"])
    if form != "continuous":
        values = _EULER[str(layer.spec.nir)](layer, values)
    if form == "portable":
        values = _portable(layer, values)
    # our own form is read back as it was; other programs compute in single precision
    kind = np.float64 if form == "continuous" else np.float32
    return {name: value.cpu().numpy().astype(kind) for name, value in values.items()}


def written_method(layer: Neuron, form: Form) -> str:
    """The discretisation that makes of the written parameters what the layer does."""
    return layer.options.method if form == "continuous" or len(layer.spec.states) > 1 else "euler"


def _euler_integrator(layer: Neuron, values: Values) -> Values:
    # an impulse adds r · x, forward Euler adds dt · r · x
    return values | ({"r": values["r"] / layer.dt} if layer.options.input_form == "impulse" else {})


def _euler_leaky(layer: Neuron, values: Values) -> Values:
    tau, dt = values["tau_mem"], layer.dt
    exact = layer.options.method in ("exact", "exponential_euler")
    # forward Euler keeps 1 - dt / tau; the exact step keeps exp(-dt / tau) and has the same form with another tau
    equivalent = dt / -torch.expm1(-dt / tau) if exact else tau
    gain = equivalent / tau / dt if layer.options.input_form == "impulse" else torch.ones_like(tau)
    return values | {"tau_mem": equivalent, "r": values["r"] * gain}


def _euler_cuba(layer: Neuron, values: Values) -> Values:
    if layer.options.method not in ("euler", "semi_implicit_euler") or layer.options.input_form != "current":
        raise CannotExport(
            f"a current-based neuron stepped by {layer.options.method!r} with input {layer.options.input_form!r} has "
            f"no forward-Euler equivalent; train with method='semi_implicit_euler', or write form='continuous'"
        )
    return values


_EULER: dict[str, Callable[[Neuron, Values], Values]] = {
    "I": _euler_integrator,
    "IF": _euler_integrator,
    "LIF": _euler_leaky,
    "LI": _euler_leaky,
    "CubaLIF": _euler_cuba,
    "CubaLI": _euler_cuba,
}


def _portable(layer: Neuron, values: Values) -> Values:
    """Gain 1 for a spike, everything that most readers ignore at zero, and all neurons alike."""
    problems = []
    differing = [
        name for name, value in values.items() if value.numel() > 1 and bool((value != value.flatten()[0]).any())
    ]
    if differing:
        problems.append(f"its neurons differ in {', '.join(differing)}; use one value for all")
    for name in ("v_leak", "v_reset"):
        if name in values and bool((values[name] != 0).any()):
            problems.append(f"{name} = {values[name].flatten()[0]:g} is not 0; train with {name}=0")
    if layer.options.reset == "subtract":
        problems.append("it is reset by subtraction, which most readers do not know; train with reset='zero'")
    if problems:
        raise CannotExport("no portable form: " + "; ".join(problems) + ", or write form='euler'")
    if not layer.spec.spikes:
        # a readout's gain shows in what it gives out; there is no threshold that could take it up
        return values
    unit = {"r": values.get("tau_mem", torch.ones(())) / layer.dt}
    if "w_in" in values:
        unit["w_in"] = values["tau_syn"] / layer.dt
    gain = torch.ones(())
    for name, one in unit.items():
        gain = gain * (values[name] / one)
    if not bool((gain > 0).all()):
        raise CannotExport("no portable form: its gain r (times w_in) is not > 0; turn the weights' sign instead")
    # a membrane that moves 1 / gain as much spikes alike with a threshold of 1 / gain
    return values | unit | {"v_threshold": values["v_threshold"] / gain}

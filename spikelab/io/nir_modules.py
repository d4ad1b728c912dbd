"""A module of ours for each NIR primitive."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spikelab.io.nir_graph import Node
from spikelab.io.nir_reading import Reading, delay_steps, reset_of
from spikelab.io.nir_shapes import Shapes
from spikelab.nn import (
    IF,
    LI,
    LIF,
    AvgPool2d,
    Conv1d,
    Conv2d,
    CubaLI,
    CubaLIF,
    Delay,
    Dense,
    Flatten,
    Integrator,
    Neuron,
    Scale,
    SumPool2d,
    Threshold,
)

_NEURONS: dict[str, Any] = {
    "I": Integrator, "IF": IF, "LIF": LIF, "LI": LI, "CubaLIF": CubaLIF, "CubaLI": CubaLI
}  # fmt: skip
#: Most values that a delay may have to remember.
_MAX_UNDER_WAY = 1 << 28


def make_module(name: str, node: Node, shapes: Shapes, reading: Reading) -> nn.Module:
    """The module that does what a node says.

    Raises:
        ValueError: names the field and what to do.
    """
    fields = node.fields
    match node.kind:
        case "Linear" | "Affine":
            dense = Dense(fields["weight"].shape[1], fields["weight"].shape[0], bias=node.kind == "Affine")
            return _filled(dense, fields)
        case "Conv1d" | "Conv2d":
            outputs, per_group, *kernel = fields["weight"].shape
            make: Any = Conv1d if node.kind == "Conv1d" else Conv2d
            places = [fields[option] for option in ("stride", "padding", "dilation")]
            return _filled(
                make(per_group * fields["groups"], outputs, tuple(kernel), *places, fields["groups"]), fields
            )
        case "SumPool2d":
            return SumPool2d(fields["kernel_size"], fields["stride"], fields["padding"])
        case "AvgPool2d":
            return AvgPool2d(fields["kernel_size"], fields["stride"], fields["padding"])
        case "Flatten":
            start, end = shapes.flattened.get(name, (0, -1))
            whole = end == len(shapes.arriving.get(name, ())) - 1
            return Flatten(start, -1 if whole else end)
        case "Scale":
            return Scale(_single(fields["scale"]))
        case "Threshold":
            return Threshold(_single(fields["threshold"]))
        case "Delay":
            return _delay(fields["delay"], shapes.arriving.get(name, ()), reading)
    return _neuron(node, reading.neurons.get(name, {}), reading)


def _single(array: np.ndarray) -> Tensor:
    return torch.as_tensor(array.astype(np.float64)).to(torch.get_default_dtype())


def _filled(module: Any, fields: Mapping[str, Any]) -> Any:
    with torch.no_grad():
        module.weight.copy_(_single(fields["weight"]))
        if module.bias is not None:
            module.bias.copy_(_single(fields["bias"]))
    return module


def _delay(delay: np.ndarray, shape: tuple[int, ...], reading: Reading) -> Delay:
    dt = reading.dt if reading.dt is not None else reading.noted_dt
    if dt is None:
        raise ValueError("a NIR graph has no time step; pass dt (seconds)")
    whole = delay_steps(delay, dt)
    if float(whole.max()) * math.prod(shape) > _MAX_UNDER_WAY:
        raise ValueError(f"delay = {delay.max():g} s is {whole.max():g} steps of dt = {dt:g} s, too many to remember")
    same = bool((whole == whole.flat[0]).all())
    return Delay(int(whole.flat[0]) if same else torch.as_tensor(whole.astype(np.int64)))


def _neuron(node: Node, noted: Mapping[str, Any], reading: Reading) -> Neuron:
    dt = reading.dt if reading.dt is not None else noted.get("dt", reading.noted_dt)
    if dt is None:
        raise ValueError("a NIR graph has no time step; pass dt (seconds)")
    make = _NEURONS[node.kind]
    values = {"tau_mem" if name == "tau" else name: value for name, value in node.fields.items() if value is not None}
    options: dict[str, Any] = {
        "method": reading.method or noted.get("method", ""),
        "input_form": reading.input_form or noted.get("input_form", "current"),
    }
    if "v_threshold" in values:
        options["reset"] = reset_of(node, noted, reading)
    parameters = {name: _uniform(value.astype(np.float64)) for name, value in values.items()}
    try:
        return make(dt=float(dt), **options, **parameters)
    except (TypeError, RuntimeError, OverflowError) as error:
        # what spikelab noted in the file is no option of this neuron
        raise ValueError(str(error)) from error


def _uniform(value: np.ndarray) -> Tensor:
    same = bool((value == value.flat[0]).all())
    return torch.as_tensor(value.flat[0] if same else value)

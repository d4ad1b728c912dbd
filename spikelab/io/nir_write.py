"""Writes a network as a NIR graph (Pedersen et al. 2024, Nature Communications 15).

NIR describes neurons in continuous time and knows neither a time step, nor a refractory time, nor a reset by
subtraction, nor batch normalisation. Batch normalisation is folded into the weights before it; what else has no NIR
form is refused by the node's name, all problems at once. How our simulation discretised the equations goes into the
graph's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import nir
import numpy as np
import torch
from torch import Tensor, nn

from spikelab.nn import AvgPool2d, BatchNorm1d, BatchNorm2d, Conv2d, Delay, Dense, Flatten, Network, Neuron, SumPool2d
from spikelab.nn.network import INPUT, OUTPUT

Form = Literal["continuous", "euler"]


class CannotExport(ValueError):
    """Some nodes have no NIR form; the message lists every one with its remedy."""


def to_nir(
    network: Network,
    input_shape: tuple[int, ...],
    form: Form = "continuous",
    subtractive_reset: Literal["refuse", "metadata"] = "refuse",
    outputs: tuple[str, ...] = (),
) -> nir.NIRGraph:
    """The network as a NIR graph.

    Args:
        network: in the state in which it is to be deployed; batch normalisation uses its running statistics.
        input_shape: shape of one input step without time and batch, such as (2, 34, 34).
        form: "continuous" writes the parameters as they are. "euler" writes the parameters with which forward Euler at
            the network's own ``dt`` makes the very steps that the network makes; most other frameworks read NIR so.
        subtractive_reset: NIR's neurons reset to a value. "refuse" is an error for a reset by subtraction; "metadata"
            writes the reset's kind into the node's metadata, for readers that look there.
        outputs: further nodes to be given out, as ``output_<node>``.

    Raises:
        TypeError: for something else than a network, or a shape that is none.
        CannotExport: names each node that cannot be written, and what to do.
    """
    if not isinstance(network, Network):
        raise TypeError(f"to_nir: got a {type(network).__name__}; put it into a Network first (Network.sequential)")
    if not isinstance(input_shape, tuple | list | torch.Size):
        raise TypeError(f"to_nir: input_shape = {input_shape!r} must be a tuple such as (2, 34, 34)")
    if form not in ("continuous", "euler"):
        raise ValueError(f"to_nir: form = {form!r} must be 'continuous' or 'euler'")
    shapes = _shapes(network, input_shape)
    folded = {name: _norm_after(network, name) for name in network.nodes}
    skipped = {norm: weights for weights, norm in folded.items() if norm is not None}
    problems: list[str] = []
    nodes: dict[str, Any] = {INPUT: nir.Input(np.array(input_shape))}
    for name, module in network.nodes.items():
        if name in skipped:
            continue
        before = shapes[network.sources(name)[0]]
        try:
            norm_name = folded[name]
            norm = None if norm_name is None else network.nodes[norm_name]
            nodes[name] = _node(module, norm, before, shapes[name], form, subtractive_reset)
        except CannotExport as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise CannotExport("cannot be written as NIR:\n  " + "\n  ".join(problems))
    edges = [(skipped.get(a, a), b) for a, b in network.edges if b not in skipped]
    nodes[OUTPUT] = nir.Output(np.array(shapes[network.sources(OUTPUT)[0]]))
    for name in outputs:
        nodes[f"{OUTPUT}_{name}"] = nir.Output(np.array(shapes[name]))
        edges.append((skipped.get(name, name), f"{OUTPUT}_{name}"))
    graph = nir.NIRGraph(nodes, edges, type_check=False)
    graph.metadata = {"spikelab": json.dumps(_discretisation(network, form))}
    return graph


def _shapes(network: Network, input_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    training = network.training
    network.eval()
    with torch.no_grad():
        example = next((p for p in network.parameters()), torch.zeros(()))
        outputs, _ = network.run(torch.zeros((1, 1, *input_shape), dtype=example.dtype, device=example.device))
    network.train(training)
    return {name: tuple(value.shape[2:]) for name, value in outputs.items()}


def _norm_after(network: Network, name: str) -> str | None:
    """The batch normalisation that alone reads these weights' output, if it can be folded into them."""
    if not isinstance(network.nodes[name], Conv2d | Dense):
        return None
    readers = [b for a, b in network.edges if a == name]
    if len(readers) != 1 or readers[0] == OUTPUT:
        return None
    norm = network.nodes[readers[0]]
    alone = network.sources(readers[0]) == [name] and not network.is_recurrent(name, readers[0])
    return readers[0] if alone and isinstance(norm, BatchNorm1d | BatchNorm2d) else None


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _fold(weight: Tensor, bias: Tensor | None, norm: nn.Module | None) -> tuple[np.ndarray, np.ndarray | None]:
    if norm is None:
        return _array(weight), None if bias is None else _array(bias)
    assert isinstance(norm, nn.modules.batchnorm._BatchNorm)
    if norm.running_mean is None or norm.running_var is None:
        raise CannotExport("its batch normalisation keeps no running statistics; train with track_running_stats=True")
    mean, variance = norm.running_mean.double(), norm.running_var.double()
    gamma = norm.weight.double() if norm.affine else torch.ones_like(mean)
    beta = norm.bias.double() if norm.affine else torch.zeros_like(mean)
    scale = gamma / torch.sqrt(variance + norm.eps)
    shift = beta - mean * scale if bias is None else beta + (bias.double() - mean) * scale
    folded = weight.double() * scale.reshape(-1, *[1] * (weight.dim() - 1))
    return _array(folded.to(weight.dtype)), _array(shift.to(weight.dtype))


def _node(
    module: nn.Module,
    norm: nn.Module | None,
    before: tuple[int, ...],
    after: tuple[int, ...],
    form: Form,
    subtractive_reset: str,
) -> nir.NIRNode:
    match module:
        case Neuron():
            return _neuron(module, after, form, subtractive_reset)
        case Dense():
            weight, bias = _fold(module.weight, module.bias, norm)
            return nir.Linear(weight) if bias is None else nir.Affine(weight, bias)
        case Conv2d():
            if module.padding_mode != "zeros":
                raise CannotExport(f"padding_mode {module.padding_mode!r} has no NIR form; use 'zeros'")
            weight, bias = _fold(module.weight, module.bias, norm)
            bias = np.zeros(len(weight), weight.dtype) if bias is None else bias
            return nir.Conv2d(
                before[1:], weight, module.stride, module.padding, module.dilation, module.groups, bias
            )  # fmt: skip
        case SumPool2d() | AvgPool2d():
            if module.ceil_mode:
                raise CannotExport("ceil_mode has no NIR form; choose sizes that divide")
            kind = nir.SumPool2d if isinstance(module, SumPool2d) else nir.AvgPool2d
            pair = [np.array(v if isinstance(v, tuple) else (v, v)) for v in (module.kernel_size, module.stride)]
            padding = module.padding if isinstance(module.padding, tuple) else (module.padding,) * 2
            return kind(*pair, np.array(padding))
        case Flatten():
            return nir.Flatten({"input": np.array(before)}, start_dim=0, end_dim=-1)
        case Delay():
            raise CannotExport(
                "a delay in steps needs the step's length to become seconds; put it in the target's own graph"
            )
        case BatchNorm1d() | BatchNorm2d():
            raise CannotExport("batch normalisation can be folded only into the one Dense or Conv2d right before it")
    raise CannotExport(f"{type(module).__name__} has no NIR form")


def _neuron(layer: Neuron, shape: tuple[int, ...], form: Form, subtractive_reset: str) -> nir.NIRNode:
    spec, options = layer.spec, layer.options
    if spec.nir is None:
        raise CannotExport(f"NIR has no primitive for the {spec.title.lower()}; use a LIF, or run it in spikelab")
    if layer.refractory:
        raise CannotExport(f"NIR has no refractory time (here {layer.refractory:g} s); set refractory=0")
    if spec.spikes and options.reset == "subtract" and subtractive_reset == "refuse":
        raise CannotExport(
            "NIR resets to a value, this layer subtracts its threshold; train with reset='value', or pass "
            "subtractive_reset='metadata' for readers that look there"
        )
    values = {name: value.detach().double() for name, value in layer.parameter_values().items()}
    if options.reset == "zero":
        values["v_reset"] = torch.zeros_like(values["v_threshold"])
    if form == "euler":
        values = _EULER[spec.nir](layer, values)
    arrays = {name: np.broadcast_to(_array(value.float()), shape).copy() for name, value in values.items()}
    make: Callable[..., nir.NIRNode] = getattr(nir, spec.nir)
    names = {"tau_mem": "tau"} if spec.nir in ("LIF", "LI") else {}
    node = make(**{names.get(name, name): array for name, array in arrays.items()})
    node.metadata = {"reset": options.reset} if spec.spikes else {}
    return node


def _euler_if(layer: Neuron, values: dict[str, Tensor]) -> dict[str, Tensor]:
    # an impulse adds r · x, forward Euler adds dt · r · x
    return values | ({"r": values["r"] / layer.dt} if layer.options.input_form == "impulse" else {})


def _euler_lif(layer: Neuron, values: dict[str, Tensor]) -> dict[str, Tensor]:
    tau, dt = values["tau_mem"], layer.dt
    exact = layer.options.method in ("exact", "exponential_euler")
    # forward Euler keeps 1 - dt / tau; the exact step keeps exp(-dt / tau) and has the same form with another tau
    equivalent = dt / -torch.expm1(-dt / tau) if exact else tau
    gain = equivalent / tau / dt if layer.options.input_form == "impulse" else torch.ones_like(tau)
    return values | {"tau_mem": equivalent, "r": values["r"] * gain}


def _euler_cuba(layer: Neuron, values: dict[str, Tensor]) -> dict[str, Tensor]:
    if layer.options.method not in ("euler", "semi_implicit_euler") or layer.options.input_form != "current":
        raise CannotExport(
            f"a current-based neuron stepped by {layer.options.method!r} with input {layer.options.input_form!r} has "
            f"no forward-Euler equivalent; train with method='semi_implicit_euler', or write form='continuous'"
        )
    return values


_EULER = {"IF": _euler_if, "LIF": _euler_lif, "LI": _euler_lif, "CubaLIF": _euler_cuba, "CubaLI": _euler_cuba}


def _method_in(form: Form, layer: Neuron) -> str:
    single = len(layer.spec.states) == 1
    return "euler" if form == "euler" and single else layer.options.method


def _discretisation(network: Network, form: Form) -> dict[str, Any]:
    layers = {name: node for name, node in network.nodes.items() if isinstance(node, Neuron)}
    return {
        "form": form,
        "neurons": {
            name: {
                "dt": layer.dt,
                "method": "euler"
                if form == "euler" and layer.spec.nir in ("IF", "LIF", "LI")
                else layer.options.method,
                "input_form": "current" if form == "euler" else layer.options.input_form,
                "reset": layer.options.reset,
            }
            for name, layer in layers.items()
        },
    }

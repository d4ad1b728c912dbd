"""Writes a network as a NIR graph (Pedersen et al. 2024, Nature Communications 15).

NIR describes neurons in continuous time and knows neither a time step, nor a refractory time, nor a reset by
subtraction, nor batch normalisation. Batch normalisation is folded into the weights before it; what else has no NIR
form is refused by the node's name, all problems at once. How our simulation discretised the equations, and in which
order it steps the nodes of a cycle, goes into the graph's metadata.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import nir
import numpy as np
import torch
from torch import Tensor, nn

from spikelab.io.nir_forms import FORMS, Form, nir_parameters, written_method
from spikelab.io.nir_forms import CannotExport as CannotExport
from spikelab.nn import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv1d,
    Conv2d,
    Delay,
    Dense,
    Flatten,
    Network,
    Neuron,
    Scale,
    SumPool2d,
    Threshold,
)
from spikelab.nn.network import INPUT, OUTPUT


def to_nir(
    network: Network,
    input_shape: tuple[int, ...],
    form: Form = "continuous",
    subtractive_reset: Literal["refuse", "metadata"] = "refuse",
    outputs: tuple[str, ...] = (),
    dt: float | None = None,
) -> nir.NIRGraph:
    """The network as a NIR graph.

    Args:
        network: in the state in which it is to be deployed; batch normalisation uses its running statistics.
        input_shape: shape of one input step without time and batch, such as (2, 34, 34).
        form: "continuous" writes the parameters as they are, in double precision. "euler" writes the parameters with
            which forward Euler at the network's own ``dt`` makes the very steps that the network makes; most other
            frameworks read NIR so. "portable" is the one such form that most of them agree on: v_leak and v_reset 0,
            r = tau / dt (gain 1), all neurons of a layer alike, reset to zero; thresholds take up other gains, which
            rounds them. What cannot take that form is refused.
        subtractive_reset: NIR's neurons reset to a value. "refuse" is an error for a reset by subtraction; "metadata"
            writes the reset's kind into the node's metadata, for readers that look there.
        outputs: further nodes to be given out, as ``output_<node>``.
        dt: length of a step in seconds, for a network without neurons that has delays; others know their own.

    Raises:
        TypeError: for something else than a network, or a shape that is none.
        CannotExport: names each node that cannot be written, and what to do.
    """
    if not isinstance(network, Network):
        raise TypeError(f"to_nir: got a {type(network).__name__}; put it into a Network first (Network.sequential)")
    if not isinstance(input_shape, tuple | list | torch.Size):
        raise TypeError(f"to_nir: input_shape = {input_shape!r} must be a tuple such as (2, 34, 34)")
    if form not in FORMS:
        raise ValueError(f"to_nir: form = {form!r} must be one of {', '.join(map(repr, FORMS))}")
    taken = [name for name in outputs if f"{OUTPUT}_{name}" in network.nodes]
    if taken:
        raise ValueError(
            f"to_nir: a node is called {OUTPUT}_{taken[0]}, which the output of {taken[0]!r} would be; rename it"
        )
    unknown = [name for name in outputs if name not in network.nodes]
    if unknown:
        raise ValueError(f"to_nir: outputs names {unknown[0]!r}; the nodes are {', '.join(network.nodes)}")
    problems: list[str] = []
    writing = _Writing(form, subtractive_reset, _time_step(network, dt, problems))
    shapes = network.shapes(tuple(input_shape))
    folded = {name: _norm_after(network, name) for name in network.nodes}
    skipped = {norm: weights for weights, norm in folded.items() if norm is not None}
    nodes: dict[str, Any] = {INPUT: nir.Input(np.array(input_shape))}
    for name, module in network.nodes.items():
        if name in skipped:
            continue
        before = shapes[network.sources(name)[0]]
        try:
            norm_name = folded[name]
            norm = None if norm_name is None else network.nodes[norm_name]
            nodes[name] = _node(module, norm, before, shapes[name], writing)
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
    order = [name for name in network.nodes if name not in skipped]
    graph.metadata = {"spikelab": json.dumps(_discretisation(network, writing, order))}
    if writing.dt is not None:
        graph.metadata["dt"] = writing.dt
    return graph


@dataclass(frozen=True)
class _Writing:
    form: Form
    subtractive_reset: str
    dt: float | None


def _time_step(network: Network, dt: float | None, problems: list[str]) -> float | None:
    own = sorted({layer.dt for layer in network.nodes.values() if isinstance(layer, Neuron)})
    if dt is not None and not 0 < dt < math.inf:
        raise ValueError(f"to_nir: dt = {dt!r} s must be the positive length of a step")
    if dt is not None and any(other != dt for other in own):
        problems.append(
            f"dt = {dt:g} s, but the neurons step by {', '.join(f'{other:g} s' for other in own)}; leave dt out"
        )
    if len(own) > 1:
        problems.append(f"the neurons step by {', '.join(f'{other:g} s' for other in own)}; give all one dt")
    return own[0] if own else dt


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
    module: nn.Module, norm: nn.Module | None, before: tuple[int, ...], after: tuple[int, ...], writing: _Writing
) -> nir.NIRNode:
    match module:
        case Neuron():
            return _neuron(module, after, writing)
        case Dense():
            weight, bias = _fold(module.weight, module.bias, norm)
            return nir.Linear(weight) if bias is None else nir.Affine(weight, bias)
        case Conv1d() | Conv2d():
            return _convolution(module, norm, before, after)
        case SumPool2d() | AvgPool2d():
            if module.ceil_mode:
                raise CannotExport("ceil_mode has no NIR form; choose sizes that divide")
            kind = nir.SumPool2d if isinstance(module, SumPool2d) else nir.AvgPool2d
            pair = [np.array(v if isinstance(v, tuple) else (v, v)) for v in (module.kernel_size, module.stride)]
            padding = module.padding if isinstance(module.padding, tuple) else (module.padding,) * 2
            return kind(*pair, np.array(padding))
        case Flatten():
            return nir.Flatten({"input": np.array(before)}, start_dim=module.start_dim, end_dim=module.end_dim)
        case Scale():
            return nir.Scale(np.broadcast_to(_array(module.scale), before).copy())
        case Threshold():
            return nir.Threshold(np.broadcast_to(_array(module.threshold), before).copy())
        case Delay():
            if writing.dt is None:
                raise CannotExport("a delay in steps needs the step's length to become seconds; pass dt")
            steps = module.steps.cpu().numpy().astype(np.float64)
            along = steps.reshape(*steps.shape, *[1] * (len(before) - steps.ndim)) if steps.ndim == 1 else steps
            return nir.Delay(np.broadcast_to(along * writing.dt, before).copy())
        case BatchNorm1d() | BatchNorm2d():
            raise CannotExport("batch normalisation can be folded only into the one Dense or Conv2d right before it")
    raise CannotExport(f"{type(module).__name__} has no NIR form")


def _convolution(
    module: Conv1d | Conv2d, norm: nn.Module | None, before: tuple[int, ...], after: tuple[int, ...]
) -> nir.NIRNode:
    if module.padding_mode != "zeros":
        raise CannotExport(f"padding_mode {module.padding_mode!r} has no NIR form; use 'zeros'")
    weight, bias = _fold(module.weight, module.bias, norm)
    bias = np.zeros(len(weight), weight.dtype) if bias is None else bias
    places: Any = (module.stride, module.padding, module.dilation)
    if isinstance(module, Conv1d):
        places = tuple(place if isinstance(place, str) else place[0] for place in places)
        node = nir.Conv1d(before[1], weight, *places, module.groups, bias)
    else:
        node = nir.Conv2d(before[1:], weight, *places, module.groups, bias)
    # nir works out other types for kernels that are not square and for groups
    node.input_type, node.output_type = {"input": np.array(before)}, {"output": np.array(after)}
    return node


def _neuron(layer: Neuron, shape: tuple[int, ...], writing: _Writing) -> nir.NIRNode:
    spec, options = layer.spec, layer.options
    if spec.nir is None:
        raise CannotExport(f"NIR has no primitive for the {spec.title.lower()}; use a LIF, or run it in spikelab")
    if layer.refractory:
        raise CannotExport(f"NIR has no refractory time (here {layer.refractory:g} s); set refractory=0")
    if spec.spikes and options.reset == "subtract" and writing.subtractive_reset == "refuse":
        raise CannotExport(
            "NIR resets to a value, this layer subtracts its threshold; train with reset='value', or pass "
            "subtractive_reset='metadata' for readers that look there"
        )
    parameters = nir_parameters(layer, writing.form)
    arrays = {name: np.broadcast_to(value, shape).copy() for name, value in parameters.items()}
    make: Callable[..., nir.NIRNode] = getattr(nir, spec.nir)
    names = {"tau_mem": "tau"} if spec.nir in ("LIF", "LI") else {}
    node = make(**{names.get(name, name): array for name, array in arrays.items()})
    node.metadata = {"reset": options.reset} if spec.spikes else {}
    return node


def _discretisation(network: Network, writing: _Writing, order: list[str]) -> dict[str, Any]:
    layers = {name: node for name, node in network.nodes.items() if isinstance(node, Neuron)}
    return {
        "form": writing.form,
        "dt": writing.dt,
        "order": order,
        "neurons": {
            name: {
                "dt": layer.dt,
                "method": written_method(layer, writing.form),
                "input_form": "current" if writing.form != "continuous" else layer.options.input_form,
                "reset": layer.options.reset,
            }
            for name, layer in layers.items()
        },
    }

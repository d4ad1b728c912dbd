"""Reads a NIR graph into a network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from spikelab.nn import IF, LI, LIF, AvgPool2d, Conv2d, CubaLI, CubaLIF, Dense, Flatten, Network, SumPool2d
from spikelab.nn.network import INPUT, OUTPUT

_NEURONS = {"IF": IF, "LIF": LIF, "LI": LI, "CubaLIF": CubaLIF, "CubaLI": CubaLI}


class CannotImport(ValueError):
    """The graph holds something that spikelab cannot run; the message names file, node and remedy."""


def from_nir(source: str | Path | nir.NIRGraph, dt: float | None = None, method: str | None = None) -> Network:
    """A network from a NIR graph or file.

    NIR says nothing about time steps. A graph that spikelab wrote carries ``dt`` and the discretisation in its
    metadata; for any other, ``dt`` must be given.

    Args:
        source: a graph, or the path of a ``.nir`` file.
        dt: length of a step in seconds; None takes the graph's own.
        method: discretisation; None takes the graph's own, else each neuron's default.

    Raises:
        CannotImport: names the file, the node and what to do.
    """
    where = "graph" if isinstance(source, nir.NIRGraph) else str(source)
    graph = source if isinstance(source, nir.NIRGraph) else _read(Path(source))
    noted = _metadata(graph, where)
    nodes: dict[str, nn.Module] = {}
    problems = []
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Input | nir.Output):
            continue
        try:
            nodes[name] = _module(node, noted.get(name, {}), dt, method)
        except (CannotImport, ValueError) as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise CannotImport(f"{where} cannot be run:\n  " + "\n  ".join(problems))
    ends = {name: INPUT for name, node in graph.nodes.items() if isinstance(node, nir.Input)}
    ends |= {name: OUTPUT for name, node in graph.nodes.items() if isinstance(node, nir.Output) and name == OUTPUT}
    others = [name for name, node in graph.nodes.items() if isinstance(node, nir.Output) and name != OUTPUT]
    if OUTPUT not in ends.values() and len(others) == 1:
        ends[others.pop()] = OUTPUT
    edges = [(ends.get(a, a), ends.get(b, b)) for a, b in graph.edges if b not in others]
    return Network(nodes, edges).eval()


def _read(path: Path) -> nir.NIRGraph:
    if not path.exists():
        raise CannotImport(f"{path}: no such file")
    try:
        return nir.read(str(path), type_check=False)
    except Exception as error:
        raise CannotImport(f"{path}: not a readable NIR file ({type(error).__name__}: {error})") from error


def _metadata(graph: nir.NIRGraph, where: str) -> Mapping[str, Any]:
    text = (graph.metadata or {}).get("spikelab")
    if text is None:
        return {}
    text = text.decode() if isinstance(text, bytes) else str(text)
    try:
        neurons = json.loads(text)["neurons"]
    except (ValueError, KeyError, TypeError) as error:
        raise CannotImport(f"{where}: metadata 'spikelab' is damaged ({error}); delete it and pass dt") from error
    return dict(neurons)


def _pair(value: Any) -> tuple[int, int]:
    numbers = np.broadcast_to(np.asarray(value), (2,))
    return int(numbers[0]), int(numbers[1])


def _tensor(array: Any) -> torch.Tensor:
    return torch.as_tensor(np.array(array))


def _module(node: nir.NIRNode, noted: Mapping[str, Any], dt: float | None, method: str | None) -> nn.Module:
    kind = type(node).__name__
    if kind in _NEURONS:
        return _neuron(kind, node, noted, dt, method)
    match node:
        case nir.Linear() | nir.Affine():
            dense = Dense(node.weight.shape[1], node.weight.shape[0], bias=isinstance(node, nir.Affine))
            _fill(dense, node)
            return dense
        case nir.Conv2d():
            padding = node.padding if isinstance(node.padding, str) else _pair(node.padding)
            out_channels, per_group, *kernel = node.weight.shape
            convolution = Conv2d(
                per_group * node.groups, out_channels, tuple(kernel), _pair(node.stride), padding, _pair(node.dilation),
                node.groups, bias=True,
            )  # fmt: skip
            _fill(convolution, node)
            return convolution
        case nir.SumPool2d():
            return SumPool2d(_pair(node.kernel_size), _pair(node.stride), _pair(node.padding))
        case nir.AvgPool2d():
            return AvgPool2d(_pair(node.kernel_size), _pair(node.stride), _pair(node.padding))
        case nir.Flatten():
            return Flatten()
    raise CannotImport(f"NIR primitive {kind} is not supported yet")


def _fill(module: Dense | Conv2d, node: Any) -> None:
    with torch.no_grad():
        module.weight.copy_(_tensor(node.weight))
        if module.bias is not None:
            module.bias.copy_(_tensor(node.bias))


def _neuron(kind: str, node: Any, noted: Mapping[str, Any], dt: float | None, method: str | None) -> nn.Module:
    step = dt if dt is not None else noted.get("dt")
    if step is None:
        raise CannotImport("a NIR graph has no time step; pass dt (seconds)")
    make = _NEURONS[kind]
    names = {"tau_mem": "tau"} if kind in ("LIF", "LI") else {}
    known = make().spec.parameter_names
    values = {name: _tensor(getattr(node, names.get(name, name))) for name in known}
    values = {name: value.flatten()[0] if _uniform(value) else value for name, value in values.items()}
    options = {"method": method or noted.get("method", ""), "input_form": noted.get("input_form", "current")}
    if "v_threshold" in known:
        options["reset"] = noted.get("reset") or "value"
    return make(dt=float(step), **options, **values)


def _uniform(value: torch.Tensor) -> bool:
    return value.numel() > 0 and bool((value == value.flatten()[0]).all())

"""Lava's netx files (``.net``): HDF5, one group a layer, written and read without Lava.

A file is a chain of layers. Each connection takes one step, also that from the outside; biases have exponent 6; the
current keeps ``4096 - iDecay`` and the membrane ``4096 - vDecay`` parts of 4096.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikelab.hw.backends.backend import Backend
from spikelab.hw.backends.vectors import compare_runs
from spikelab.hw.backends.verification import Verification
from spikelab.hw.connections import Connection, Convolution, Dense, convolved_shape
from spikelab.hw.integer import simulate
from spikelab.hw.ir import Input, IntegerGraph, IntegerGraphError, Output, Population
from spikelab.hw.neurons.loihi_lif import LOIHI_LIF
from spikelab.io.atomic import write_bytes_atomically

INPUT = "input"
BIAS_EXPONENT = 6
#: netx keeps longer delays at this one.
LONGEST_DELAY = 62


class NetxError(ValueError):
    """A netx file, or a graph for one, that cannot be used; names file, layer and field."""


def read_netx(path: str | Path, input_shape: tuple[int, ...] | None = None) -> IntegerGraph:
    """Reads a netx file.

    Args:
        path: the file.
        input_shape: needed where the file does not begin with an input layer or a dense one.

    Returns:
        a graph with the input "input" and populations "layer0", "layer1", ... by their place in the file.

    Raises:
        NetxError: if the file is damaged or holds something that has no integer form here.
    """
    path = Path(path)
    try:
        with h5py.File(path, "r") as file:
            return _read_layers(path, file, input_shape)
    except OSError as error:
        raise NetxError(f"{path}: cannot be read as HDF5 ({error})") from error
    except IntegerGraphError as error:
        raise NetxError(f"{path}: {error}") from error


def _read_layers(path: Path, file: Any, input_shape: tuple[int, ...] | None) -> IntegerGraph:
    layers = file.get("layer")
    if not isinstance(layers, h5py.Group) or not len(layers):
        raise NetxError(f"{path}: has no group 'layer', so it is not a netx file")
    source, shape = INPUT, input_shape
    inputs: tuple[int, ...] = ()
    populations: list[Population] = []
    connections: list[Connection] = []
    for place in range(len(layers)):
        layer = _Layer(path, layers, place)
        kind = layer.text("type")
        if kind == "input":
            shape = tuple(layer.numbers("shape").tolist())
            continue
        if kind == "flatten":
            continue
        if kind not in _READERS:
            raise NetxError(
                f"{path}: layer {place} is {kind!r}; known are input, flatten, {', '.join(_READERS)} "
                "(write pooling as a convolution)"
            )
        if shape is None and kind != "conv":
            shape = (int(layer.numbers("inFeatures")),)
        if shape is None:
            raise NetxError(f"{path}: layer {place} does not say the shape of its input; give input_shape")
        inputs = inputs or shape
        name = f"layer{place}"
        weights, shape = _READERS[kind](layer, shape)
        populations.append(Population(name, LOIHI_LIF, shape, _parameters(layer)))
        connections.append(Connection(source, name, weights, wrap_bits=24 if kind == "conv" else 0))
        if kind == "dense_rec":
            connections.append(Connection(name, name, Dense(layer.whole("weight_rec"))))
        source = name
    if not populations:
        raise NetxError(f"{path}: has no layer with neurons")
    return IntegerGraph({INPUT: Input(inputs)}, populations, connections, outputs=[Output("output", source)])


class _Layer:
    """A layer of a file, with errors that say where."""

    def __init__(self, path: Path, layers: Any, place: int):
        if str(place) not in layers:
            raise NetxError(f"{path}: layer {place} is missing; layers must be numbered from 0 without a gap")
        self.group, self.where = layers[str(place)], f"{path}: layer {place}"

    def has(self, field: str) -> bool:
        return field in self.group

    def numbers(self, field: str) -> np.ndarray:
        if not isinstance(self.group.get(field), h5py.Dataset):
            raise NetxError(f"{self.where}: {field} is missing")
        value = np.asarray(self.group[field][()])
        if value.dtype.kind not in "iufb":
            raise NetxError(f"{self.where}: {field} is {value.dtype}, not numbers")
        return value

    def whole(self, field: str) -> np.ndarray:
        value = self.numbers(field)
        if not np.isfinite(value).all() or (value != np.round(value)).any():
            raise NetxError(f"{self.where}: {field} holds numbers that are not whole; quantise the network first")
        return value.astype(np.int64)

    def text(self, field: str) -> str:
        if not isinstance(self.group.get(field), h5py.Dataset):
            raise NetxError(f"{self.where}: {field} is missing")
        value = np.asarray(self.group[field][()]).reshape(-1)[0]
        return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _parameters(layer: _Layer) -> dict[str, Any]:
    kind = layer.text("neuron/type")
    if kind != "CUBA":
        raise NetxError(f"{layer.where}: neuron/type {kind!r} is not supported; CUBA is")
    if layer.has("neuron/gradedSpike") and bool(layer.numbers("neuron/gradedSpike")):
        raise NetxError(f"{layer.where}: neuron/gradedSpike is true; spikes of CUBA neurons are plain here")
    if layer.has("neuron/refDelay") and int(layer.whole("neuron/refDelay")) != 1:
        raise NetxError(f"{layer.where}: neuron/refDelay = {int(layer.whole('neuron/refDelay'))}; only 1 is supported")
    if layer.has("neuron/weight_exp"):
        raise NetxError(f"{layer.where}: has a normalised weight; export it with the norm folded in")
    found: dict[str, Any] = {
        "du": int(layer.whole("neuron/iDecay")) - 1,
        "dv": int(layer.whole("neuron/vDecay")),
        "vth": int(layer.whole("neuron/vThMant")),
    }
    if layer.has("bias"):
        bias = layer.whole("bias")
        # one number for a feature map
        found |= {"bias_mant": bias.reshape(-1, 1, 1) if layer.has("kernelSize") else bias, "bias_exp": BIAS_EXPONENT}
    return found


def _read_dense(layer: _Layer, shape: tuple[int, ...]) -> tuple[Dense, tuple[int, ...]]:
    weight = layer.whole("weight")
    if weight.ndim != 2:
        raise NetxError(f"{layer.where}: weight has shape {list(weight.shape)}, but must be [targets, sources]")
    delay = None
    if layer.has("delay"):
        given = np.floor(layer.numbers("delay")).astype(np.int64)
        # one for all, one for each target, or one for each source
        targets, sources = weight.shape
        if given.size > 1 and (given.ndim != 1 or given.size not in (targets, sources)):
            raise NetxError(
                f"{layer.where}: delay has shape {list(given.shape)} for {targets} targets, {sources} sources"
            )
        if given.size > 1 and targets == sources and (given != given[0]).any():
            raise NetxError(
                f"{layer.where}: {targets} delays may be those of targets or of sources; the file cannot say"
            )
        column = given.size == targets != sources
        delay = np.broadcast_to(given[:, None] if column else given, weight.shape).clip(0, LONGEST_DELAY)
    return Dense(weight, delay), (weight.shape[0],)


def _read_conv(layer: _Layer, shape: tuple[int, ...]) -> tuple[Convolution, tuple[int, ...]]:
    if layer.has("delay"):
        raise NetxError(f"{layer.where}: delay of a convolution is not supported")

    def pair(field: str) -> tuple[int, int]:
        down, right = layer.whole(field).reshape(-1).tolist()
        return down, right

    groups = int(layer.whole("groups"))
    weights = Convolution(layer.whole("weight"), pair("stride"), pair("padding"), pair("dilation"), groups)
    return weights, convolved_shape(weights, shape)


_READERS: dict[str, Callable[[_Layer, tuple[int, ...]], Any]] = {
    "dense": _read_dense,
    "dense_rec": _read_dense,
    "conv": _read_conv,
}


def write_netx(path: str | Path, graph: IntegerGraph) -> None:
    """Writes a graph as a netx file; ``read_netx`` gives it back.

    Raises:
        NetxError: with everything about the graph that the format does not have.
        OSError: as the operating system reports it; the file is then as it was.
    """
    chain = _chain(graph)
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        layers = file.create_group("layer")
        for place, fields in enumerate(_layers(graph, chain)):
            group = layers.create_group(str(place))
            for name, value in fields.items():
                group[name] = value
    write_bytes_atomically(path, memory.getvalue())


def _chain(graph: IntegerGraph) -> list[tuple[Connection, Population, Connection | None]]:
    """(connection into, population, recurrent connection) from the input on."""
    problems = [f"has {len(graph.inputs)} inputs; netx has one"] if len(graph.inputs) != 1 else []
    chain: list[tuple[Connection, Population, Connection | None]] = []
    before = next(iter(graph.inputs), "")
    for population in graph.populations:
        into = [c for c in graph.into(population.name) if c.source != population.name]
        back = [c for c in graph.into(population.name) if c.source == population.name]
        if [c.source for c in into] != [before] or len(back) > 1:
            sources = ", ".join(repr(c.source) for c in into + back)
            problems.append(
                f"population {population.name!r} hears {sources}; netx is a chain, here only {before!r} fits"
            )
        before = population.name
        if into:
            chain.append((into[0], population, back[0] if back else None))
            problems += _layer_problems(*chain[-1])
    if problems:
        raise NetxError("cannot be written as netx:\n" + "\n".join(problems))
    return chain


def _layer_problems(into: Connection, population: Population, back: Connection | None) -> list[str]:
    where = f"population {population.name!r}"
    if population.neuron is not LOIHI_LIF:
        return [f"{where} is of {population.neuron.name}; netx is written for {LOIHI_LIF.name}"]
    problems = []
    if isinstance(into.weights, Convolution) and back:
        problems.append(f"{where}: netx has no recurrent convolution; make the input a dense connection")
    if not isinstance(into.weights, Dense | Convolution) or (back and not isinstance(back.weights, Dense)):
        problems.append(f"{where}: netx has dense connections and convolutions only; write the weights out as a matrix")
    for c in [into] + ([back] if back else []):
        if c.pool != (1, 1):
            problems.append(f"{where}: netx has no pooling; write it as a convolution")
        if c.delay != 1 or c.exponent != 0 or c.port != "a":
            problems.append(f"{where}: delay {c.delay} and exponent {c.exponent} must be 1 and 0 in netx")
    if back and isinstance(back.weights, Dense) and back.weights.delay is not None:
        problems.append(f"{where}: netx has no delays of recurrent connections")
    if isinstance(into.weights, Dense) and into.weights.delay is not None and _delay_field(into.weights.delay) is None:
        problems.append(
            f"{where}: netx has one delay for all, or for each target or source where their numbers differ, at most "
            f"{LONGEST_DELAY}"
        )
    for name in ("du", "dv", "vth"):
        if np.size(population.parameters.get(name, 0)) > 1:
            problems.append(f"{where}: {name} differs between neurons; netx has one for a layer")
    if _bias(population) is None:
        problems.append(
            f"{where}: bias needs exponent {BIAS_EXPONENT} and, after a convolution, one value a feature map"
        )
    for name in ("reset_interval", "reset_offset"):
        if name in population.parameters:
            problems.append(f"{where}: netx has no {name}")
    return problems


def _delay_field(delay: np.ndarray) -> np.ndarray | None:
    if delay.max(initial=0) > LONGEST_DELAY:
        return None
    if (delay == delay.flat[0]).all():
        return delay.flat[0]
    if delay.shape[0] == delay.shape[1]:
        return None
    if (delay == delay[:, :1]).all():
        return delay[:, 0]
    return delay[0] if (delay == delay[:1]).all() else None


def _bias(population: Population) -> np.ndarray | None:
    """The bias field; empty where there is none, None where it cannot be written."""
    values = np.asarray(population.parameters.get("bias_mant", 0))
    if not values.any():
        return np.empty(0, np.int64)
    full = np.broadcast_to(values, population.shape)
    each = full.reshape(len(full), -1)
    exponent = np.asarray(population.parameters.get("bias_exp", 0))
    return each[:, 0] if (exponent == BIAS_EXPONENT).all() and (each == each[:, :1]).all() else None


def _layers(graph: IntegerGraph, chain: list[Any]) -> list[Mapping[str, Any]]:
    layers: list[Mapping[str, Any]] = []
    shape = next(iter(graph.inputs.values())).shape
    if len(shape) == 3:
        layers.append({"type": _kind("input"), "shape": np.array(shape)})
    for into, population, back in chain:
        weights, p = into.weights, population.parameters
        if isinstance(weights, Dense) and len(shape) == 3:
            layers.append({"type": _kind("flatten"), "shape": np.array([int(np.prod(shape))])})
        fields: dict[str, Any] = {"shape": np.array(population.shape), "weight": weights.weight.astype(np.float32)}
        if isinstance(weights, Dense):
            fields |= {"type": _kind("dense_rec" if back else "dense")}
            fields |= {"inFeatures": weights.weight.shape[1], "outFeatures": weights.weight.shape[0]}
            if weights.delay is not None:
                fields["delay"] = np.asarray(_delay_field(weights.delay))
        else:
            fields |= {"type": _kind("conv"), "inChannels": shape[0], "outChannels": len(weights.weight)}
            fields |= {"kernelSize": np.array(weights.weight.shape[2:]), "groups": weights.groups}
            for name in ("stride", "padding", "dilation"):
                fields[name] = np.array(getattr(weights, name))
        if back:
            fields["weight_rec"] = back.weights.weight.astype(np.float32)
        bias = _bias(population)
        if bias is not None and bias.size:
            fields["bias"] = bias.astype(np.float32)
        defaults = {parameter.name: parameter.default for parameter in population.neuron.parameters}
        du, dv, vth = (int(np.asarray(p.get(name, defaults[name])).flat[0]) for name in ("du", "dv", "vth"))
        fields |= {"neuron/type": "CUBA", "neuron/iDecay": du + 1, "neuron/vDecay": dv, "neuron/vThMant": vth}
        fields |= {"neuron/refDelay": 1, "neuron/gradedSpike": False}
        layers.append(fields)
        shape = population.shape
    return layers


def _kind(name: str) -> np.ndarray:
    return np.array([name.encode()], dtype="S10")


def _write(folder: Path, graph: IntegerGraph, inputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    write_netx(folder / _FILE, graph)
    return {"files": [_FILE], "layers": len(graph.populations)}


def _verify(folder: Path, graph: IntegerGraph, inputs: Mapping[str, np.ndarray]) -> Verification:
    """Reads the file again, runs it, and compares with the graph: names of layers are not kept in a file."""
    back = read_netx(folder / _FILE, next(iter(graph.inputs.values())).shape)
    back = replace(back, inputs={INPUT: next(iter(graph.inputs.values()))})
    given = next(iter(inputs.values()))
    first = simulate(graph, inputs, record=True)
    second = simulate(back, {INPUT: given}, record=True)
    names = dict(zip([p.name for p in back.populations], [p.name for p in graph.populations], strict=True))
    renamed = replace(
        second,
        messages={names[name]: value for name, value in second.messages.items()},
        states={names[name]: value for name, value in second.states.items()},
    )
    return compare_runs(first, renamed)


_FILE = "network.net"
NETX = Backend("netx", "Lava's netx file", "loihi_netx", _write, _verify)

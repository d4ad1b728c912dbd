"""From a module of another framework to a network of ours: followed, translated, compared on the spot."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from spikelab.io.follow import CannotTranslate, Layer, Trail, follow
from spikelab.io.interop_compare import STEPS, Place, compare, double, random_inputs, record
from spikelab.io.interop_layers import from_torch_layer
from spikelab.nn import BatchNorm1d, BatchNorm2d, Conv2d, Dense, Network, Neuron
from spikelab.nn.network import INPUT, OUTPUT


@dataclass
class Translated:
    """One layer of another framework as nodes of ours.

    Attributes:
        nodes: suffix of the node's name -> module; "" is the one that gives out the layer's output.
        edges: between those, by suffix.
        entry: suffix of the node that takes the layer's input.
        bias: a constant [out] to be added to the input, which the weights before the layer must take up.
        real: the output is a membrane, not spikes.
    """

    nodes: dict[str, nn.Module]
    edges: list[tuple[str, str]] = field(default_factory=list)
    entry: str = ""
    bias: Tensor | None = None
    real: bool = False


@dataclass(frozen=True)
class Framework:
    """What the shared part must know about a framework.

    Attributes:
        name: for messages.
        is_neuron: whether a module is one of its layers of neurons.
        is_layer: whether a module is one layer, though it has submodules.
        sees_time: whether a layer takes a whole sequence [T, B, ...] at once.
        membrane_port: a layer of neurons -> which of its outputs is its membrane.
        check: raises CannotTranslate for a layer of neurons that no translation exists for, whatever it is fed with.
        translate: (layer, shape of its input's samples) -> nodes of ours; raises CannotTranslate.
        in_float64: makes a copy compute in float64 throughout, from a fresh state; may be called again.
        membrane: (layer, its output) -> the membrane of a readout after its step.
        step: (module, input, state) -> state; calls the module once.
        unwrap: a layer -> the layer that does the work, and whether that sees single steps of a sequence.
    """

    name: str
    is_neuron: Callable[[nn.Module], bool]
    is_layer: Callable[[nn.Module], bool]
    sees_time: Callable[[nn.Module], bool]
    membrane_port: Callable[[nn.Module], int]
    check: Callable[[nn.Module], None]
    translate: Callable[[Layer, tuple[int, ...]], Translated]
    in_float64: Callable[[nn.Module], None]
    membrane: Callable[[nn.Module, Any], Tensor]
    step: Callable[[nn.Module, Tensor, Any], Any]
    unwrap: Callable[[nn.Module], tuple[nn.Module, bool]] = lambda module: (module, False)


def import_module(
    framework: Framework,
    module: nn.Module,
    input_shape: Sequence[int] | None,
    example_input: Tensor | None,
    verify: bool | Tensor,
) -> Network:
    """The module as a network: followed, translated, and compared with the original unless told otherwise."""
    where = f"from_{framework.name}"
    if not isinstance(module, nn.Module):
        raise TypeError(f"{where}: got a {type(module).__name__}, but needs a torch module")
    if (input_shape is None) == (example_input is None):
        raise TypeError(f"{where}: give either input_shape (one step without batch) or example_input")
    original = copied(module)
    _check_all(framework, original, where)
    framework.in_float64(original)
    whole = any(framework.sees_time(m) for m in original.modules())
    if example_input is None:
        assert input_shape is not None
        example_input = torch.zeros((*((3, 2) if whole else (2,)), *input_shape))
    example = example_input.detach().to(torch.float64)

    def run_once(m: nn.Module) -> None:
        framework.step(m, example, None)

    try:
        trail = follow(original, framework.is_layer, run_once, example)
    except CannotTranslate as error:
        raise CannotTranslate(f"{where}: {error}") from None
    except Exception as error:
        raise CannotTranslate(
            f"{where}: the module does not run on an input of shape {list(example.shape)} ({type(error).__name__}: "
            f"{error}); give an example_input as its forward expects it"
        ) from error
    network, places = _build(framework, trail, whole)
    precision = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.get_default_dtype())
    for node in network.nodes.values():
        if not isinstance(node, Neuron):
            node.to(precision)
    if verify is not False:
        original_run = _Run(framework, original, trail, places, whole, example)
        _verify(original_run, network, places, None if verify is True else verify)
    return network


def copied(module: nn.Module) -> nn.Module:
    """A copy in evaluation mode; a hidden state that still hangs on a gradient is copied by value."""
    found = [*module.buffers(), *(v for m in module.modules() for v in vars(m).values() if isinstance(v, Tensor))]
    memo: dict[int, Any] = {id(tensor): tensor.detach().clone() for tensor in found if not tensor.is_leaf}
    return copy.deepcopy(module, memo).eval()


def _check_all(framework: Framework, module: nn.Module, where: str) -> None:
    problems = []
    for path, layer in module.named_modules():
        try:
            if framework.is_neuron(layer):
                framework.check(layer)
        except CannotTranslate as error:
            problems.append(f"{path or type(layer).__name__}: {error}")
    if problems:
        raise CannotTranslate(f"{where}: no exact translation:\n  " + "\n  ".join(problems))


def _build(framework: Framework, trail: Trail, whole: bool) -> tuple[Network, dict[str, Place]]:
    """The network, and where to compare it with the original."""
    leading = 2 if whole else 1
    nodes: dict[str, nn.Module] = {}
    edges: list[tuple[str, str]] = []
    problems: list[str] = []
    stands_for: dict[str, tuple[str, ...]] = {INPUT: (INPUT,)}
    places: dict[str, Place] = {}
    for name, layer in trail.layers.items():
        sources = tuple(end for source in layer.source.sources for end in stands_for[source])
        stands_for[name] = (name,)
        shape = layer.input_shape[leading:]
        try:
            _require_output(framework, trail, layer, places)
            module, stepped = framework.unwrap(layer.module)
            if not framework.is_neuron(module):
                ours = from_torch_layer(module, shape, 1 if stepped else leading)
                if ours is None:
                    stands_for[name] = sources
                    continue
                made = Translated({"": ours})
            else:
                made = framework.translate(layer, shape)
                places[name] = Place(name, layer.path, made.real)
            if made.bias is not None:
                _take_up(made.bias, trail, layer, sources, nodes)
        except CannotTranslate as error:
            problems.append(f"{layer.path or name}: {error}")
            made = Translated({"": nn.Identity()})
        nodes.update({name + suffix: node for suffix, node in made.nodes.items()})
        edges += [(source, name + made.entry) for source in sources]
        edges += [(name + a, name + b) for a, b in made.edges]
    ends = [end for name in trail.ends for end in stands_for[name]]
    if len(ends) != 1:
        problems.append(
            f"{len(ends)} layers feed no other ({', '.join(ends)}); a network has one output, so import parts"
        )
    modules = [layer.module for layer in trail.layers.values()]
    twice = [name for name in places if modules.count(trail.layers[name].module) > 1]
    if twice:
        problems.append(f"{', '.join(twice)}: one layer of neurons stands in several places; make one for each")
    if problems:
        raise CannotTranslate(f"from_{framework.name}: no exact translation:\n  " + "\n  ".join(problems))
    # what ends in weights is compared too
    for end in ends:
        if end in trail.layers and end not in places and modules.count(trail.layers[end].module) == 1:
            places[end] = Place(end, trail.layers[end].path, real=True)
    return Network(nodes, [*edges, *((end, OUTPUT) for end in ends)]).eval(), places


def _require_output(framework: Framework, trail: Trail, layer: Layer, places: Mapping[str, Place]) -> None:
    """A layer must read what our node gives out: spikes, or the membrane of a readout."""
    for source in layer.source.sources:
        if source not in places:
            continue
        port = framework.membrane_port(trail.layers[source].module) if places[source].real else 0
        if layer.source.port != port:
            given = "its membrane" if places[source].real else "its spikes"
            raise CannotTranslate(
                f"reads another output of {trail.layers[source].path} than {given}, which is what is translated; pass "
                "that on"
            )


def _take_up(bias: Tensor, trail: Trail, layer: Layer, sources: Sequence[str], nodes: Mapping[str, nn.Module]) -> None:
    """Adds a constant to the weights, or the normalisation, that alone feed a layer."""
    if not bool((bias != 0).any()):
        return
    before = nodes.get(sources[0]) if len(sources) == 1 else None
    readers = sum(bool(set(other.source.sources) & set(layer.source.sources)) for other in trail.layers.values())
    if not isinstance(before, Dense | Conv2d | BatchNorm1d | BatchNorm2d) or readers > 1:
        raise CannotTranslate(
            "its recurrent weights have a bias, which acts from the first step on, and no weights of its own stand "
            "before it that could take it up; put a Linear or Conv2d right before it, or set the bias to zero"
        )
    own = before.bias
    with torch.no_grad():
        value = bias.to(before.weight.dtype) if own is None else own + bias.to(own.dtype)
    before.bias = nn.Parameter(value.clone())


@dataclass(frozen=True)
class _Run:
    """Runs the original and records its layers."""

    framework: Framework
    original: nn.Module
    trail: Trail
    places: Mapping[str, Place]
    whole: bool
    example: Tensor

    @property
    def own_steps(self) -> int:
        """The steps over which the module itself loops, 1 for one that is called on single steps."""
        calls = [self.trail.layers[name].calls for name in self.places]
        return 1 if self.whole else max(calls, default=1)

    def shape(self, steps: int) -> tuple[int, ...]:
        """Of an input of so many steps: [T, B, ...]."""
        shape = list(self.example.shape)
        if self.whole:
            del shape[0]
        elif self.trail.time_dimension is not None:
            del shape[self.trail.time_dimension]
        return (steps, *shape)

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        """What each place gives out on x [T, B, ...]: name -> [T, B, ...]."""
        module = copied(self.original)
        self.framework.in_float64(module)
        found = record(module, self.places, lambda m: self._call(m, x), self.framework.membrane)
        return {name: values[0] for name, values in found.items()} if self.whole else found

    def _call(self, module: nn.Module, x: Tensor) -> None:
        time = self.trail.time_dimension
        if self.whole:
            self.framework.step(module, x, None)
        elif time is not None:
            self.framework.step(module, x.movedim(0, time), None)
        elif self.own_steps > 1:
            self.framework.step(module, x[0], None)
        else:
            state = None
            for step in x.unbind(0):
                state = self.framework.step(module, step, state)

    def steps(self) -> int:
        """How many steps it can be run on: as many as are wanted, or as many as its own loop takes."""
        if self.own_steps == 1:
            return STEPS
        if self.trail.time_dimension is None:
            return self.own_steps
        try:
            found = self(torch.zeros(self.shape(STEPS), dtype=torch.float64))
        except (RuntimeError, ValueError, IndexError):
            return self.own_steps
        return STEPS if all(len(values) == STEPS for values in found.values()) else self.own_steps

    def inputs(self) -> Iterator[Tensor]:
        """Random inputs; the same at all steps where the module gets a single picture for all of them."""
        steps = self.steps()
        for x in random_inputs(self.shape(steps)):
            yield x[:1].expand(x.shape) if self.own_steps > 1 and self.trail.time_dimension is None else x


def _verify(original: _Run, network: Network, places: Mapping[str, Place], given: Tensor | None) -> None:
    ours = double(network)

    def run(x: Tensor) -> tuple[Mapping[str, Tensor], Mapping[str, Tensor]]:
        with torch.no_grad():
            outputs, _ = ours.run(x)
        return {name: outputs[place.node] for name, place in places.items()}, original(x)

    inputs = original.inputs() if given is None else iter([given.detach().double()])
    compare(run, inputs, places, network, original.framework.name)

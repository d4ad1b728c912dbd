"""From a network of ours to a chain of another framework's layers: what the ways out share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spikelab.io.follow import CannotTranslate
from spikelab.io.interop_compare import STEPS, Place, compare, double, random_inputs, record
from spikelab.io.interop_layers import to_torch_layer
from spikelab.nn import Conv2d, Dense, Network, Neuron
from spikelab.nn.network import INPUT, OUTPUT


@dataclass(frozen=True)
class Link:
    """One layer of a chain.

    Attributes:
        name: of the node.
        module: the node.
        recurrent: the weights by which a neuron's spikes come back one step later, if they do.
        last: nothing comes after it.
    """

    name: str
    module: nn.Module
    recurrent: Dense | Conv2d | None = None
    last: bool = False


@dataclass
class Made:
    """A layer of the other framework.

    Attributes:
        module: the layer.
        scale: by this its input must be multiplied, so the weights before it are.
        takes_weights: it has taken up the weights before it, which are left out.
    """

    module: nn.Module
    scale: Tensor | None = None
    takes_weights: bool = False


def links(network: Network, problems: list[str]) -> list[Link]:
    """The network's nodes as a chain; what is none goes into ``problems``."""
    recurrent = {}
    for name, module in network.nodes.items():
        if isinstance(module, Dense | Conv2d) and len(network.sources(name)) == 1:
            neuron = network.sources(name)[0]
            if [b for a, b in network.edges if a == name] == [neuron] and network.is_recurrent(name, neuron):
                recurrent[neuron] = name
    chain: list[Link] = []
    at = INPUT
    while True:
        after = [b for a, b in network.edges if a == at and b != recurrent.get(at)]
        if len(after) != 1:
            problems.append(
                f"{at}: feeds {', '.join(after) or 'nothing'}; only a chain has a counterpart, so export parts"
            )
            return chain
        if after[0] == OUTPUT:
            break
        at = after[0]
        others = [source for source in network.sources(at) if source != recurrent.get(at)]
        if len(others) != 1 or any(link.name == at for link in chain):
            problems.append(
                f"{at}: sums the outputs of {', '.join(others)}; only a chain has a counterpart, so export parts"
            )
            return chain
        back = network.nodes[recurrent[at]] if at in recurrent else None
        assert back is None or isinstance(back, Dense | Conv2d)
        ends = (at, OUTPUT) in network.edges
        chain.append(Link(at, network.nodes[at], back, ends))
    return chain


def assemble(network: Network, framework: str, make: Callable[[Link, Link | None], Made]) -> dict[str, nn.Module]:
    """Every link as a layer there: name -> layer.

    Args:
        network: ours, in evaluation mode.
        framework: for messages.
        make: (a link with neurons, the one before) -> its counterpart; raises CannotTranslate.

    Raises:
        TypeError: for something else than a network.
        CannotTranslate: lists every node without an exact counterpart.
    """
    if not isinstance(network, Network):
        raise TypeError(f"to_{framework}: got a {type(network).__name__}; put it into a Network (Network.sequential)")
    problems: list[str] = []
    chain = links(network, problems)
    layers: dict[str, nn.Module] = {}
    before: Link | None = None
    for link in chain:
        try:
            if not isinstance(link.module, Neuron):
                if link.recurrent is not None:
                    raise CannotTranslate("its output comes back to it without a layer of neurons between")
                layers[link.name] = to_torch_layer(link.module)
            else:
                if not link.module.spec.spikes and not link.last:
                    raise CannotTranslate(
                        "an integrator can only be the last layer; what follows would see its membrane"
                    )
                made = make(link, before)
                if made.scale is not None and bool((made.scale != 1).any()):
                    _scale(layers.get(before.name) if before else None, made.scale)
                if made.takes_weights and before is not None:
                    del layers[before.name]
                layers[link.name] = made.module
        except CannotTranslate as error:
            problems.append(f"{link.name}: {error}")
        before = link
    if problems:
        raise CannotTranslate(f"to_{framework}: no exact translation:\n  " + "\n  ".join(problems))
    return layers


def _scale(layer: nn.Module | None, scale: Tensor) -> None:
    if not isinstance(layer, nn.Linear | nn.Conv2d):
        raise CannotTranslate(
            f"its gain from input to membrane is not 1 (but {scale.reshape(-1)[0].item():.6g}) and no weights stand "
            f"right before it that could take it up; put a Dense or Conv2d there, or choose r so that the gain is 1"
        )
    with torch.no_grad():
        rows = scale.reshape(-1, *[1] * (layer.weight.dim() - 1)).to(layer.weight)
        layer.weight *= rows
        if layer.bias is not None:
            layer.bias *= rows.reshape(-1)


def verify_export(
    network: Network,
    module: nn.Module,
    named: Mapping[str, nn.Module],
    framework: str,
    input_shape: tuple[int, ...],
    given: bool | Tensor,
    in_float64: Callable[[nn.Module], None],
    run: Callable[[nn.Module, Tensor], Any],
    membrane: Callable[[nn.Module, Any], Tensor],
    copied: Callable[[nn.Module], nn.Module],
) -> None:
    """Compares every layer of neurons, and the last layer, of the network and its translation.

    Args:
        network: ours.
        module: its translation.
        named: node -> the layer of the module that stands for it, in order.
        framework: whose it is.
        input_shape: of one step, without batch.
        given: an input to compare on, or True for random ones.
        in_float64: makes a module compute in float64, from a fresh state.
        run: calls a module on a sequence [T, B, ...].
        membrane: (layer, its output) -> the real numbers it gives out.
        copied: copies a module.
    """
    paths = {layer: path for path, layer in module.named_modules()}
    places = {}
    for name, layer in named.items():
        node = network.nodes[name]
        if isinstance(node, Neuron) or name == list(named)[-1]:
            real = not (isinstance(node, Neuron) and node.spec.spikes)
            # weights before a readout may have taken up its gain, in their own precision
            places[name] = Place(name, paths[layer], real, 1e-6)
    ours = double(network)

    def both(x: Tensor) -> tuple[Mapping[str, Tensor], Mapping[str, Tensor]]:
        theirs = copied(module)
        in_float64(theirs)
        found = record(theirs, places, lambda m: run(m, x), membrane)
        with torch.no_grad():
            outputs, _ = ours.run(x)
        return {name: outputs[name] for name in places}, found

    inputs = iter([given.detach().double()]) if isinstance(given, Tensor) else random_inputs((STEPS, 2, *input_shape))
    compare(both, inputs, places, network, framework)

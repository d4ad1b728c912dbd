"""Runs a network and its translation on the same input and names the first difference.

Both are run in float64: in float32 a membrane that comes within rounding of its threshold may fall on either side,
depending on the order of a sum, and one such spike says nothing about the translation.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spikelab.io.difference import Difference, first_difference
from spikelab.nn import Network, Neuron

#: Steps of the random input.
STEPS = 200


class SpikesDiffer(RuntimeError):
    """A translation does not compute what the original computes.

    Attributes:
        difference: where they part, and the likely cause.
    """

    def __init__(self, message: str, difference: Difference):
        super().__init__(message)
        self.difference = difference


@dataclass(frozen=True)
class Place:
    """A layer in both networks.

    Attributes:
        node: ours.
        path: the other's, dots included; "" for a module that is itself one layer.
        real: gives out real numbers (a readout's membrane, or weighted sums) rather than spikes.
        tolerance: for real numbers, as a share of the largest: sums may be taken in another order.
    """

    node: str
    path: str
    real: bool = False
    tolerance: float = 1e-9


def double(network: Network) -> Network:
    """A copy that computes in float64."""
    return copy.deepcopy(network).double().eval()


def random_inputs(shape: tuple[int, ...], seed: int = 0) -> Iterator[Tensor]:
    """Inputs [T, B, ...] of growing strength: random spikes whose rate rises from 0.1 to 0.6, then random currents.

    The spikes differ in size: equal ones on short weights put membranes exactly on the threshold, where rounding
    decides.

    Args:
        shape: [T, B, ...].
        seed: of the random numbers.
    """
    generator = torch.Generator().manual_seed(seed)
    rate = torch.linspace(0.1, 0.6, shape[0], dtype=torch.float64).reshape(-1, *[1] * (len(shape) - 1))
    for amplitude in (1.0, 2.0, 4.0, 8.0):
        drawn, size = (torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(2))
        yield (drawn < rate).double() * (0.75 + size / 2) * amplitude
    for amplitude in (1.0, 8.0, 64.0):
        yield torch.randn(shape, generator=generator, dtype=torch.float64) * amplitude


def record(
    module: nn.Module,
    places: Mapping[str, Place],
    run: Callable[[nn.Module], object],
    membrane: Callable[[nn.Module, Any], Tensor],
) -> dict[str, Tensor]:
    """What each place gives out while a module runs, one entry a call: name -> [calls, ...].

    Args:
        module: in float64, from a fresh state.
        places: name -> where.
        run: calls the module.
        membrane: (layer, its output) -> the real numbers it gives out.
    """
    layers = dict(module.named_modules())
    found: dict[str, list[Tensor]] = {name: [] for name in places}

    def noting(place: Place, into: list[Tensor]) -> Callable[[nn.Module, Any, Any], None]:
        def note(layer: nn.Module, inputs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) else output
            into.append((membrane(layer, output) if place.real else first).detach().clone())

        return note

    hooks = [layers[place.path].register_forward_hook(noting(place, found[name])) for name, place in places.items()]
    try:
        with torch.no_grad():
            run(module)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: torch.stack(values) for name, values in found.items()}


def compare(
    run: Callable[[Tensor], tuple[Mapping[str, Tensor], Mapping[str, Tensor]]],
    inputs: Iterator[Tensor],
    places: Mapping[str, Place],
    network: Network,
    framework: str,
) -> None:
    """Compares on one input after the other until every layer has spiked.

    Args:
        run: input -> what each place gives out, ours and theirs.
        inputs: [T, B, ...], the weakest first.
        places: name -> where.
        network: ours.
        framework: whose network the other is.

    Raises:
        SpikesDiffer: names the first difference.
    """
    thresholds = {}
    for name, place in places.items():
        layer = network.nodes[place.node]
        if isinstance(layer, Neuron) and layer.spec.spikes:
            thresholds[name] = layer.parameter_values()["v_threshold"]
    silent = set(places)
    for x in inputs:
        ours, theirs = run(x)
        left = dict(ours)
        for name, place in places.items():
            if place.real:
                near = (ours[name] - theirs[name]).abs() <= place.tolerance * theirs[name].abs().max()
                left[name] = torch.where(near, theirs[name], ours[name])
        found = first_difference(left, theirs, list(places), thresholds=thresholds, names=("spikelab", framework))
        if found is not None:
            raise SpikesDiffer(
                f"the translation does not compute what {framework} computes (both in float64, {len(x)} "
                f"steps):\n{found}",
                found,
            )
        silent = {name for name in silent if not theirs[name].any()}
        if not silent:
            return
    warnings.warn(
        f"{', '.join(name for name in places if name in silent)}: silent on all test inputs, so the comparison says "
        f"nothing about it; pass verify=x with an input [T, B, ...] on which it spikes",
        stacklevel=5,
    )

"""Operations and modelled energy of hybrid models: ordinary layers beside a spiking network.

Two ways of counting, each under its own name:

- ``by_formula``, the field's: an ordinary layer costs N · E_MAC, a spiking one N · T · r · E_AC, with N the
  multiply-accumulates (MACs) of the dense layer and r the mean number of spikes per input and step. ``usual`` counts a
  spiking layer with real-valued input as accumulates, as most papers do; ``conservative`` counts it as MACs on all
  inputs.
- ``by_counting``: the synaptic operations that really happened, one for each weight that a non-zero input reached, MACs
  where the input is real-valued; plus two MACs for each membrane update, which the formula forgets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from spikelab.nn import Network, Neuron
from spikelab.nn.network import INPUT
from spikelab.nn.operation_costs import UPDATE_IN_MACS, CostTable
from spikelab.nn.operations import dense_operations, synaptic_operations


@contextmanager
def judging(model: nn.Module) -> Iterator[None]:
    """Within this context a model is in evaluation mode and keeps no gradients."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def ordinary_macs(model: nn.Module, spiking: nn.Module | None, samples: int, run: Callable[[], Any]) -> float:
    """MACs of every layer that does not spike, per sample.

    A layer that multiplies activations with each other has a method ``product_macs(x)`` that counts these for one
    element of its batch.

    Args:
        model: what runs.
        spiking: the part of it that is left out.
        samples: that `run` runs through it.
        run: runs the model once.
    """
    total = 0.0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
        nonlocal total
        # a layer's batch may hold several elements of a sample, such as its frames
        total += len(out) * dense_operations(layer, inputs[0], out)
        products: Any = getattr(layer, "product_macs", None)
        if products is not None:
            total += len(out) * products(inputs[0])

    left_out = set() if spiking is None else set(spiking.modules())
    handles = [layer.register_forward_hook(count) for layer in model.modules() if _counts(layer) - left_out]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return total / samples


def _counts(layer: nn.Module) -> set[nn.Module]:
    return {layer} if isinstance(layer, nn.Conv2d | nn.Linear) or hasattr(layer, "product_macs") else set()


def spiking_operations(network: Network, x: Tensor, samples: int) -> dict[str, Any]:
    """What the layers of a spiking network do, per sample.

    Args:
        network: every layer of weights in it has one source.
        x: its input [T, B, ...], real-valued.
        samples: that it holds; B may be a multiple of it.

    Returns:
        ``layers``: of each layer of weights its steps, ``dense_macs`` of a step, ``input_rate`` (spikes per input and
        step; of real-valued input the share of elements that are not zero), ``synaptic_operations`` of all steps and
        ``real_valued_input``; of spikes that go from neurons to neurons without weights likewise, as
        ``source -> target``. ``spike_rates``: of each layer of spiking neurons, per neuron and step.
        ``membrane_updates`` of all steps.
    """
    outputs = network.evaluate(x)
    steps, rows = x.shape[0], x.shape[1] / samples
    layers: dict[str, dict[str, float]] = {}
    rates: dict[str, float] = {}
    updates = 0.0
    for name, node in network.nodes.items():
        if isinstance(node, Neuron):
            updates += outputs[name].numel() / samples
            if node.spec.spikes:
                rates[name] = float(outputs[name].double().mean())
            spiking_sources = [s for s in network.sources(name) if s in network.nodes and _spikes(network.nodes[s])]
            for source in spiking_sources:
                sent = outputs[source]
                layers[f"{source} -> {name}"] = {
                    "steps": steps,
                    "dense_macs": sent[0].numel() / samples,
                    "input_rate": float((sent != 0).double().mean()),
                    "synaptic_operations": float((sent != 0).sum()) / samples,
                    "real_valued_input": 0.0,
                }
        if not isinstance(node, nn.Conv2d | nn.Linear):
            continue
        source = network.sources(name)[0]
        arriving, leaving = outputs[source].flatten(0, 1), outputs[name].flatten(0, 1)
        layers[name] = {
            "steps": steps,
            "dense_macs": rows * dense_operations(node, arriving, leaving),
            "input_rate": float((arriving != 0).double().mean()),
            "synaptic_operations": synaptic_operations(node, arriving) / samples,
            "real_valued_input": float(source == INPUT),
        }
    return {"layers": layers, "spike_rates": rates, "membrane_updates": updates}


def _spikes(node: nn.Module) -> bool:
    return isinstance(node, Neuron) and bool(node.spec.spikes)


def modelled_joule(ordinary: float, spiking: dict[str, Any], table: CostTable) -> dict[str, Any]:
    """The energy of these operations by both ways of counting, in joules per sample.

    Args:
        ordinary: MACs of ordinary layers.
        spiking: of ``spiking_operations``; empty where nothing spikes.
        table: what an operation costs.

    Raises:
        ValueError: if the table has no cost of a multiply-accumulate.
    """
    if table.multiply_accumulate is None:
        raise ValueError(f"cost table {table.name!r} has no multiply-accumulate, which ordinary layers are made of")
    mac, accumulate = table.multiply_accumulate.typical, table.accumulate.typical
    usual = conservative = 0.0
    counted = spiking.get("membrane_updates", 0.0) * UPDATE_IN_MACS * mac
    for layer in spiking.get("layers", {}).values():
        dense = layer["dense_macs"] * layer["steps"]
        usual += dense * layer["input_rate"] * accumulate
        conservative += dense * (mac if layer["real_valued_input"] else layer["input_rate"] * accumulate)
        counted += layer["synaptic_operations"] * (mac if layer["real_valued_input"] else accumulate)
    return {
        "by_formula": {"usual": ordinary * mac + usual, "conservative": ordinary * mac + conservative},
        "by_counting": ordinary * mac + counted,
    }

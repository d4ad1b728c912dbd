"""Operations and modelled energy of HALSIE, by the field's formula and by counting, each under its own name.

45 nm CMOS, 32-bit floating point: 4.6 pJ a multiply-accumulate (MAC), 0.9 pJ an accumulate (AC) (Horowitz, ISSCC
2014). These are *modelled* figures: they leave out memory, which usually costs more than the arithmetic.

- ``by_formula``: an ordinary layer costs N · E_MAC, a spiking one N · T · r · E_AC, with N the MACs of the dense layer
  and r the mean number of spikes per input and step. ``usual`` counts the first spiking layer, whose input is
  real-valued, as accumulates as most papers do; ``conservative`` counts it as MACs on all inputs.
- ``by_counting``: the synaptic operations that really happened, one for each weight that a non-zero input reached, MACs
  where the input is real-valued; plus two MACs for each membrane update, which the formula forgets.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from spikelab.models.halsie import Halsie, SpikingEncoder
from spikelab.nn import Neuron
from spikelab.nn.network import INPUT
from spikelab.nn.operation_costs import TABLES, UPDATE_IN_MACS
from spikelab.nn.operations import dense_operations, synaptic_operations

_COSTS = TABLES["45nm_float32"]
assert _COSTS.multiply_accumulate is not None
MAC_JOULE = _COSTS.multiply_accumulate.typical
AC_JOULE = _COSTS.accumulate.typical


def energy(model: Halsie, events: Tensor, frame: Tensor) -> dict[str, Any]:
    """Operations and modelled energy per sample.

    Args:
        model: any variant; it is run in evaluation mode.
        events: [B, T, 2, H, W].
        frame: [B, 1, H, W].

    Returns:
        nested dict of numbers: ``ordinary_macs``, per spiking layer its mean input rate and operations, and joules by
        formula (usual, conservative) and by counting.
    """
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            ordinary = _ordinary_macs(model, events, frame)
            spiking = _spiking_layers(model, events) if isinstance(model.events, SpikingEncoder) else {}
    finally:
        model.train(training)
    layers = spiking.get("layers", {})
    first = next(iter(layers), None)
    usual = sum(layer["dense_macs"] * layer["steps"] * layer["input_rate"] * AC_JOULE for layer in layers.values())
    conservative = usual
    counted = spiking.get("membrane_updates", 0.0) * UPDATE_IN_MACS * MAC_JOULE
    for name, layer in layers.items():
        counted += layer["synaptic_operations"] * (MAC_JOULE if name == first else AC_JOULE)
    if first is not None:
        layer = layers[first]
        conservative += layer["dense_macs"] * layer["steps"] * (MAC_JOULE - layer["input_rate"] * AC_JOULE)
    return {
        "ordinary_macs": ordinary,
        **spiking,
        "modelled_joule_by_formula": {
            "usual": ordinary * MAC_JOULE + usual,
            "conservative": ordinary * MAC_JOULE + conservative,
        },
        "modelled_joule_by_counting": ordinary * MAC_JOULE + counted,
    }


def _ordinary_macs(model: Halsie, events: Tensor, frame: Tensor) -> float:
    """MACs of every layer that does not spike, per sample."""
    total = 0.0

    def count(layer: nn.Module, inputs: Any, out: Tensor) -> None:
        nonlocal total
        total += dense_operations(layer, inputs[0], out)

    spiking = set(model.events.modules()) if isinstance(model.events, SpikingEncoder) else set()
    layers = [m for m in model.modules() if m not in spiking and isinstance(m, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(count) for layer in layers]
    try:
        model(events, frame)
    finally:
        for handle in handles:
            handle.remove()
    return total


def _spiking_layers(model: Halsie, events: Tensor) -> dict[str, Any]:
    assert isinstance(model.events, SpikingEncoder)
    network = model.events.network
    outputs, _ = network.run(events.transpose(0, 1))
    samples, steps = events.shape[0], events.shape[1]
    layers, updates = {}, 0.0
    for name, node in network.nodes.items():
        if isinstance(node, Neuron):
            updates += outputs[name][:, 0].numel()
        if not isinstance(node, nn.Conv2d | nn.Linear):
            continue
        source = network.sources(name)[0]
        arriving, leaving = outputs[source].flatten(0, 1), outputs[name].flatten(0, 1)
        layers[name] = {
            "steps": steps,
            "dense_macs": dense_operations(node, arriving, leaving),
            # spikes per input and step; for the real-valued input, the share of non-zero elements
            "input_rate": float((arriving != 0).double().mean()),
            "synaptic_operations": synaptic_operations(node, arriving) / samples,
            "real_valued_input": float(source == INPUT),
        }
    return {"layers": layers, "membrane_updates": updates}

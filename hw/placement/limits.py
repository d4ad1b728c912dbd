"""Limits by the names that target files use, and the functions that check them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from spikelab.hw.ir import IntegerGraph
from spikelab.hw.placement import bit_limits, layer_limits, network_limits
from spikelab.hw.placement.violation import Violation
from spikelab.hw.target import Number, Target

#: Name -> check of a whole graph.
Check = Callable[[IntegerGraph, Target, Number], Iterator[Violation]]
LIMITS: dict[str, Check] = {
    "state_bits": bit_limits.state_bits,
    "message_bits": bit_limits.message_bits,
    "weight_bits": bit_limits.weight_bits,
    "weight_exponents": bit_limits.weight_exponents,
    "shared_exponents": bit_limits.shared_exponents,
    "delays": bit_limits.delays,
    "input_delays": bit_limits.input_delays,
    "synapse_delays": bit_limits.synapse_delays,
    "input_messages": bit_limits.input_messages,
    "output_spikes": bit_limits.output_spikes,
    "input_side": layer_limits.input_side,
    "output_side": layer_limits.output_side,
    "features": layer_limits.features,
    "kernel_side": layer_limits.kernel_side,
    "square_kernels": layer_limits.square_kernels,
    "strides": layer_limits.strides,
    "padding": layer_limits.padding,
    "dilation": layer_limits.dilation,
    "groups": layer_limits.groups,
    "pools": layer_limits.pools,
    "channel_weights": layer_limits.channel_weights,
    "channel_biases": layer_limits.channel_biases,
    "one_kernel": layer_limits.one_kernel,
    "inputs": network_limits.inputs,
    "fan_in": network_limits.fan_in,
    "fan_out": network_limits.fan_out,
    "input_projection": network_limits.input_projection,
    "output_projection": network_limits.output_projection,
    "three_layers": network_limits.three_layers,
    # depends on how populations were cut; checked by spikelab.hw.placement.cut
    "destinations": network_limits.later,
}


#: Limits of numbers, not of sizes: what another arithmetic would change.
ARITHMETIC = {"state_bits", "message_bits", "weight_bits", "weight_exponents", "shared_exponents", "output_spikes"}


def broken_limits(graph: IntegerGraph, target: Target) -> list[Violation]:
    """All limits that a graph does not keep, whatever its placement."""
    found = [*bit_limits.neurons(graph, target), *bit_limits.parameters(graph, target)]
    for name, number in target.limits.items():
        found += LIMITS[name](graph, target, number)
    order = {name: place for place, name in enumerate([*graph.inputs, *(p.name for p in graph.populations)])}
    return sorted(found, key=lambda v: order.get(v.where.split(" -> ")[-1], len(order)))

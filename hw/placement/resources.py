"""How much a piece of a population needs of a resource: cost functions by the names that target files use."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from spikelab.hw.placement import costs_loihi, costs_microcontroller, costs_speck, costs_xylo
from spikelab.hw.placement.pieces import Piece, Pieces
from spikelab.hw.target import Resource

#: Takes a piece, the graph in pieces, and the options of the resource; says how many units the piece needs.
COSTS: dict[str, Callable[..., int]] = {
    "neurons": costs_loihi.compartments,
    "loihi_synapse_bits": costs_loihi.synapse_bits,
    "loihi_in_axons": costs_loihi.in_axons,
    "loihi_out_axons": costs_loihi.out_axons,
    "loihi_synapse_formats": costs_loihi.formats,
    "one_each": costs_loihi.one_each,
    "loihi2_core_bytes": costs_loihi.neuron_core_bytes,
    "speck_kernel_words": costs_speck.kernel_words,
    "speck_neuron_words": costs_speck.neuron_words,
    "speck_biases": costs_speck.biases,
    "xylo_hidden_neurons": costs_xylo.hidden_neurons,
    "xylo_output_neurons": costs_xylo.output_neurons,
    "xylo_hidden_synapses": costs_xylo.hidden_synapses,
    "flash_bytes": costs_microcontroller.flash_bytes,
    "ram_bytes": costs_microcontroller.ram_bytes,
}


def options(cost: str) -> tuple[str, ...]:
    """The options that a cost function takes.

    Raises:
        KeyError: for an unknown name.
    """
    return tuple(inspect.signature(COSTS[cost]).parameters)[2:]


def need(resource: Resource, piece: Piece, pieces: Pieces) -> int:
    """How many units of a resource a piece needs."""
    return COSTS[resource.cost](piece, pieces, **resource.options)

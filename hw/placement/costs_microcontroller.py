"""What a network takes of a microcontroller's flash and RAM, estimated before any code is written.

The C99 back end says it exactly, from the compiled program.
"""

from __future__ import annotations

import numpy as np

from spikelab.hw.connections import Connection
from spikelab.hw.placement.pieces import Piece, Pieces, stored_weights_of
from spikelab.hw.placement.weight_bits import packed_bits, two_complement_bits
from spikelab.hw.target import Number

#: Widths of C's integers, in bits.
INTEGERS = (8, 16, 32, 64)


def _is_first(piece: Piece, pieces: Pieces) -> bool:
    return piece.population == pieces.graph.populations[0].name


def integer_bytes(bits: int) -> int:
    """Bytes of the smallest C integer with so many bits."""
    return next((width for width in INTEGERS if width >= bits), INTEGERS[-1]) // 8


def flash_bytes(
    piece: Piece, pieces: Pieces, weight_widths: Number, code_bytes: Number, layer_code_bytes: Number
) -> int:
    """Weights, delays, parameters and code in flash; what all layers share is counted with the first."""
    population = pieces.population(piece.population)
    total = layer_code_bytes.most + (code_bytes.most if _is_first(piece, pieces) else 0)
    for place, c in enumerate(pieces.graph.connections):
        if c.target == piece.population:
            weight = stored_weights_of(c, population, piece)
            bits = pieces.kept(("packed", place), lambda c=c: packed_bits(c.weights.weight, weight_widths.allowed))
            total += -(-weight.size * bits // 8)
            single = getattr(c.weights, "delay", None)
            if single is not None:
                total += weight.size * integer_bytes(int(single.max(initial=0)).bit_length())
    for value in population.parameters.values():
        array = np.asarray(value).reshape(-1)
        # a parameter that differs at all is a table: an entry for each feature map, or for each neuron
        rows = np.broadcast_to(np.asarray(value), population.shape).reshape(population.shape[0], -1)
        entries = piece.size if not (rows == rows[:, :1]).all() else len(rows)
        entries = 1 if (array == array[:1]).all() else entries
        total += integer_bytes(two_complement_bits(array)) * entries
    return total


def ram_bytes(piece: Piece, pieces: Pieces, sum_bytes: Number, fixed_bytes: Number) -> int:
    """States, sums, and messages kept until the last connection has read them; events are kept as lists.

    The stack, and what comes from outside, are counted with the first layer.
    """
    population = pieces.population(piece.population)
    total = fixed_bytes.most + input_bytes(pieces) if _is_first(piece, pieces) else 0
    total += piece.size * sum(integer_bytes(state.bits) for state in population.neuron.states)
    ports = {c.port for c in pieces.graph.connections if c.target == piece.population} or {"a"}
    total += piece.size * len(ports) * sum_bytes.most
    total += message_bytes(piece.size, population.neuron.message_bits) * (1 + _longest(pieces, piece.population))
    for c in pieces.graph.connections:
        single = getattr(c.weights, "delay", None)
        if c.target == piece.population and single is not None:
            total += piece.size * sum_bytes.most * int(single.max(initial=0))
    return total


def message_bytes(count: int, bits: int) -> int:
    """Bytes of a list of events: an index each, and a value where messages are graded."""
    return count * (integer_bytes(max(1, count - 1).bit_length()) + (integer_bytes(bits) if bits > 1 else 0))


def _longest(pieces: Pieces, source: str) -> int:
    found: list[Connection] = [c for c in pieces.graph.connections if c.source == source]
    return max((c.delay for c in found), default=0)


def input_bytes(pieces: Pieces) -> int:
    """RAM for what comes from outside."""
    total = 0
    for name, given in pieces.graph.inputs.items():
        low, high = given.low, given.high
        bits = 1 if (low, high) == (0, 1) else two_complement_bits(np.array([low, high]))
        total += message_bytes(int(np.prod(given.shape)), bits) * (1 + _longest(pieces, name))
    return total

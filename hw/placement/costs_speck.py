"""What a layer takes of a Speck core: memories are addressed by bits, so sizes are rounded up to powers of two."""

from __future__ import annotations

import numpy as np

from spikelab.hw.connections import Connection, Convolution, Dense, pooled_shape
from spikelab.hw.placement.pieces import Piece, Pieces, stated


def kernel_of(c: Connection, source: tuple[int, ...]) -> tuple[int, int, int]:
    """Input channels, height and width of the kernel that a core would keep for a connection.

    Speck knows convolutions only: a dense connection is one whose kernel is as large as the map that it reads.
    """
    if isinstance(c.weights, Convolution):
        return source[0], c.weights.weight.shape[2], c.weights.weight.shape[3]
    read = pooled_shape(c.pool, source)
    if isinstance(c.weights, Dense) and len(read) == 3:
        return read[0], read[1], read[2]
    return read[0], 1, 1


def power_of_two(number: int) -> int:
    """The next power of two."""
    return 1 << max(0, int(number) - 1).bit_length()


def kernel_words(piece: Piece, pieces: Pieces) -> int:
    """Input channels x 2^(ceil log2 of the kernel's area + ceil log2 of output channels), over all connections."""
    total = 0
    for c in pieces.graph.connections:
        if c.target == piece.population:
            channels, height, width = kernel_of(c, pieces.graph.shape_of(c.source))
            total += channels * power_of_two(height * width) * power_of_two(piece.shape[0])
    return total


def neuron_words(piece: Piece, pieces: Pieces) -> int:
    """Output channels x 2^(ceil log2 of the height + ceil log2 of the width)."""
    height, width = (*piece.shape[1:], 1, 1)[:2]
    return piece.shape[0] * power_of_two(height) * power_of_two(width)


def biases(piece: Piece, pieces: Pieces) -> int:
    """One for each output channel of a layer with a bias."""
    population = pieces.population(piece.population)
    declared = [p.name for p in population.neuron.parameters]
    used = "bias" in declared and bool(np.any(stated(population, "bias")))
    return piece.shape[0] if used else 0

"""What a population takes of a Xylo: hidden neurons, output neurons, weights between hidden neurons."""

from __future__ import annotations

from spikelab.hw.placement.pieces import Piece, Pieces, outputs_of, synapses_into


def hidden_neurons(piece: Piece, pieces: Pieces) -> int:
    """Neurons that are not given out."""
    return 0 if piece.population in outputs_of(pieces.graph) else piece.size


def output_neurons(piece: Piece, pieces: Pieces) -> int:
    """Neurons that are given out."""
    return piece.size if piece.population in outputs_of(pieces.graph) else 0


def hidden_synapses(piece: Piece, pieces: Pieces) -> int:
    """Weights that are not zero, from hidden neurons to hidden neurons."""
    graph, total = pieces.graph, 0
    if piece.population in outputs_of(graph):
        return 0
    for c in graph.connections:
        if c.target == piece.population and c.source not in graph.inputs:
            target = pieces.population(piece.population)
            total += synapses_into(c, graph.shape_of(c.source), target, piece)
    return total

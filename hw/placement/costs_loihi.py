"""What a piece of a population takes of a Loihi core.

Counted as nengo-loihi counts: each axon that comes in has its synapses in blocks with a header, in whole words of the
synapse memory; all places of a convolution share their weights, once for each pattern of kernel rows and columns that
falls on the population.
"""

from __future__ import annotations

import numpy as np

from spikelab.hw.connections import Connection, Convolution, Dense, pooled_shape
from spikelab.hw.placement.pieces import (
    Piece,
    Pieces,
    matrix_into,
    neurons_of,
    stored_weights_of,
    taps,
    weights_of_one_to_one,
)
from spikelab.hw.placement.weight_bits import loihi_bits
from spikelab.hw.target import Number

#: Widths of a compartment's index beside a weight; nengo-loihi 1.1, block.py.
INDEX_WIDTHS = (0, 6, 7, 8, 9, 10, 11, 12)
#: Compartments that an axon's base can point at; further ones need their weights again. nengo-loihi 1.1, conv.py.
BASES = 256


def block_bits(synapses: np.ndarray | int, bits: int, block: int, header: int, word: int) -> int:
    """Bits of axons with so many synapses each: blocks of ``block``, each with a header, in whole words."""
    full, rest = np.divmod(np.asarray(synapses), block)
    whole_block = -(-(block * bits + header) // word) * word
    last = np.where(rest > 0, -(-(rest * bits + header) // word) * word, 0)
    return int((full * whole_block + last).sum())


def synapse_bits(
    piece: Piece, pieces: Pieces, block: Number, header_bits: Number, word_bits: Number, weight_bits: Number
) -> int:
    """Synapse memory in bits."""
    layout = (block.most, header_bits.most, word_bits.most)
    total = 0
    for place, c in enumerate(pieces.graph.connections):
        if c.target == piece.population:
            bits = weight_width(pieces, place, c, weight_bits) + delay_bits(pieces, place, c)
            total += _bits_of(c, piece, pieces, bits, layout)
    return total


def weight_width(pieces: Pieces, place: int, c: Connection, widths: Number) -> int:
    """Bits of a weight; the most that there are where none holds the weights, which is reported elsewhere."""
    found = pieces.kept(("loihi weight", place), lambda: loihi_bits(c.weights.weight, widths.allowed))
    return widths.most if found is None else int(found)


def delay_bits(pieces: Pieces, place: int, c: Connection) -> int:
    """Bits of a synapse's delay beyond the first step."""
    single = getattr(c.weights, "delay", None)
    longest = pieces.kept(("delay", place), lambda: 0 if single is None else int(single.max(initial=0)))
    return int(max(0, c.delay - 1) + longest).bit_length()


def _bits_of(c: Connection, piece: Piece, pieces: Pieces, bits: int, layout: tuple[int, int, int]) -> int:
    target = pieces.population(piece.population)
    index = next((width for width in INDEX_WIDTHS if 2**width >= piece.size), INDEX_WIDTHS[-1])
    if isinstance(c.weights, Convolution):
        return _shared_bits(c, piece, pieces, bits + index, layout)
    if isinstance(c.weights, Dense):
        each = np.count_nonzero(matrix_into(c, target, piece), axis=0)
        used = each[each > 0]
        listed = block_bits(used, bits + index, *layout)
        return min(listed, block_bits(np.full(len(used), piece.size), bits, *layout))
    return block_bits(np.ones(np.count_nonzero(weights_of_one_to_one(c, target, piece))), bits + index, *layout)


def _shared_bits(c: Connection, piece: Piece, pieces: Pieces, bits: int, layout: tuple[int, int, int]) -> int:
    weights = c.weights
    assert isinstance(weights, Convolution)
    found = taps(c, pieces.graph.shape_of(c.source), piece)
    rows, columns = _patterns(found.rows, piece.ranges[1][0]), _patterns(found.columns, piece.ranges[2][0])
    # pieces of one size inside a map look alike
    key = ("shared", id(c), piece.shape, rows.tobytes(), columns.tobytes(), bits)
    return int(pieces.kept(key, lambda: _pattern_bits(weights, piece.shape, rows, columns, bits, layout)))


def _pattern_bits(
    weights: Convolution,
    shape: tuple[int, ...],
    rows: np.ndarray,
    columns: np.ndarray,
    bits: int,
    layout: tuple[int, int, int],
) -> int:
    bases = (rows[:, None, 2] * shape[2] + columns[None, :, 2]) // BASES
    kinds = (rows[:, None, 0] * len(columns) + columns[None, :, 0]) * (int(bases.max(initial=0)) + 1) + bases
    _, which = np.unique(kinds, return_index=True)
    count = rows[:, None, 1] * columns[None, :, 1]
    return block_bits(shape[0] * weights.weight.shape[1] * count.reshape(-1)[which], bits, *layout)


def _patterns(reached: np.ndarray, start: int) -> np.ndarray:
    """Of each input row that reaches a piece: kind of its pattern of taps, how many taps, the first row it reaches."""
    used = reached >= 0
    reached, used = reached[used.any(1)], used[used.any(1)]
    kinds: dict[bytes, int] = {}
    kind = [kinds.setdefault(row.tobytes(), len(kinds)) for row in used]
    first = np.where(used, reached, np.iinfo(np.int64).max).min(1, initial=np.iinfo(np.int64).max) - start
    return np.stack([np.array(kind, np.int64), used.sum(1), first], axis=1)


def compartments(piece: Piece, pieces: Pieces) -> int:
    """One for each neuron."""
    return piece.size


def in_axons(piece: Piece, pieces: Pieces) -> int:
    """Axons that come in: one for each neuron that is heard.

    A convolution's neurons share one for each place, and for each piece of their channels.
    """
    total = 0
    for c in pieces.graph.connections:
        if c.target != piece.population:
            continue
        if isinstance(c.weights, Convolution):
            rows, columns = heard_places(c, piece, pieces)
            total += int(rows.sum() * columns.sum()) * pieces.channel_parts(c.source)
        else:
            total += int(heard(c, piece, pieces).sum())
    return total


def out_axons(piece: Piece, pieces: Pieces, shared_slots: Number) -> int:
    """Entries of the list of axons that go out: one for each piece that listens; those of convolutions take more."""
    total = 0
    for place, c in enumerate(pieces.graph.connections):
        if c.source != piece.population:
            continue
        key = ("listeners", place, pieces.parts[c.target])
        if isinstance(c.weights, Convolution):
            rows, columns = pieces.kept(key, lambda c=c: _place_listeners(c, pieces))
            (top, bottom), (left, right) = piece.ranges[1:]
            places = int(rows[top:bottom].sum() * columns[left:right].sum())
            total += shared_slots.most * places * pieces.channel_parts(c.target)
        else:
            counts = pieces.kept(key, lambda c=c: sum(heard(c, listener, pieces) for listener in pieces.of(c.target)))
            total += int(counts[tuple(slice(start, stop) for start, stop in piece.ranges)].sum())
    return total


def heard_places(c: Connection, listener: Piece, pieces: Pieces) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a convolution's source that a piece hears, as booleans."""
    shape = pieces.graph.shape_of(c.source)
    found = taps(c, shape, listener)
    masks = []
    for axis, reached in enumerate((found.rows, found.columns)):
        mask = np.zeros(shape[1 + axis], bool)
        spread = (reached >= 0).any(1).repeat(c.pool[axis])
        mask[: len(spread)] = spread
        masks.append(mask)
    return masks[0], masks[1]


def heard(c: Connection, listener: Piece, pieces: Pieces) -> np.ndarray:
    """Which neurons of a source [*shape] have a synapse that ends in a piece; not for convolutions."""
    shape, target = pieces.graph.shape_of(c.source), pieces.population(listener.population)
    if isinstance(c.weights, Dense):
        flat = matrix_into(c, target, listener).any(axis=0)
    else:
        flat = np.zeros(target.size, bool)
        flat[neurons_of(listener, target.shape)] = weights_of_one_to_one(c, target, listener) != 0
    if c.pool == (1, 1):
        return flat.reshape(shape)
    spread = flat.reshape(pooled_shape(c.pool, shape)).repeat(c.pool[0], 1).repeat(c.pool[1], 2)
    every = np.zeros(shape, bool)
    every[:, : spread.shape[1], : spread.shape[2]] = spread
    return every


def _place_listeners(c: Connection, pieces: Pieces) -> tuple[np.ndarray, np.ndarray]:
    """How many rows of pieces hear each row of a convolution's source, and how many columns of them each column."""
    found = [heard_places(c, listener, pieces) for listener in pieces.of(c.target)]
    _, down, across = pieces.parts[c.target]
    rows = sum(found[across * k][0].astype(np.int64) for k in range(down))
    columns = sum(found[k][1].astype(np.int64) for k in range(across))
    return np.asarray(rows), np.asarray(columns)


def formats(piece: Piece, pieces: Pieces) -> int:
    """Kinds of synapses: at most one for each connection that ends here."""
    return sum(c.target == piece.population for c in pieces.graph.connections)


def one_each(piece: Piece, pieces: Pieces) -> int:
    """One for each piece: kinds of compartments, and thresholds, which all neurons of a population share."""
    return 1


def neuron_core_bytes(
    piece: Piece, pieces: Pieces, block: Number, header_bits: Number, word_bits: Number, weight_bits: Number
) -> int:
    """Memory of a core that neurons and synapses share, in bytes.

    States, one bias for each neuron where biases differ, and synapses in Loihi 1's layout; a convolution's kernel is
    kept once.
    """
    population = pieces.population(piece.population)
    bits = sum(state.bits for state in population.neuron.states)
    for parameter in population.neuron.parameters:
        if np.size(population.parameters.get(parameter.name, 0)) > 1:
            bits += max(int(parameter.high).bit_length(), int(-parameter.low).bit_length()) + (parameter.low < 0)
    total = piece.size * (-(-bits // 8))
    layout = (block.most, header_bits.most, word_bits.most)
    for place, c in enumerate(pieces.graph.connections):
        if c.target == piece.population:
            width = weight_width(pieces, place, c, weight_bits) + delay_bits(pieces, place, c)
            if isinstance(c.weights, Convolution):
                found = block_bits(stored_weights_of(c, population, piece).size, width, *layout)
            else:
                found = _bits_of(c, piece, pieces, width, layout)
            total += -(-found // 8)
    return total

"""Where the elements of arrays [T, B, ...] and [B, ...] lie, told to a kernel in a few numbers.

A kernel counts neurons in the order in which the input's lie in memory. Dimensions that lie behind each other in all
arrays are one to it, and it takes two of these: rows and columns. So what is stored batch first, channels last, or
with gaps is read and written where it lies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Layout:
    """How a kernel walks over its arrays.

    Attributes:
        order: of the dimensions [B, ...] in memory; None if they lie in their own order.
        size: number of neurons.
        inner: neurons in a row.
        distances: between steps, rows and columns of each array [T, B, ...]; then rows and columns of each [B, ...].
        split: whether there is more than one row.
        wide: whether a neuron's distance from the first one needs more than 32 bits.
    """

    order: tuple[int, ...] | None
    size: int
    inner: int
    distances: tuple[int, ...]
    split: bool
    wide: bool


@lru_cache(maxsize=2048)
def find_layout(
    shape: tuple[int, ...], lead: int, sequences: tuple[tuple[int, ...], ...], states: tuple[tuple[int, ...], ...]
) -> Layout | None:
    """The layout of arrays that have these strides; None if they have no rows and columns in common.

    Args:
        shape: [B, ...].
        lead: the sequence that decides the order of neurons; a dense one.
        sequences: strides of each array [T, B, ...].
        states: strides of each array [B, ...].
    """
    first = sequences[lead][1:]
    strides = [*(s[1:] for s in sequences), *states]
    order = sorted(range(len(shape)), key=lambda d: -first[d])
    groups: list[tuple[int, list[int]]] = []
    for d in order:
        steps = [s[d] for s in strides]
        if shape[d] == 1:
            continue
        if groups and groups[-1][1] == [step * shape[d] for step in steps]:
            groups[-1] = (groups[-1][0] * shape[d], steps)
        else:
            groups.append((shape[d], steps))
    if len(groups) > 2:
        return None
    size = math.prod(shape)
    # a lone neuron, or a lone row, lies nowhere in particular
    inner, columns = groups[-1] if groups else (1, [1] * len(strides))
    rows = groups[0][1] if len(groups) == 2 else [0] * len(strides)
    distances: list[int] = []
    for k, (row, column) in enumerate(zip(rows, columns, strict=True)):
        distances += [sequences[k][0]] if k < len(sequences) else []
        distances += [row, column]
    reach = max(row * (size // inner) + column * inner for row, column in zip(rows, columns, strict=True))
    return Layout(
        order=None if order == sorted(order) else tuple(order),
        size=size,
        inner=inner,
        distances=tuple(distances),
        split=len(groups) == 2,
        # the last program counts on past the last neuron
        wide=max(reach, size) >= (1 << 31) - (1 << 16),
    )


def arrange(
    lead: int, sequences: Sequence[Tensor], states: Sequence[Tensor], read: Mapping[int, Tensor]
) -> tuple[Layout, list[Tensor]]:
    """Finds the arrays' layout; where they have none in common, those that are only read are copied.

    Args:
        lead: the sequence that decides the order of neurons: a dense one, that is written.
        sequences: each [T, B, ...].
        states: each [B, ...].
        read: place among sequences and states of an array that is only read -> one that is written and lies as its
            copy should. Those are copied first that fit no layout even alone.

    Returns:
        the layout; the arrays.
    """
    arrays, count, shape = [*sequences, *states], len(sequences), tuple(sequences[lead].shape[1:])
    strides = [array.stride() for array in arrays]

    def fits_alone(place: int) -> bool:
        beside = (strides[lead], strides[place]) if place < count else (strides[lead],)
        return find_layout(shape, 0, beside, () if place < count else (strides[place],)) is not None

    waiting: list[int] | None = None
    while True:
        found = find_layout(shape, lead, tuple(strides[:count]), tuple(strides[count:]))
        if found is not None:
            return found, arrays
        waiting = sorted(read, key=fits_alone, reverse=True) if waiting is None else waiting
        place = waiting.pop()
        arrays[place] = torch.empty_like(read[place], dtype=arrays[place].dtype).copy_(arrays[place])
        strides[place] = arrays[place].stride()


__all__ = ["Layout", "arrange", "find_layout"]

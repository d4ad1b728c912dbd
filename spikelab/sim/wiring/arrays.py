"""Wiring that is given: pairs as two arrays, or a matrix of weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit

from spikelab.sim.wiring.connectivity import Connectivity, target_dtype
from spikelab.sim.wiring.limits import check_size
from spikelab.sim.wiring.rule import Ends, Wiring


@njit(nogil=True, cache=True)
def _sort_by(numbers: Any, previous: Any, order: Any, starts: Any) -> None:
    """Sorts by counting: ``order`` becomes ``previous`` by number, those of equal number in the order that they had."""
    for i in range(numbers.size):
        starts[numbers[i] + 1] += 1
    for i in range(starts.size - 1):
        starts[i + 1] += starts[i]
    place = starts[:-1].copy()
    for i in range(numbers.size):
        item = previous[i] if previous.size else i
        number = numbers[item]
        order[place[number]] = item
        place[number] += 1


def _numbers(field: str, given: Any) -> np.ndarray:
    array = np.asarray(given)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"Explicit: {field} takes a list of whole numbers, one for each synapse; "
            f"got {array.dtype} of shape {list(array.shape)}"
        )
    return np.ascontiguousarray(array, np.int64)


def _check_range(field: str, numbers: np.ndarray, size: int) -> None:
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < size:
        place = int(np.flatnonzero((numbers < 0) | (numbers >= size))[0])
        raise ValueError(
            f"Explicit: {field}[{place}] = {numbers[place]}, but the group has {size} neurons, counted from 0"
        )


@dataclass(frozen=True, eq=False)
class Explicit(Wiring):
    """Pairs given as two arrays, in any order, also several times the same.

    ``Connectivity.order`` says which of the given pairs a synapse is; weights and delays given for the pairs follow it.

    Attributes:
        sources: sender of each synapse, within the source group, [synapses].
        targets: target of each synapse, within the target group, [synapses].
    """

    sources: Any
    targets: Any

    def __post_init__(self) -> None:
        for field in ("sources", "targets"):
            object.__setattr__(self, field, _numbers(field, getattr(self, field)))
        if self.sources.size != self.targets.size:
            raise ValueError(
                f"Explicit: {self.sources.size} sources, but {self.targets.size} targets; each pair is one of both"
            )

    def __repr__(self) -> str:
        return f"Explicit({self.sources.size} pairs)"

    def _connect(self, ends: Ends) -> Connectivity:
        _check_range("sources", self.sources, ends.source_size)
        _check_range("targets", self.targets, ends.target_size)
        check_size(repr(self), ends.source_size, ends.target_size, self.sources.size)
        by_target, order = (np.empty(self.sources.size, np.int64) for _ in range(2))
        _sort_by(self.targets, np.empty(0, np.int64), by_target, np.zeros(ends.target_size + 1, np.int64))
        starts = np.zeros(ends.source_size + 1, np.int64)
        _sort_by(self.sources, by_target, order, starts)
        del by_target
        targets = self.targets[order].astype(target_dtype(ends.target_size))
        return Connectivity(ends.source_size, ends.target_size, starts, targets, order)


@dataclass(frozen=True, eq=False)
class FromMatrix(Wiring):
    """A matrix [source, target] whose entries are kept as ``Connectivity.values``, to be used as weights.

    Of a dense matrix every entry that is not zero makes a synapse; of a sparse one (SciPy's, or any other that has
    ``tocsr``) every entry that is stored, zeros as well.

    Attributes:
        matrix: array [source_size, target_size], or a sparse matrix of that shape.
    """

    matrix: Any

    def __post_init__(self) -> None:
        if not hasattr(self.matrix, "tocsr"):
            object.__setattr__(self, "matrix", np.asarray(self.matrix))
        entries = self.matrix.tocsr().data if hasattr(self.matrix, "tocsr") else self.matrix
        if len(self.matrix.shape) != 2 or entries.dtype.kind not in "biuf":
            raise ValueError(
                "FromMatrix: takes numbers of shape [source, target]; "
                f"got {entries.dtype} of shape {list(self.matrix.shape)}"
            )
        if not np.isfinite(entries).all():
            raise ValueError("FromMatrix: the matrix has entries that are NaN or infinite; zero means no synapse")

    def __repr__(self) -> str:
        return f"FromMatrix({self.matrix.shape[0]} x {self.matrix.shape[1]})"

    def _connect(self, ends: Ends) -> Connectivity:
        if tuple(self.matrix.shape) != (ends.source_size, ends.target_size):
            raise ValueError(
                f"{self} does not fit {ends.source_size} senders (rows) and {ends.target_size} targets (columns)"
            )
        if not hasattr(self.matrix, "tocsr"):
            check_size(repr(self), ends.source_size, ends.target_size, int(np.count_nonzero(self.matrix)))
            rows, columns = np.nonzero(self.matrix)
            starts = np.zeros(ends.source_size + 1, np.int64)
            np.cumsum(np.bincount(rows, minlength=ends.source_size), out=starts[1:])
            values = self.matrix[rows, columns].astype(np.float64)
            targets = columns.astype(target_dtype(ends.target_size))
            return Connectivity(ends.source_size, ends.target_size, starts, targets, values=values)
        sparse = self.matrix.tocsr()
        rows = np.repeat(np.arange(ends.source_size), np.diff(sparse.indptr))
        connected = Explicit(rows, sparse.indices)._connect(ends)
        # the stored entries are no order that a user sees
        return replace(connected, order=None, values=connected.arranged(sparse.data.astype(np.float64)))

"""What the connections of an integer graph deliver, added message by message in whole numbers.

Only messages that are not zero are looked at, so quiet networks run fast. Whole numbers add up to the same sum in any
order. Sums that provably fit 32 bits are made in 32 bits, others in 64.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spikelab.hw.connections import Connection, Convolution, Dense, OneToOne, convolved_shape, pooled_shape
from spikelab.hw.simulation.numba_sums import add_convolution, add_dense, add_listed

#: ``deliver(sums, line, start, first, last)``: adds what arrives in the steps first to last to sums [T, B, N_target],
#: where ``line[start + t]`` is what was sent for step t, before delays of single weights.
Deliver = Callable[[np.ndarray, np.ndarray, int, int, int], None]

_NARROW = 2**15
#: Dense matrices with a smaller share of weights that are not zero are kept as lists.
_SPARSE = 0.25


def prepare(connection: Connection, source: tuple[int, ...], target: tuple[int, ...]) -> Deliver:
    """The function that delivers over a connection between populations of these shapes.

    The weights are copied; later changes to the arrays of the graph have no effect.

    Raises:
        ValueError: when it is called, if sums of weights and messages reach 2^53.
    """
    weights = connection.weights
    into = pooled_shape(connection.pool, source)
    if isinstance(weights, OneToOne):
        deliver = _one_to_one(connection, weights)
    elif isinstance(weights, Convolution):
        deliver = _convolution(connection, weights, into)
    elif weights.delay is not None or np.count_nonzero(weights.weight) < _SPARSE * weights.weight.size:
        deliver = _listed(connection, weights)
    else:
        deliver = _dense(connection, weights)
    return deliver if connection.pool == (1, 1) else _after_pooling(connection, source, deliver)


def longest_delay(connection: Connection) -> int:
    """Steps from sending to the last arrival."""
    return connection.delay + _longest_further(connection)


def _longest_further(connection: Connection) -> int:
    weights = connection.weights
    return int(weights.delay.max(initial=0)) if isinstance(weights, Dense) and weights.delay is not None else 0


def _after_pooling(connection: Connection, source: tuple[int, ...], deliver: Deliver) -> Deliver:
    early = _longest_further(connection)
    down, right = connection.pool
    channels, height, width = pooled_shape(connection.pool, source)

    def run(sums: np.ndarray, line: np.ndarray, start: int, first: int, last: int) -> None:
        sent = line[start + first - early : start + last]
        pictures = sent.reshape(*sent.shape[:2], *source)[..., : height * down, : width * right]
        windows = pictures.reshape(*sent.shape[:2], channels, height, down, width, right)
        pooled = windows.sum((-3, -1)).reshape(*sent.shape[:2], channels * height * width)
        deliver(sums, pooled, early - first, first, last)

    return run


def _one_to_one(connection: Connection, weights: OneToOne) -> Deliver:
    weight = weights.weight.astype(np.int64).ravel()
    exponent, wrap_bits = connection.exponent, connection.wrap_bits

    def run(sums: np.ndarray, line: np.ndarray, start: int, first: int, last: int) -> None:
        total = line[start + first : start + last] * weight
        total = total << exponent if exponent >= 0 else total >> -exponent
        if wrap_bits:
            half = 1 << (wrap_bits - 1)
            total = (total + half) % (2 * half) - half
        sums[first:last] += total

    return run


def _dense(connection: Connection, weights: Dense) -> Deliver:
    largest = _largest(weights.weight)
    rows = np.ascontiguousarray(weights.weight.T.astype(_type(largest)))
    narrow, wide = np.zeros(rows.shape[1], np.int32), np.zeros(rows.shape[1], np.int64)
    rule = (float(largest), connection.exponent, connection.wrap_bits)

    def run(sums: np.ndarray, line: np.ndarray, start: int, first: int, last: int) -> None:
        _check(add_dense(line, start, first, last, rows, *rule, narrow, wide, sums), connection)

    return run


def _listed(connection: Connection, weights: Dense) -> Deliver:
    target, source = np.nonzero(weights.weight)
    weight = weights.weight[target, source].astype(np.int64)
    delay = np.zeros_like(target) if weights.delay is None else weights.delay[target, source].astype(np.int64)
    rows = int(delay.max(initial=0)) + 1
    place = source * rows + delay
    # a stable sort keeps targets in order, and is far faster on 16 bits
    order = np.argsort(place.astype(np.uint16) if place.max(initial=0) < 2**16 else place, kind="stable")
    # where the weights of each source and delay begin
    counts = np.bincount(place, minlength=weights.weight.shape[1] * rows)
    pointers = np.concatenate([[0], np.cumsum(counts)])
    lists = (target[order].astype(np.int32), weight[order], pointers)
    rule = (float(_largest(weight)), connection.exponent, connection.wrap_bits)

    def run(sums: np.ndarray, line: np.ndarray, start: int, first: int, last: int) -> None:
        _check(add_listed(line, start, first, last, *lists, rows, *rule, sums), connection)

    return run


def _convolution(connection: Connection, weights: Convolution, source: tuple[int, ...]) -> Deliver:
    largest = _largest(weights.weight)
    groups = weights.groups
    channels, height, width = convolved_shape(weights, source)
    kernel = weights.weight.reshape(groups, channels // groups, *weights.weight.shape[1:])
    # [C_in, rows, columns, C_out of the group]: what one message reaches lies side by side
    kernel = kernel.transpose(0, 2, 3, 4, 1).reshape(-1, *weights.weight.shape[2:], channels // groups)
    rows = np.ascontiguousarray(kernel.astype(_type(largest)))
    narrow, wide = (np.zeros((height, width, channels), t) for t in (np.int32, np.int64))
    form = (*source, weights.stride, weights.padding, weights.dilation)
    rule = (float(largest), connection.exponent, connection.wrap_bits)

    def run(sums: np.ndarray, line: np.ndarray, start: int, first: int, last: int) -> None:
        _check(add_convolution(line, start, first, last, rows, *form, *rule, narrow, wide, sums), connection)

    return run


def _largest(weight: np.ndarray) -> int:
    return max(abs(int(weight.max(initial=0))), abs(int(weight.min(initial=0))))


def _type(largest: int) -> type[np.signedinteger]:
    return np.int16 if largest < _NARROW else np.int64


def _check(is_exact: bool, connection: Connection) -> None:
    if not is_exact:
        raise ValueError(
            f"connection {connection.source!r} -> {connection.target!r}: sums of weights and messages reach 2^53; "
            f"scale the weights down"
        )

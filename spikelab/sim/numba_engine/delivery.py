"""The kernel that takes a step's spikes along the synapses of one projection into its targets' buffers."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import cfunc, njit

from spikelab.kernels.native import array_at
from spikelab.sim.numba_engine.native import KERNEL, address_of, prefetch
from spikelab.sim.numba_engine.partition import LANES

#: Bytes of a coming row that are asked for ahead.
_AHEAD = 2048
#: Entries of the table.
ENTRIES = (
    "log",  # header of the senders' log
    "first",  # first sender of the projection
    "senders",  # how many
    "starts",  # int64 [threads + 1, senders]: where in each sender's row each thread's targets begin
    "synapses",
    "targets",
    "weights",  # one for all, or one a synapse
    "delays",  # in steps: one for all, or one a synapse
    "ring",  # the receptor's buffer [slots, padded size]
    "slots",
    "size",  # of the target population
)


# unsigned places: a signed one could count from the end of the array, and would be looked at for that each time
@njit(nogil=True, error_model="numpy")
def _same_for_all(row: Any, targets: Any, weight: Any, first: int, last: int) -> None:
    for place in range(np.uintp(first), np.uintp(last)):
        row[targets[place]] += weight


@njit(nogil=True, error_model="numpy")
def _own_weights(row: Any, targets: Any, weights: Any, first: int, last: int) -> None:
    for place in range(np.uintp(first), np.uintp(last)):
        row[targets[place]] += weights[place]


@njit(nogil=True, error_model="numpy")
def _own_delays(
    ring: Any, targets: Any, weights: Any, one_weight: bool, delays: Any, slot: int, first: int, last: int
) -> None:
    slots = np.uintp(ring.shape[0])
    for place in range(np.uintp(first), np.uintp(last)):
        then = np.uintp(slot) + np.uintp(delays[place])
        then = then - slots if then >= slots else then
        ring[then, targets[place]] += weights[np.uintp(0)] if one_weight else weights[place]


@njit(nogil=True)
def prefetch_row(address: int, item_size: int, first: int, last: int) -> None:
    """Asks for the beginning of a row that comes next: its sender was not foreseeable, and memory is slow to answer."""
    begin, end = address + item_size * first, address + item_size * last
    for line in range(begin // 64, min(end, begin + _AHEAD) // 64 + 1):
        prefetch(line * 64)


@cache
def delivery_kernel(dtype: str, index: str, one_weight: bool, delay: str | None) -> int:
    """Address of the kernel for a kind of projection.

    Args:
        dtype: type of weights and buffers.
        index: type of targets.
        one_weight: whether one weight serves all synapses.
        delay: type of the synapses' delays, None where one serves all.
    """
    one_delay = delay is None
    real: Any = np.dtype(dtype).type
    number: Any = np.dtype(index).type
    steps: Any = np.dtype(delay or "int64").type

    @cfunc(KERNEL, cache=True)
    def deliver(table: Any, thread: int, step: int) -> None:
        header = array_at(table[0], (6,), np.int64)
        stride, capacity, threads = header[3], header[1], header[5]
        first, senders, synapses, slots = table[1], table[2], table[4], table[9]
        long = (table[10] + LANES - 1) // LANES * LANES
        starts = array_at(table[3], (threads + 1, senders), np.int64)
        targets = array_at(table[5], (synapses,), number)
        weights = array_at(table[6], (1 if one_weight else synapses,), real)
        delays = array_at(table[7], (1 if one_delay else synapses,), steps)
        ring = array_at(table[8], (slots, long), real)
        local = step - header[4]
        # threads own ascending ranges of senders, so this runs through the step's spikes in ascending order
        for other in range(threads):
            offsets = array_at(header[2] + 8 * other * stride, (stride,), np.int64)
            identities = array_at(header[0] + 4 * other * capacity, (capacity,), np.int32)
            for place in range(offsets[local], offsets[local + 1]):
                sender = np.int64(identities[place]) - first
                if sender < 0 or sender >= senders:
                    continue
                begin, end = starts[thread, sender], starts[thread + 1, sender]
                if place + 1 < offsets[local + 1]:
                    coming = np.int64(identities[place + 1]) - first
                    if 0 <= coming < senders:
                        then, until = starts[thread, coming], starts[thread + 1, coming]
                        prefetch_row(table[5], targets.itemsize, then, until)
                        if not one_weight:
                            prefetch_row(table[6], weights.itemsize, then, until)
                if one_delay:
                    row = ring[(step + delays[0]) % slots]
                    if one_weight:
                        _same_for_all(row, targets, weights[0], begin, end)
                    else:
                        _own_weights(row, targets, weights, begin, end)
                else:
                    _own_delays(ring, targets, weights, one_weight, delays, step % slots, begin, end)

    return address_of(deliver)


@njit(nogil=True, cache=True)
def _split(starts: Any, targets: Any, edges: Any, result: Any) -> None:
    for sender in range(starts.size - 1):
        place, end = starts[sender], starts[sender + 1]
        for thread in range(edges.size - 1):
            result[thread, sender] = place
            if thread == edges.size - 2:
                place = end
            else:
                place += np.searchsorted(targets[place:end], edges[thread + 1])
        result[edges.size - 1, sender] = end


def thread_starts(starts: np.ndarray, targets: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Where in each sender's row the targets of each thread begin, int64 [threads + 1, senders].

    Args:
        starts: where each sender's row begins, int64 [senders + 1].
        targets: of the synapses, ascending within each row.
        edges: first neuron of each thread's range of targets, [threads + 1].
    """
    result = np.empty((edges.size, starts.size - 1), np.int64)
    if edges.size == 2:
        result[0], result[1] = starts[:-1], starts[1:]
    else:
        _split(starts, targets, edges.astype(targets.dtype if targets.size else np.int64), result)
    return result

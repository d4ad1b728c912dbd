"""Two passes over the targets, one that counts and one that writes, both on several threads.

Each thread takes a contiguous range of targets. The first pass counts the synapses of every sender in every range,
which says where each thread writes in the second; a rule draws the same random numbers in both. Rows come out sorted by
target, the same for any number of threads, and no memory is taken beyond the result and the counts.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from spikelab.sim.wiring.connectivity import Connectivity, target_dtype
from spikelab.sim.wiring.limits import check_size
from spikelab.sim.wiring.rule import Ends

#: Below this many random draws a second thread costs more than it brings.
PARALLEL_FROM = 1 << 18


def run_on_ranges(work: Callable[[int, int, int], Any], size: int, threads: int) -> list[Any]:
    """Calls ``work(part, low, high)`` for contiguous ranges that cover ``size`` items, on as many threads.

    Returns:
        The results, by part.
    """
    if threads == 1:
        return [work(0, 0, size)]
    bounds = [size * part // threads for part in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        parts = [pool.submit(work, part, bounds[part], bounds[part + 1]) for part in range(threads)]
    return [part.result() for part in parts]


def threads_for(ends: Ends, items: int, draws: float) -> int:
    """How many threads pay."""
    return max(1, min(ends.threads, items, int(draws // PARALLEL_FROM)))


def connect_by_target(
    rule: str, ends: Ends, draws: float, visit: Callable[[int, int, np.ndarray, np.ndarray, bool], None]
) -> Connectivity:
    """Builds the synapses of a rule that says for each target which senders reach it.

    Args:
        rule: named in errors.
        ends: the two sides.
        draws: about how many random draws the rule makes.
        visit: ``visit(low, high, cursors, targets, writes)`` goes over the targets from low to high. For each synapse
            of sender a it adds one to ``cursors[a]``, int64 [source_size], and if it ``writes``, puts the target's
            number at ``targets[cursors[a]]`` before.
    """
    dtype = target_dtype(ends.target_size)
    # the counts of a thread take 8 bytes a sender
    threads = min(threads_for(ends, ends.target_size, draws), max(1, int(draws / (16 * max(1, ends.source_size)))))
    cursors = np.zeros((threads, ends.source_size), np.int64)
    nothing = np.empty(0, dtype)
    run_on_ranges(lambda part, low, high: visit(low, high, cursors[part], nothing, False), ends.target_size, threads)
    starts = np.zeros(ends.source_size + 1, np.int64)
    np.cumsum(cursors.sum(0), out=starts[1:])
    check_size(rule, ends.source_size, ends.target_size, int(starts[-1]))
    # from counts to where each thread begins in each row
    place = starts[:-1].copy()
    for part in range(threads):
        count = cursors[part].copy()
        cursors[part] = place
        place += count
    targets = np.empty(int(starts[-1]), dtype)
    run_on_ranges(lambda part, low, high: visit(low, high, cursors[part], targets, True), ends.target_size, threads)
    return Connectivity(ends.source_size, ends.target_size, starts, targets)

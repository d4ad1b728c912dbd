"""A small pool that runs compiled, GIL-free kernels on ranges of neurons.

Numba's own parallel loops depend on a threading layer that is either unsafe when two Python threads call kernels at
once, or unsafe after a fork (data loader workers); a kernel that takes a range needs neither, compiles faster, and
gives the same numbers for any number of threads because neurons do not mix.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

_workers: list[SimpleQueue[Any]] = []
_growing = threading.Lock()


def _forget_workers() -> None:
    """Threads do not survive a fork; the child starts its own when it needs them."""
    global _growing
    _workers.clear()
    _growing = threading.Lock()


os.register_at_fork(after_in_child=_forget_workers)


def _serve(jobs: SimpleQueue[Any]) -> None:
    while True:
        work, start, stop, done = jobs.get()
        try:
            work(start, stop)
            done.put(None)
        except BaseException as error:
            done.put(error)
        # an idle worker must not keep the last job's arrays alive
        del work, done


def _grow(count: int) -> None:
    with _growing:
        while len(_workers) < count:
            jobs: SimpleQueue[Any] = SimpleQueue()
            threading.Thread(target=_serve, args=(jobs,), name="spikelab-kernel", daemon=True).start()
            _workers.append(jobs)


def parallel_ranges(work: Callable[[int, int], Any], size: int, grain: int, threads: int) -> None:
    """Calls ``work(start, stop)`` on ranges that cover ``size`` items, one range a thread.

    Args:
        work: releases the GIL for most of its time and may be called from several threads.
        size: number of items.
        grain: ranges start at multiples of it.
        threads: how many at most, the calling one included.

    Raises:
        Exception: whatever ``work`` raises, after all ranges have ended.
    """
    blocks = -(-size // grain)
    threads = max(1, min(threads, blocks))
    if threads == 1:
        work(0, size)
        return
    if len(_workers) < threads - 1:
        _grow(threads - 1)
    edges = [min(size, (blocks * part // threads) * grain) for part in range(threads)] + [size]
    done: SimpleQueue[BaseException | None] = SimpleQueue()
    for part in range(1, threads):
        _workers[part - 1].put((work, edges[part], edges[part + 1], done))
    failed: BaseException | None = None
    try:
        work(0, edges[1])
    except BaseException as error:
        failed = error
    for _ in range(1, threads):
        failed = done.get() or failed
    if failed is not None:
        raise failed

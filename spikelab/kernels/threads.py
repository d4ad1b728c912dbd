"""Runs a compiled kernel on several threads at once: on torch's own, where torch lends them.

torch runs its operators on OpenMP threads, which go on spinning for a while after each one. Threads of our own would
share the cores with those; the same threads take a kernel over at once. Where OpenMP's entry point is not
found (another kind of build) or not usable (a forked child, whose OpenMP threads are gone), a small pool of Python's
threads stands in. Kernels give the same numbers on any number of threads because neurons do not mix.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch

#: Work on fewer elements stays on one thread: a second one would cost more than it brings.
PARALLEL_FROM = 1 << 16

_ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_workers: list[SimpleQueue[Any]] = []
_growing = threading.Lock()


def _find_openmp() -> Callable[..., None] | None:
    """``GOMP_parallel`` of the very OpenMP library that torch is linked with: GNU's own, or LLVM's under that name."""
    if not torch.backends.openmp.is_available():
        return None
    try:
        # looking a name up in a library goes on in those it was linked with
        library = ctypes.CDLL(str(next((Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*"))))
        function = library.GOMP_parallel
    except (OSError, AttributeError, StopIteration):
        return None
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    function.restype = None
    return function


_openmp = _find_openmp()


def _after_fork() -> None:
    """Threads do not survive a fork; the child starts its own when it needs them."""
    global _growing, _one_team, _openmp
    _workers.clear()
    _growing = threading.Lock()
    _one_team = threading.Lock()
    _openmp = None


os.register_at_fork(after_in_child=_after_fork)


def _serve(jobs: SimpleQueue[Any]) -> None:
    while True:
        entry, table, done = jobs.get()
        _ENTRY(entry)(ctypes.addressof(table))
        done.put(None)
        # an idle worker must not keep the last job's table alive
        del table, done


def _grow(count: int) -> None:
    with _growing:
        while len(_workers) < count:
            jobs: SimpleQueue[Any] = SimpleQueue()
            threading.Thread(target=_serve, args=(jobs,), name="spikelab-kernel", daemon=True).start()
            _workers.append(jobs)


def run_on_threads(entry: int, table: Any, threads: int) -> None:
    """Lets threads enter a kernel, the calling one among them, and returns when all have left.

    Args:
        entry: address of the kernel's entry point.
        table: its table (``native.table_of``). The memory that it names must stay until this returns.
        threads: how many at most.
    """
    if threads <= 1:
        _ENTRY(entry)(ctypes.addressof(table))
    elif _openmp is not None:
        # always torch's whole team: OpenMP ends the threads that a smaller one leaves out
        _openmp(entry, ctypes.addressof(table), threads, 0)
    else:
        _run_on_pool(entry, table, threads)


#: Threads of a team wait for each other, so no second team may hold some of the workers that the first one needs.
_one_team = threading.Lock()


def run_team(entry: int, table: Any, threads: int) -> None:
    """Lets exactly so many threads enter a kernel at once, which may wait for each other inside it.

    Args:
        entry: address of the kernel's entry point.
        table: its table; the memory that it names must stay until this returns.
        threads: how many, the calling one among them.
    """
    if threads <= 1:
        _ENTRY(entry)(ctypes.addressof(table))
    else:
        with _one_team:
            _run_on_pool(entry, table, threads)


def _run_on_pool(entry: int, table: Any, threads: int) -> None:
    if len(_workers) < threads - 1:
        _grow(threads - 1)
    done: SimpleQueue[None] = SimpleQueue()
    for worker in _workers[: threads - 1]:
        worker.put((entry, table, done))
    _ENTRY(entry)(ctypes.addressof(table))
    for _ in range(1, threads):
        done.get()

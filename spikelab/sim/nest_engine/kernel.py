"""NEST's kernel: there is one in a process, so one network has it at a time."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch

from spikelab.sim.nest_engine.support import ELSEWHERE, NotSupported

_STEPS_PER_MILLISECOND = 1000


class _Holder:
    """Who has the kernel, and how many nodes they left in it."""

    def __init__(self) -> None:
        self.owner: weakref.ref[Any] | None = None
        self.nodes = 0


_holder = _Holder()


def load_nest() -> ModuleType:
    """PyNEST, without its banner.

    Raises:
        ImportError: says what to install.
    """
    given, threads = os.environ.get("PYNEST_QUIET"), torch.get_num_threads()
    os.environ["PYNEST_QUIET"] = "1"
    try:
        import nest
    except ImportError as error:
        raise ImportError(
            f"engine='nest' needs NEST 3.10 or later, which could not be imported ({error}); install it with "
            f"pip install 'spikelab[nest]' (Linux), or from https://nest-simulator.readthedocs.io for MPI"
        ) from error
    finally:
        torch.set_num_threads(threads)
        if given is None:
            del os.environ["PYNEST_QUIET"]
        else:
            os.environ["PYNEST_QUIET"] = given
    return nest


@contextmanager
def nest_threads(nest: Any) -> Iterator[None]:
    """For all calls of NEST: its kernel crashes unless OpenMP has its number of threads, and torch has its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(nest.local_num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def take_kernel(nest: Any, owner: Any, dt: float, seed: int, threads: int) -> None:
    """Empties the kernel for a new network; the network that had it can no longer run.

    Raises:
        RuntimeError: if it holds nodes that were not made here.
        NotSupported: for a time step that NEST does not have.
    """
    if nest.network_size and nest.network_size != _holder.nodes:
        raise RuntimeError(
            f"NEST's kernel holds {nest.network_size} nodes that this engine did not make, and there is one kernel "
            f"in a process; if they are no longer needed call nest.ResetKernel(), otherwise run the network in "
            "another process"
        )
    units = dt * 1e3 * _STEPS_PER_MILLISECOND
    if abs(units - round(units)) > 1e-6 * units or round(units) < 1:
        raise NotSupported(f"dt = {dt:g} s is no multiple of 1 us, NEST's unit of time: choose one, or {ELSEWHERE}")
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    # NEST takes seeds from 1 to 2^32 - 1
    nest.set(resolution=dt * 1e3, rng_seed=seed % (2**32 - 2) + 1, local_num_threads=threads)
    _holder.owner, _holder.nodes = weakref.ref(owner), 0


def check_kernel(nest: Any, owner: Any) -> None:
    """Raises RuntimeError if another network, or another use of NEST, has the kernel by now."""
    has = _holder.owner() if _holder.owner is not None else None
    if has is not owner or nest.network_size != _holder.nodes:
        raise RuntimeError(
            "NEST has one kernel in a process, and another network has been given it since this one ran: what was "
            "recorded is kept, but it cannot run on; run networks on NEST one after the other, or each in its own "
            "process"
        )


def count_nodes(nest: Any) -> None:
    """Notes how many nodes the kernel's owner has made."""
    _holder.nodes = nest.network_size

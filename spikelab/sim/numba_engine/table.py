"""Makes the tables that kernels read: whole numbers and addresses, each under a name for those who fill them in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spikelab.sim.numba_engine.driver import Operation


def operation(kernel: int, entries: Mapping[str, int | np.ndarray]) -> Operation:
    """A kernel with its table.

    Args:
        kernel: address.
        entries: in the order in which the kernel reads them; an array stands for its address.
    """
    arrays = tuple(each for each in entries.values() if isinstance(each, np.ndarray))
    for name, each in entries.items():
        if isinstance(each, np.ndarray) and not each.flags.c_contiguous:
            raise AssertionError(f"{name}: a kernel needs an array in one piece")
    numbers = [each.ctypes.data if isinstance(each, np.ndarray) else int(each) for each in entries.values()]
    return Operation(kernel, np.array(numbers, np.int64), arrays)

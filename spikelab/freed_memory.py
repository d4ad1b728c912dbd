"""Keeps the memory that a step frees for the next one, which will ask for the same again.

The system's allocator gives large blocks back at once, and gets them again as fresh pages that the kernel must clear,
one fault a page. A training step frees and asks for the same blocks each time: with activations of more than 32 MiB
that is a third of a step (HALSIE with batches of 24: benchmarks/results/freed_memory.md); smaller ones are kept anyway
(`spikelab.kernels.buffers`). PyTorch's guides advise another allocator for it, such as jemalloc, which must be loaded
before Python starts; two settings of the GNU C library do the same from inside.
"""

from __future__ import annotations

import ctypes
import logging
import os
import platform

logger = logging.getLogger("spikelab.memory")

#: Of mallopt(3): no block gets pages of its own, and free memory at the end of the heap is never given back.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
#: Who sets one of these has chosen already.
_VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TOP_PAD_", "LD_PRELOAD")


def keep_freed_memory() -> bool:
    """Lets this process keep the memory that it frees, for the rest of its life.

    For training in a process of your own: steps get faster where activations are large, and the process stays as large
    as it was at its peak. `spikelab train` and the other commands that train do it by themselves. Nothing changes where
    the C library is not GNU's, or where the environment has chosen an allocator already, or when memory is given back
    (``LD_PRELOAD``, ``GLIBC_TUNABLES``, ``MALLOC_TRIM_THRESHOLD_``, ``MALLOC_MMAP_THRESHOLD_``, ``MALLOC_MMAP_MAX_``,
    ``MALLOC_TOP_PAD_``).

    Returns:
        Whether it took effect.
    """
    chosen = [name for name in _VARIABLES if os.environ.get(name)]
    if "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        chosen.append("GLIBC_TUNABLES")
    if chosen:
        logger.debug("the allocator stays as %s says", chosen[0])
        return False
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    return all([library.mallopt(_MMAP_MAX, 0) == 1, library.mallopt(_TRIM_THRESHOLD, -1) == 1])

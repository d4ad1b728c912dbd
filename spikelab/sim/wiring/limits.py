"""Refuses wiring that is too large, with the numbers, before any memory is taken."""

from __future__ import annotations

import os
from pathlib import Path

from spikelab.sim.wiring.connectivity import target_dtype

#: Most synapses of one projection: places of synapses are kept as 32-bit numbers.
MOST_SYNAPSES = (1 << 31) - 1
#: Less memory than this is not asked after.
_LITTLE = 1 << 26


def free_memory() -> int | None:
    """Bytes that this process can still take without swapping; None where the system does not say."""
    limits = [_available_by_kernel(), _left_in_container()]
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def _available_by_kernel() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def _left_in_container() -> int | None:
    """What the memory limit of a container leaves (control groups, version 2 and 1)."""
    folder = Path("/sys/fs/cgroup")
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            return int((folder / limit).read_text()) - int((folder / used).read_text())
        except (OSError, ValueError):
            continue
    return None


def check_size(rule: str, source_size: int, target_size: int, synapses: float) -> None:
    """Refuses what cannot be built.

    Args:
        rule: named in the error.
        source_size: number of possible senders.
        target_size: number of possible targets.
        synapses: how many there will be, or are expected.

    Raises:
        ValueError: for more synapses than one projection can have.
        MemoryError: for more than fits into free memory.
    """
    sizes = f"{rule} from {source_size} to {target_size} neurons makes {synapses:.4g} synapses"
    if synapses > MOST_SYNAPSES:
        raise ValueError(
            f"{sizes}, more than the {MOST_SYNAPSES} (2**31 - 1) that one projection can have; "
            "connect fewer, or split the source into several projections"
        )
    needed = synapses * target_dtype(target_size).itemsize + 16 * source_size
    free = free_memory() if needed > _LITTLE else None
    if free is not None and needed > free:
        raise MemoryError(
            f"{sizes}, which take {needed / 1e9:.3g} GB, and {free / 1e9:.3g} GB of memory are free; connect fewer"
        )

"""Finds what is due among many items without looking at all of them: items in blocks, with a lower bound for each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

BLOCK = 64


def soonest_of(times: np.ndarray) -> np.ndarray:
    """The earliest time of each block, float64 [blocks]."""
    found = np.full(-(-times.size // BLOCK), np.inf)
    np.minimum.at(found, np.arange(times.size) // BLOCK, times)
    return found


@njit
def earliest(soonest: Any) -> float:
    """The earliest of all, or a time before it."""
    first = np.inf
    for bound in soonest:
        first = min(first, bound)
    return first

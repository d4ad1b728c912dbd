"""How many bits a chip needs for the weights of a connection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikelab.hw.loihi_weights import sign_mode_of, stored_weights


def two_complement_bits(weight: np.ndarray) -> int:
    """Smallest width in two's complement that holds all weights; at least 1."""
    if not weight.size:
        return 1
    low, high = int(weight.min()), int(weight.max())
    return 1 + max(max(0, high).bit_length(), max(0, -low - 1).bit_length())


def packed_bits(weight: np.ndarray, widths: Sequence[int]) -> int:
    """Smallest of the widths that holds all weights after the zero bits at the end of all of them are shifted out."""
    common = int(np.bitwise_or.reduce(weight.reshape(-1))) if weight.size else 0
    shift = (common & -common).bit_length() - 1 if common else 0
    needed = two_complement_bits(weight >> shift)
    return next((width for width in sorted(widths) if width >= needed), max(widths))


def loihi_bits(weight: np.ndarray, widths: Sequence[int]) -> int | None:
    """Smallest of the widths at which Loihi stores exactly these weights; None if there is none."""
    mode = sign_mode_of(weight)
    for width in sorted(widths):
        if np.array_equal(stored_weights(weight, width, mode), weight):
            return width
    return None


def needed_bits(weight: np.ndarray, weight_format: str, widths: Sequence[int]) -> int | None:
    """Smallest allowed width that stores exactly these weights in a format; None if there is none."""
    if weight_format == "loihi_sign_modes":
        return loihi_bits(weight, widths)
    needed = two_complement_bits(weight)
    return next((width for width in sorted(widths) if width >= needed), None)

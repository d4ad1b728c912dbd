"""What Loihi stores of a weight: fewer bits, and a sign mode for all weights of a connection."""

from __future__ import annotations

import numpy as np

SIGN_MODES = ("mixed", "excitatory", "inhibitory")


def sign_mode_of(weight: np.ndarray) -> str:
    """The mode that keeps most: mixed where both signs occur, else that of the one."""
    if weight.size and weight.min() < 0 < weight.max():
        return "mixed"
    return "inhibitory" if weight.size and weight.min() < 0 else "excitatory"


def stored_weights(weight: np.ndarray, bits: int = 8, sign_mode: str = "") -> np.ndarray:
    """The weights that the chip works with.

    Args:
        weight: whole numbers.
        bits: stored for each weight, 1 to 8. Mixed weights spend one on the sign: at 8 bits only even numbers exist.
        sign_mode: "mixed", "excitatory" or "inhibitory"; "" for the one that fits.

    Raises:
        ValueError: for an unknown mode or number of bits.
    """
    mode = sign_mode or sign_mode_of(weight)
    if mode not in SIGN_MODES or not 1 <= bits <= 8:
        raise ValueError(f"sign_mode = {mode!r}, bits = {bits}: must be one of {', '.join(SIGN_MODES)}, and 1 to 8")
    if mode == "mixed":
        dropped = 9 - bits
        return (np.clip(weight, -256, 255) >> dropped) << dropped
    dropped = 8 - bits
    if mode == "excitatory":
        return (np.clip(weight, 0, 255) >> dropped) << dropped
    return -((np.clip(-weight, 0, 255) >> dropped) << dropped)

"""How real numbers become whole ones: bits, scales, and what inputs are like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from spikelab.hw.lowering.scales import METHODS, Method


@dataclass(frozen=True)
class Quantisation:
    """How real numbers become whole ones.

    Attributes:
        bits: of a weight.
        scale: "mse", "max" or "percentile": how the real value of a weight's last bit is chosen.
        percentile: for "percentile": the share of weights that is not cut.
        per_neuron: a unit of its own for each neuron or feature map, where the target has thresholds for each; None
            where it can.
        input_low: smallest real input.
        input_high: largest real input.
        input_bits: bits of a real-valued input; 0 where inputs are whole numbers already, such as spikes or counts.
    """

    bits: int = 8
    scale: Method = "mse"
    percentile: float = 99.9
    per_neuron: bool | None = None
    input_low: float = 0.0
    input_high: float = 1.0
    input_bits: int = 0

    def __post_init__(self) -> None:
        if self.scale not in METHODS:
            raise ValueError(f"scale = {self.scale!r} must be one of {', '.join(METHODS)}")
        if not 0 < self.percentile <= 100:
            raise ValueError(f"percentile = {self.percentile!r} must be above 0 and at most 100")
        if not 0 <= self.input_bits <= 16:
            raise ValueError(f"input_bits = {self.input_bits!r} must be 0 to 16")
        if not (np.isfinite([self.input_low, self.input_high]).all() and self.input_low <= 0 <= self.input_high):
            raise ValueError(f"inputs of {self.input_low!r} to {self.input_high!r} must be finite and hold 0")

    @property
    def input_scale(self) -> float:
        """Real value of an input message of one."""
        if not self.input_bits:
            return 1.0
        largest = max(abs(self.input_low), abs(self.input_high), 1e-30)
        levels = 2 ** (self.input_bits - 1) - 1 if self.input_low < 0 else 2**self.input_bits - 1
        return largest / levels

    def messages(self, x: Any) -> np.ndarray:
        """Input messages for real inputs.

        Raises:
            ValueError: if inputs should be whole and are not, or lie outside the declared range.
        """
        values = np.asarray(x.detach().cpu() if isinstance(x, Tensor) else x, np.float64) / self.input_scale
        rounded = np.rint(values)
        if not self.input_bits and not np.array_equal(rounded, values):
            raise ValueError("the inputs are not whole numbers; say input_bits, input_low and input_high")
        low, high = self.input_range
        return np.clip(rounded, low, high).astype(np.int64) if self.input_bits else rounded.astype(np.int64)

    @property
    def input_range(self) -> tuple[int, int]:
        """Smallest and largest input message."""
        return int(np.floor(self.input_low / self.input_scale)), int(np.ceil(self.input_high / self.input_scale))

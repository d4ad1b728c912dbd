"""A kernel with all that it is called with: a block of time steps is a list of these, the same for every block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, eq=False)
class Launch:
    """A kernel and its arguments. What changes from block to block, a kernel reads from the clock on the device.

    Attributes:
        kernel: a function under ``triton.jit``.
        grid: how many programs of it, up to three numbers.
        arguments: arrays and sizes, by name.
        constants: what the kernel is compiled for.
        warps: groups of 32 threads of a program.
    """

    kernel: Any
    grid: tuple[int, ...]
    arguments: Mapping[str, torch.Tensor | int]
    constants: Mapping[str, int]
    warps: int = 4

    def __call__(self) -> None:
        """Puts it into the device's queue."""
        self.kernel[self.grid](
            **self.arguments,
            **self.constants,
            num_warps=self.warps,
            # a product and a sum are rounded apart, as on the CPU
            enable_fp_fusion=False,
        )

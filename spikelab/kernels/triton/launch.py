"""Puts a kernel into a device's queue with little work in Python: a small layer is over sooner than a lookup.

Triton finds the compiled code of a call from every argument's type, size and alignment, each time. Here a layout stands
for most of them, and what was found is remembered with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from spikelab.kernels.triton.device import INTERPRETED
from spikelab.kernels.triton.layout import Layout

#: Alignment that makes wide loads possible, in bytes; Triton's own.
_ALIGNED = 16
#: Neurons from which on a thread has as many as one wide load brings, and from which on a program has four warps.
_MANY, _SOME = 1 << 18, 1 << 15
#: Values that a thread holds at most. It has 255 registers, and each value passes through several.
_HELD = 80
_REMEMBERED = 4096
_FIXED_OPTIONS = {"enable_fp_fusion": False}


class Launcher:
    """A generated kernel, and what it was compiled to.

    Args:
        function: the kernel, under ``triton.jit``.
        held: about how many values it holds of a neuron.
    """

    def __init__(self, function: Any, held: int):
        self.function, self._held = function, held
        self._ready: dict[tuple[Layout, int | None], Any] = {}

    def shape(self, size: int, word: int) -> tuple[int, int]:
        """(neurons, warps) of a program, for so many neurons in all and so many bytes of an element."""
        if size >= _MANY:
            neurons = _ALIGNED // word
            while neurons > 1 and neurons * self._held > _HELD:
                neurons //= 2
            return 128 * neurons, 4
        return (128, 4) if size >= _SOME else (32, 1)

    def programs(self, layout: Layout, word: int) -> int:
        """How many programs run over a layout."""
        return -(-layout.size // self.shape(layout.size, word)[0])

    def __call__(self, layout: Layout, steps: int, arrays: Sequence[Tensor], word: int) -> None:
        """Launches it.

        Args:
            layout: of all arrays [T, B, ...] and [B, ...].
            steps: T.
            arrays: in the order of the kernel's parameters.
            word: bytes of an element of the input.
        """
        device = arrays[0].device.index
        if device is not None and device != torch.cuda.current_device():
            with torch.cuda.device(device):
                self(layout, steps, arrays, word)
            return
        aligned = True
        for array in arrays:
            aligned = aligned and array.data_ptr() % _ALIGNED == 0
        ready = self._ready.get((layout, device)) if aligned else None
        if ready is not None:
            run, rest = ready
            run(*arrays, steps, *rest)
            return
        lanes, warps = self.shape(layout.size, word)
        rest = (layout.size, layout.inner, *layout.distances, lanes, layout.split, layout.wide)
        grid = (-(-layout.size // lanes), 1, 1)
        compiled = self.function[grid](*arrays, steps, *rest, num_warps=warps, **_FIXED_OPTIONS)
        if INTERPRETED or not aligned:
            return
        if len(self._ready) >= _REMEMBERED:
            self._ready.clear()
        self._ready[layout, device] = compiled[grid], rest


__all__ = ["Launcher"]

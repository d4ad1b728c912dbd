"""Triton itself, for all modules that need it, and whether its kernels run on a device or in its interpreter."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch
from torch import Tensor

try:
    import triton
    import triton.language as tl
except ImportError as error:
    raise ImportError(
        "Triton's kernels need the package triton, which runs on Linux: pip install 'spikelab[cuda]'"
    ) from error


@triton.jit
def _probe() -> None:
    pass


#: Whether kernels run in Triton's interpreter, on the CPU: TRITON_INTERPRET=1 was set before Triton was imported.
INTERPRETED = not isinstance(_probe, triton.runtime.jit.JITFunction)


def on(tensor: Tensor) -> AbstractContextManager[object]:
    """Makes the device of a tensor the current one, to which Triton launches; on the CPU nothing is to be done."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else contextlib.nullcontext()


__all__ = ["INTERPRETED", "on", "tl", "triton"]

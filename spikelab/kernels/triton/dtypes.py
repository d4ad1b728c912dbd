"""The numbers that Triton kernels read and write, and those that they compute with."""

from __future__ import annotations

import torch

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def computed_in(dtype: torch.dtype) -> torch.dtype:
    """Of states, coefficients and sums, for an input of this dtype."""
    return torch.float64 if dtype == torch.float64 else torch.float32

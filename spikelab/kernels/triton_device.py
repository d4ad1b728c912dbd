"""Whether Triton's kernels run on a device or in its interpreter."""

from __future__ import annotations

import triton


@triton.jit
def _probe() -> None:
    pass


#: Whether kernels run in Triton's interpreter, on the CPU: TRITON_INTERPRET=1 was set before Triton was imported.
INTERPRETED = not isinstance(_probe, triton.runtime.jit.JITFunction)

__all__ = ["INTERPRETED"]

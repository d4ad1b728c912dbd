"""Which device a network runs on, and what of the kernels' shapes depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from spikelab.kernels.triton.device import INTERPRETED

#: Neurons that one program of a kernel brings forward. Arrays of neurons are as long as the next multiple.
LANES = 128


class NoDeviceError(RuntimeError):
    """There is nothing that the engine could run on."""


@dataclass(frozen=True)
class Device:
    """Where a network's arrays are, and how its kernels are spread.

    Attributes:
        place: the device, as torch names it.
        programs: of a kernel that takes spikes to their targets, side by side.
    """

    place: torch.device
    programs: int

    def tensor(self, values: Any, dtype: torch.dtype | None = None) -> torch.Tensor:
        """A copy of an array on the device, in one piece."""
        return torch.as_tensor(values).to(device=self.place, dtype=dtype, copy=True).contiguous()


def choose_device() -> Device:
    """The CUDA device, or the CPU where Triton's interpreter stands in for one.

    Raises:
        NoDeviceError: if there is neither.
    """
    if INTERPRETED:
        return Device(torch.device("cpu"), 2)
    if not torch.cuda.is_available():
        raise NoDeviceError(
            f"the engine 'triton' needs a CUDA device, and torch {torch.__version__} finds none: run with "
            "engine='numba', or set TRITON_INTERPRET=1 before Python starts to check kernels on the CPU, very slowly"
        )
    place = torch.device("cuda", torch.cuda.current_device())
    return Device(place, 4 * torch.cuda.get_device_properties(place).multi_processor_count)


def padded(size: int) -> int:
    """Length of an array that holds a value for each of ``size`` neurons."""
    return -(-size // LANES) * LANES

"""A state of a population's neurons on the device, which reads and changes like an array on the host."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


class DeviceValues:
    """A window on the first ``size`` values of an array on the device.

    Reading ``[a:b]`` copies to the host, as a numpy array; writing copies to the device.
    """

    def __init__(self, values: torch.Tensor, size: int):
        self._values = values[:size]

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, range_: slice) -> np.ndarray:
        return self._values[range_].cpu().numpy().copy()

    def __setitem__(self, range_: slice, value: Any) -> None:
        self._values[range_] = torch.as_tensor(value).to(self._values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self._values.cpu().numpy().dtype)

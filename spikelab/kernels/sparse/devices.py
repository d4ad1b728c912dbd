"""The products with spikes of each kind of device: modules with the same functions."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor

from spikelab.kernels.sparse.window import Window

_MODULES = {"cpu": "numba_cpu", "cuda": "triton_cuda"}


class Spikes(Protocol):
    """What is not zero in a tensor, in whatever form the device's kernels take it."""

    count: int

    @property
    def density(self) -> float:
        """Share of all elements."""


class Products(Protocol):
    """What a module of a device offers. Costs are (sparse, dense) in nanoseconds."""

    #: Whether a sample tells of the density before all is looked at.
    SAMPLED: bool
    #: How many times longer dense products take than sparse ones where the gradient of the weights is wanted too, for
    #: products that would take equally long without.
    DENSE_LEARNING: float
    #: Nanoseconds for each element of which it is found out whether its gradient is wanted.
    SUPPORT_FOUND: float

    def can_list(self, x: Tensor) -> bool:
        """Whether ``list_spikes`` takes this tensor."""

    def list_spikes(self, x: Tensor) -> Any:
        """The ``Spikes`` of x, rows [n, C] or pictures [n, C, H, W]."""

    def spike_product(self, spikes: Any, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Rows with weights [N, C] and a bias [N]: [n, N]."""

    def weight_gradient(self, spikes: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of weights and bias, from that of the result [n, N]."""

    def linear_input_gradient(self, wanted: Any, weight: Tensor, grad: Tensor) -> Tensor:
        """Gradient of the rows, from that of the result, where it is wanted; elsewhere zeros."""

    def spike_convolution(self, spikes: Any, window: Window, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Pictures with weights [O, C, kh, kw] and a bias [O]: [n, O, H', W']."""

    def convolution_weight_gradient(self, spikes: Any, window: Window, grad: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of weights and bias, from that of the result [n, O, H', W']."""

    def convolution_input_gradient(self, wanted: Any, window: Window, weight: Tensor, grad: Tensor) -> Tensor:
        """Gradient of the pictures, from that of the result, where it is wanted; elsewhere zeros."""

    def linear_cost(
        self, rows: int, inputs: int, outputs: int, count: float, dtype: torch.dtype
    ) -> tuple[float, float]:
        """Of ``spike_product``."""

    def convolution_cost(self, pictures: int, window: Window, count: float, dtype: torch.dtype) -> tuple[float, float]:
        """Of ``spike_convolution``."""

    def linear_input_cost(
        self, rows: int, inputs: int, outputs: int, count: float, dtype: torch.dtype
    ) -> tuple[float, float]:
        """Of ``linear_input_gradient``."""

    def convolution_input_cost(
        self, pictures: int, window: Window, count: float, dtype: torch.dtype
    ) -> tuple[float, float]:
        """Of ``convolution_input_gradient``."""


@cache
def products_of(device: str) -> Products | None:
    """Those of a kind of device, such as "cuda"; None if there are none, or not without a package that is missing."""
    if device not in _MODULES:
        return None
    try:
        return importlib.import_module(f"spikelab.kernels.sparse.{_MODULES[device]}")
    except ImportError:
        # without Triton all products on a CUDA device are dense; its neurons say what to install
        if device == "cuda":
            return None
        raise


def products_on(x: Tensor) -> Products | None:
    """Those of the device that x is on, if they take a tensor like x; else None."""
    products = products_of(x.device.type)
    return products if products is not None and products.can_list(x) else None

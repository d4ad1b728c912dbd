"""What arrives at weights: the presynaptic activity that methods against forgetting look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikelab.learn.rules.rule import UnsupportedError
from spikelab.nn import Conv2d, Dense

Presynaptic = Literal["spikes", "rates", "traces"]
PRESYNAPTIC = ("spikes", "rates", "traces")


def inputs_of(weights: Dense | Conv2d) -> int:
    """How many numbers one output of the weights sums: N, or channels x height x width of the kernel."""
    return weights.weight[0].numel()


def check_supported(name: str, weights: nn.Module) -> None:
    """Refuses weights whose products with an input are no plain matrix product.

    Raises:
        UnsupportedError: For grouped convolutions and unusual padding; names the weights.
    """
    if isinstance(weights, Conv2d):
        if weights.groups != 1:
            raise UnsupportedError(f"{name} has groups = {weights.groups}: projections take convolutions of 1 group")
        if isinstance(weights.padding, str) or weights.padding_mode != "zeros":
            raise UnsupportedError(f"{name}: projections take padding by numbers, with zeros")


def rows(weights: Dense | Conv2d, x: Tensor) -> Tensor:
    """What each output sums, one row for each step, sample and place.

    Args:
        weights: Get the input.
        x: [T, B, N], or [T, B, C, H, W].

    Returns:
        [T * B, N], or [T * B * places, C * kernel height * kernel width] (a convolution's unfolded patches).
    """
    if isinstance(weights, Dense):
        return x.flatten(0, 1)
    return patches(weights, x.flatten(0, 1)).transpose(1, 2).flatten(0, 1)


def patches(weights: Conv2d, x: Tensor) -> Tensor:
    """The patches of pictures [B, C, H, W] that a convolution sums: [B, C * kernel height * kernel width, places]."""
    kernel, dilation = weights.kernel_size, weights.dilation
    return functional.unfold(x, kernel, dilation, weights.padding, weights.stride)  # type: ignore[arg-type]


def over_time(x: Tensor, kind: Presynaptic, decay: float) -> Tensor:
    """Activity [T, B, ...] in one of three forms.

    Args:
        x: The spikes, or real numbers, of each step.
        kind: "spikes" leaves them; "rates" gives the weighted mean over time [1, B, ...], in which a step counts
            `decay` times the one after it (the firing rate of DSR: Meng et al. 2022, CVPR, section 4); "traces" gives
            sums [T, B, ...] that decay from step to step (OTTT: Xiao et al. 2022, NeurIPS, equation 5).
        decay: 0 to 1.
    """
    if kind == "spikes":
        return x
    if kind == "rates":
        ages = torch.arange(len(x) - 1, -1, -1, device=x.device, dtype=x.dtype)
        weights = decay**ages
        return (torch.tensordot(weights, x, 1) / weights.sum()).unsqueeze(0)
    trace = torch.zeros_like(x[0])
    traces = []
    for step in x:
        trace = decay * trace + step
        traces.append(trace)
    return torch.stack(traces)


class WeightInputs:
    """Keeps what arrives at weights while it is told to, by forward hooks.

    Args:
        weights: Name -> weights.
    """

    def __init__(self, weights: Mapping[str, Dense | Conv2d]) -> None:
        self.weights = dict(weights)
        self._arrived: dict[str, list[Tensor]] = {}
        self._keeping = False
        for name, module in self.weights.items():
            module.register_forward_hook(self._hook(name))

    def _hook(self, name: str) -> Any:
        def keep(module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> None:
            if self._keeping:
                self._arrived.setdefault(name, []).append(arguments[0].detach())

        return keep

    @contextmanager
    def keep(self) -> Iterator[None]:
        """Forgets what was kept, and keeps what arrives inside."""
        self._arrived, self._keeping = {}, True
        try:
            yield
        finally:
            self._keeping = False

    def take(self, name: str) -> Tensor:
        """What arrived at the weights, [T, B, ...]; several calls, as of single steps, are put one after the other.

        Raises:
            UnsupportedError: If nothing did: the learning rule does not call these weights.
        """
        if name not in self._arrived:
            raise UnsupportedError(
                f"nothing arrived at {name} while the learning rule looked at the batch: the rule does not call these "
                "weights, and the method cannot see their input; rule bptt calls all of them"
            )
        return torch.cat(self._arrived.pop(name))

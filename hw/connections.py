"""Connections of an integer graph: which weights, how late, and where to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class Dense:
    """Weights between all neurons of two populations.

    Attributes:
        weight: [targets, sources], int64; both populations are flattened in C order.
        delay: further steps for each weight [targets, sources]; None for none.
    """

    weight: np.ndarray
    delay: np.ndarray | None = None


@dataclass(frozen=True)
class Convolution:
    """A cross-correlation over a population of shape (C, H, W), as PyTorch's.

    Attributes:
        weight: [C_out, C_in / groups, height, width], int64.
        stride: down and right.
        padding: rows and columns of zeros on each side.
        dilation: down and right.
        groups: as PyTorch's.
    """

    weight: np.ndarray
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


@dataclass(frozen=True)
class OneToOne:
    """One weight for each neuron, or one for all: identity times ``weight``."""

    weight: np.ndarray


@dataclass(frozen=True)
class Connection:
    """What one population sends to another.

    Attributes:
        source: population or input that sends.
        target: population that receives.
        weights: how.
        delay: steps from sending to arriving, for all of it; 0 within the same step.
        exponent: the sum is shifted by so many bits to the left (to the right, rounded down, where negative).
        wrap_bits: the sum is wrapped to so many bits; 0 for no wrap.
        port: which of the target's inputs it adds to.
        pool: height and width of windows over a source (C, H, W); messages of a window are summed before the weights
            apply, and rows and columns that fill no window are left out.
    """

    source: str
    target: str
    weights: Dense | Convolution | OneToOne
    delay: int = 1
    exponent: int = 0
    wrap_bits: int = 0
    port: str = "a"
    pool: tuple[int, int] = (1, 1)


def shape_problem(connection: Connection, source: tuple[int, ...], target: tuple[int, ...]) -> str:
    """What is wrong with a connection between populations of these shapes; "" if nothing is."""
    weights = connection.weights
    if connection.pool != (1, 1):
        if len(source) != 3 or min(connection.pool) < 1:
            return f"pool {list(connection.pool)} needs a source of shape (C, H, W) and windows of 1 or more"
        source = pooled_shape(connection.pool, source)
    if weights.weight.dtype.kind not in "iu":
        return f"weights are {weights.weight.dtype}, not whole numbers"
    if isinstance(weights, Dense):
        expected = (math.prod(target), math.prod(source))
        if weights.weight.shape != expected:
            return f"weights have shape {list(weights.weight.shape)}, but must be [targets, sources] = {list(expected)}"
        if weights.delay is not None and (weights.delay.shape != expected or weights.delay.min(initial=0) < 0):
            return f"delays must be whole numbers >= 0 of shape {list(expected)}"
        return ""
    if isinstance(weights, OneToOne):
        if weights.weight.size not in (1, math.prod(target)):
            return f"{weights.weight.size} weights for {math.prod(target)} neurons; give one for each, or one for all"
        return "" if math.prod(source) == math.prod(target) else f"{list(source)} and {list(target)} differ in size"
    if len(source) != 3:
        return f"a convolution needs a source of shape (C, H, W), not {list(source)}"
    shape, groups = weights.weight.shape, weights.groups
    if len(shape) != 4 or groups < 1 or shape[0] % groups or shape[1] * groups != source[0]:
        return f"weights {list(shape)} of {groups} groups do not fit {source[0]} channels; see Convolution"
    found = convolved_shape(weights, source)
    return "" if found == target else f"the convolution makes {list(found)} out of {list(source)}, not {list(target)}"


def pooled_shape(pool: tuple[int, int], source: tuple[int, ...]) -> tuple[int, ...]:
    """Shape (C, H, W) after summing over windows; any other shape where there is no pool."""
    return source if pool == (1, 1) else (source[0], source[1] // pool[0], source[2] // pool[1])


class _Kernel(Protocol):
    """What a convolution's shape depends on."""

    @property
    def weight(self) -> Any: ...
    @property
    def stride(self) -> tuple[int, int]: ...
    @property
    def padding(self) -> tuple[int, int]: ...
    @property
    def dilation(self) -> tuple[int, int]: ...


def convolved_shape(weights: _Kernel, source: tuple[int, ...]) -> tuple[int, ...]:
    """Shape (C, H, W) after a convolution."""
    sizes = (
        (length + 2 * pad - step * (kernel - 1) - 1) // stride + 1
        for length, pad, step, kernel, stride in zip(
            source[1:], weights.padding, weights.dilation, weights.weight.shape[2:], weights.stride, strict=True
        )
    )
    return (weights.weight.shape[0], *sizes)

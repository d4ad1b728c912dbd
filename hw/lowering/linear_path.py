"""What lies between two layers of neurons, composed into one connection.

Weights, sums over windows, normalisation and reshaping are linear, so a chain of them is one linear map. It stays a
convolution or a matrix where it can, and is written out as a matrix where it cannot and is small enough. Everything is
done in torch, so that gradients reach the weights of the chain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from spikelab.hw.connections import convolved_shape, pooled_shape
from spikelab.hw.lowering.step_form import CannotLower
from spikelab.nn import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv1d,
    Conv2d,
    Delay,
    Dense,
    Flatten,
    MaxPool2d,
    Scale,
    SumPool2d,
)

#: A chain is written out as a matrix up to so many weights.
LARGEST_MATRIX = 2**24


@dataclass(frozen=True)
class LinearPath:
    """A linear map from what one layer sends to what another gets.

    Attributes:
        source: shape of what is sent.
        shape: of what arrives.
        weight: float64: [targets, sources] of a matrix, [C_out, C_in / groups, height, width] of a convolution, or one
            number for each element or all.
        kind: "one_to_one", "dense" or "convolution".
        pool: windows that are summed first.
        stride: of a convolution, with padding, dilation and groups.
        padding: likewise.
        dilation: likewise.
        groups: likewise.
        delay: steps for all of it.
        delays: further steps for each source, or None.
    """

    source: tuple[int, ...]
    shape: tuple[int, ...]
    weight: Tensor
    kind: str = "one_to_one"
    pool: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    delay: int = 0
    delays: Tensor | None = None

    @property
    def plain(self) -> bool:
        """Whether nothing but windows and one factor has come so far."""
        return self.kind == "one_to_one" and self.weight.numel() == 1

    def then(self, module: nn.Module) -> LinearPath:
        """The map followed by a module's linear part; its bias is left out.

        Raises:
            CannotLower: if the module is not linear, or the result is too large to be written out.
        """
        match module:
            case Flatten():
                shape = torch.empty(self.shape, device="meta").flatten(module.start_dim, module.end_dim).shape
                return replace(self, shape=tuple(shape))
            case Scale():
                return self.gained(module.scale)
            case nn.Identity() | nn.Dropout():
                return self
            case Delay():
                return self._delayed(module)
            case MaxPool2d():
                raise CannotLower("takes a maximum, which is not linear; use SumPool2d or AvgPool2d")
            case Dense() if self.shape != (module.in_features,):
                raise CannotLower(f"takes [{module.in_features}], but gets {list(self.shape)}")
            case Dense() if self.plain:
                weight = self.weight * module.weight.double()
                return replace(self, weight=weight, kind="dense", shape=(module.out_features,))
            case Dense() if self.kind == "dense":
                weight = module.weight.double() @ self.weight
                return replace(self, weight=weight, shape=(module.out_features,))
            case Conv2d() if self.plain:
                return self._convolved(module)
            case AvgPool2d() if self._can_pool(module):
                return self._pooled(module)
            case BatchNorm1d() | BatchNorm2d():
                return self.gained(_norm_scale(module, len(self.shape)))
        if not isinstance(module, Dense | Conv1d | Conv2d | AvgPool2d):
            raise CannotLower(
                f"is a {type(module).__name__}, which is neither linear nor a neuron that has an integer form"
            )
        return self.as_matrix()._followed_as_matrix(module)

    def _delayed(self, module: Delay) -> LinearPath:
        steps = module.steps
        if bool((steps == steps.reshape(-1)[:1]).all()):
            return replace(self, delay=self.delay + int(steps.reshape(-1)[0]))
        if not self.plain or self.pool != (1, 1):
            raise CannotLower("delays its elements differently after weights; put the Delay before them")
        per_channel = steps.reshape(-1, *[1] * (len(self.shape) - 1)) if steps.dim() == 1 else steps
        try:
            each = per_channel.broadcast_to(self.shape).reshape(-1)
        except RuntimeError:
            raise CannotLower(f"has delays {list(steps.shape)} for a source of shape {list(self.shape)}") from None
        return replace(self, delays=each if self.delays is None else self.delays + each)

    def _convolved(self, module: Conv2d) -> LinearPath:
        if module.padding_mode != "zeros":
            raise CannotLower(f"pads with {module.padding_mode!r}; use padding_mode='zeros'")
        if len(self.shape) != 3:
            raise CannotLower(f"is a convolution over a source of shape {list(self.shape)}; it needs (C, H, W)")
        padding = module.padding
        if isinstance(padding, str):
            total = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
            if padding == "same" and any(t % 2 for t in total):
                raise CannotLower("pads unevenly ('same' with an even kernel); use odd kernels")
            padding = (total[0] // 2, total[1] // 2) if padding == "same" else (0, 0)
        made = replace(
            self, weight=self.weight * module.weight.double(), kind="convolution", stride=_pair(module.stride),
            padding=_pair(padding), dilation=_pair(module.dilation), groups=module.groups,
        )  # fmt: skip
        if self.delays is not None:
            return self.as_matrix()._followed_as_matrix(module)
        return replace(made, shape=convolved_shape(made, pooled_shape(self.pool, self.source)))

    def _can_pool(self, module: AvgPool2d) -> bool:
        window, stride = _pair(module.kernel_size), _pair(module.stride)
        simple = window == stride and _pair(module.padding) == (0, 0) and not module.ceil_mode
        return simple and len(self.shape) == 3 and (self.plain or self.kind == "convolution")

    def _pooled(self, module: AvgPool2d) -> LinearPath:
        down, right = window = _pair(module.kernel_size)
        factor = 1.0 if isinstance(module, SumPool2d) else 1.0 / (module.divisor_override or down * right)
        shape = pooled_shape(window, self.shape)
        if self.plain and self.delays is None:
            pool = (self.pool[0] * down, self.pool[1] * right)
            if pooled_shape(pool, self.source) != shape:
                raise CannotLower("sums windows of windows that do not fill the picture; crop it, or use one window")
            return replace(self, weight=self.weight * factor, pool=pool, shape=shape)
        if self.kind != "convolution":
            return self.as_matrix()._followed_as_matrix(module)
        # sums over windows of a convolution are a convolution with a larger kernel
        height, width = self.weight.shape[2:]
        apart = (self.stride[0] * (down - 1), self.stride[1] * (right - 1))
        if self.dilation != (1, 1) and apart != (0, 0):
            return self.as_matrix()._followed_as_matrix(module)
        kernel = self.weight.new_zeros((*self.weight.shape[:2], height + apart[0], width + apart[1]))
        for i in range(down):
            for j in range(right):
                y, x = i * self.stride[0], j * self.stride[1]
                rest = (x, apart[1] - x, y, apart[0] - y)
                kernel = kernel + nn.functional.pad(self.weight, rest)
        stride = (self.stride[0] * down, self.stride[1] * right)
        return replace(self, weight=kernel * factor, stride=stride, shape=shape)

    def gained(self, scale: Tensor) -> LinearPath:
        """The map with what arrives multiplied by a factor for all elements, or factors that broadcast to them."""
        scale = scale.double()
        if scale.numel() == 1:
            return replace(self, weight=self.weight * scale.reshape(()))
        full = torch.broadcast_to(scale, self.shape)
        if self.kind == "dense":
            return replace(self, weight=self.weight * full.reshape(-1, 1))
        each = full.reshape(self.shape[0], -1)
        if self.kind == "convolution":
            if not bool((each == each[:, :1]).all()):
                return self.as_matrix().gained(scale)
            return replace(self, weight=self.weight * each[:, 0].reshape(-1, 1, 1, 1))
        if self.pool != (1, 1):
            return self.as_matrix().gained(scale)
        return replace(self, weight=self.weight * full.reshape(-1))

    def as_matrix(self) -> LinearPath:
        """The same map written out.

        Raises:
            CannotLower: if it would have more than ``LARGEST_MATRIX`` weights.
        """
        if self.kind == "dense" and self.pool == (1, 1):
            return self
        sources, targets = math.prod(self.source), math.prod(self.shape)
        if sources * targets > LARGEST_MATRIX:
            raise CannotLower(
                f"follows other weights without neurons between, and written out as a matrix of {targets} x {sources} "
                f"it would be too large; put a layer of neurons between, or merge the two"
            )
        basis = torch.eye(sources, dtype=torch.float64).reshape(sources, *self.source)
        columns = self.apply(basis).reshape(sources, targets)
        return replace(
            self, weight=columns.T, kind="dense", pool=(1, 1), stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1
        )

    def _followed_as_matrix(self, module: nn.Module) -> LinearPath:
        columns = self.weight.T.reshape(-1, *self.shape)
        zero = torch.zeros((1, *self.shape), dtype=torch.float64)
        made = call_in_double(module, torch.cat([columns, zero]))
        if (len(made) - 1) * math.prod(made.shape[1:]) > LARGEST_MATRIX:
            raise CannotLower("follows other weights without neurons between and would make too large a matrix")
        shape = tuple(made.shape[1:])
        return replace(self, weight=(made[:-1] - made[-1:]).reshape(len(columns), -1).T, shape=shape)

    def apply(self, sent: Tensor) -> Tensor:
        """Maps messages [B, *source], float64, to what arrives [B, *shape]; delays are left to the caller."""
        if self.pool != (1, 1):
            sent = nn.functional.avg_pool2d(sent, self.pool, divisor_override=1)
        if self.kind == "dense":
            return (sent.flatten(1) @ self.weight.T).reshape(-1, *self.shape)
        if self.kind == "convolution":
            made = nn.functional.conv2d(
                sent, self.weight, None, self.stride, self.padding, self.dilation, self.groups
            )  # fmt: skip
            return made.reshape(-1, *self.shape)
        return (sent.flatten(1) * self.weight.reshape(-1)).reshape(-1, *self.shape)


def path_from(shape: tuple[int, ...]) -> LinearPath:
    """The map that changes nothing."""
    return LinearPath(shape, shape, torch.ones((), dtype=torch.float64))


def _norm_scale(module: BatchNorm1d | BatchNorm2d, dimensions: int) -> Tensor:
    if module.running_var is None:
        raise CannotLower("keeps no running statistics; train with track_running_stats=True")
    scale = 1 / torch.sqrt(module.running_var.double() + module.eps)
    scale = scale * module.weight.double() if module.affine else scale
    return scale.reshape(-1, 1, 1) if dimensions == 3 else scale


def call_in_double(module: nn.Module, batch: Tensor) -> Tensor:
    """A module on a batch [B, ...], in float64 whatever its own type, normalisation with its running statistics."""
    double = {name: value.double() for name, value in module.named_parameters()}
    double |= {name: b.double() if b.is_floating_point() else b for name, b in module.named_buffers()}
    made: Tensor = torch.func.functional_call(module, double, (batch.unsqueeze(0),))
    return made.squeeze(0)


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])

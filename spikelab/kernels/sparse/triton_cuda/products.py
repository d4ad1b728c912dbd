"""Products with spikes on a CUDA device, and their gradients. A linear layer is a convolution of single pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from spikelab.kernels.sparse.triton_cuda import code
from spikelab.kernels.sparse.triton_cuda.spikes import WORD, DeviceSpikes
from spikelab.kernels.sparse.window import Window
from spikelab.kernels.triton.device import on, tl, triton
from spikelab.kernels.triton.dtypes import computed_in

#: Most outputs that a program adds at once; programs that keep a device busy.
_LANES, _PROGRAMS = 256, 4096
_SUMS = {torch.float32: tl.float32, torch.float64: tl.float64}


def spike_product(spikes: DeviceSpikes, weight: Tensor, bias: Tensor | None) -> Tensor:
    """X [rows, K] times weight [N, K], plus a bias [N]: [rows, N]."""
    return spike_convolution(spikes, _point(weight), weight[:, :, None, None], bias)[:, :, 0, 0]


def weight_gradient(spikes: DeviceSpikes, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of the weights [N, K] and of the bias [N] of ``spike_product``, from that of its result [rows, N]."""
    window = Window(spikes.shape[1], 1, 1, grad.shape[1], (1, 1), (1, 1), (0, 0))
    grad_weight, grad_bias = convolution_weight_gradient(spikes, window, grad[:, :, None, None])
    return grad_weight[:, :, 0, 0], grad_bias


def linear_input_gradient(wanted: DeviceSpikes, weight: Tensor, grad: Tensor) -> Tensor:
    """Gradient of x [rows, K] in x times weight [N, K], from that of the result [rows, N], where it is wanted."""
    found = convolution_input_gradient(wanted, _point(weight), weight[:, :, None, None], grad[:, :, None, None])
    return found[:, :, 0, 0]


def spike_convolution(spikes: DeviceSpikes, window: Window, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Pictures with weights [O, C, kh, kw] and a bias [O]: [n, O, H', W'], channels last in memory."""
    pictures = spikes.shape[0]
    out = weight.new_empty((pictures, *window.out_size, window.outputs))
    lanes = _lanes(window.outputs)
    grid = (out[..., 0].numel(), triton.cdiv(window.outputs, lanes))
    total = _SUMS[computed_in(weight.dtype)]
    bias = weight.new_zeros(window.outputs) if bias is None else bias.contiguous()
    seen, strides = _seen(spikes)
    with on(weight):
        code.product[grid](
            spikes.by_pixel, seen, _table(weight), bias, out, spikes.value,
            window.channels, spikes.by_pixel.shape[1], window.outputs, *_numbers(window), *strides,
            LANES=lanes, VARIED=spikes.pictures is not None, SUM=total, **_options(lanes),
        )  # fmt: skip
    return out.permute(0, 3, 1, 2)


def convolution_weight_gradient(spikes: DeviceSpikes, window: Window, grad: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of weights [O, C, kh, kw] and bias [O], from that of the result [n, O, H', W']."""
    (kh, kw), lanes = window.kernel, _lanes(window.outputs)
    grad = grad.permute(0, 2, 3, 1).contiguous()
    lines, strips = kh * kw * window.channels, triton.cdiv(window.outputs, lanes)
    words = spikes.by_channel.shape[1]
    # few weights: programs share the pixels as well. That depends on sizes alone, and so the result repeats
    part = triton.cdiv(words, min(words, triton.cdiv(_PROGRAMS, lines * strips)))
    parts = triton.cdiv(words, part)
    sums = grad.new_empty((parts, lines, window.outputs), dtype=computed_in(grad.dtype))
    seen, strides = _seen(spikes)
    with on(grad):
        code.weight_gradient[(lines, strips, parts)](
            spikes.by_channel, seen, grad, sums,
            window.channels, words, window.outputs, *_numbers(window), *strides, part,
            LANES=lanes, VARIED=spikes.pictures is not None, **_options(lanes),
        )  # fmt: skip
    total = sums.sum(0)
    if spikes.pictures is None:
        total *= spikes.value
    grad_weight = total.to(grad.dtype).view(kh, kw, window.channels, window.outputs).permute(3, 2, 0, 1)
    return grad_weight.contiguous(), grad.sum((0, 1, 2))


def convolution_input_gradient(wanted: DeviceSpikes, window: Window, weight: Tensor, grad: Tensor) -> Tensor:
    """Gradient of the pictures [n, C, H, W], from that of the result [n, O, H', W'], where it is wanted."""
    pictures = wanted.shape[0]
    out = grad.new_zeros((pictures, window.height, window.width, window.channels))
    lanes = _lanes(window.outputs)
    with on(grad):
        code.input_gradient[(out[..., 0].numel(),)](
            wanted.by_pixel, _table(weight), grad.permute(0, 2, 3, 1).contiguous(), out,
            window.channels, wanted.by_pixel.shape[1], window.outputs, *_numbers(window),
            LANES=lanes, SUM=_SUMS[computed_in(grad.dtype)], **_options(lanes),
        )  # fmt: skip
    return out.permute(0, 3, 1, 2)


def _point(weight: Tensor) -> Window:
    outputs, inputs = weight.shape
    return Window(inputs, 1, 1, outputs, (1, 1), (1, 1), (0, 0))


def _table(weight: Tensor) -> Tensor:
    """Weights [O, C, kh, kw] as [kh, kw, C, O]: what a spike adds lies side by side."""
    return weight.detach().permute(2, 3, 1, 0).contiguous()


def _numbers(window: Window) -> tuple[int, ...]:
    sizes = (window.height, window.width, *window.out_size)
    return (*sizes, *window.kernel, *window.stride, *window.padding)


def _seen(spikes: DeviceSpikes) -> tuple[Tensor, tuple[int, ...]]:
    """The values, which a kernel reads where they are not all the same, and their strides."""
    if spikes.pictures is None:
        return spikes.value, (0, 0, 0, 0)
    return spikes.pictures, spikes.pictures.stride()


def _lanes(outputs: int) -> int:
    return min(_LANES, max(WORD, triton.next_power_of_2(outputs)))


def _options(lanes: int) -> dict[str, int | bool]:
    """Of a launch: each thread has up to two outputs, and a product and a sum may be rounded once, as on the CPU."""
    return {"num_warps": max(1, lanes // 64), "enable_fp_fusion": True}

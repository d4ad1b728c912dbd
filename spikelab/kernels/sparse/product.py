"""Linear layers and convolutions that add only what spikes reach, with their gradients; dense where that is cheaper."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.grad import conv2d_input

from spikelab.kernels.sparse import choice
from spikelab.kernels.sparse.devices import Products, Spikes, products_on
from spikelab.kernels.sparse.support import Support, support_of
from spikelab.kernels.sparse.window import Window


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, spikes: Spikes, products: Products,
        support: Support | None,
    ) -> Tensor:  # fmt: skip
        # the spikes take a 32th of the memory of x, which may go
        ctx.spikes, ctx.products, ctx.biased, ctx.support = spikes, products, bias is not None, support
        ctx.save_for_backward(weight)
        return products.spike_product(spikes, weight, bias).view(*x.shape[:-1], len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        (weight,) = ctx.saved_tensors
        wanted_x, wanted_weight, wanted_bias = ctx.needs_input_grad[:3]
        products, grad_x = ctx.products, None
        if wanted_x:
            rows, (outputs, inputs) = grad.numel() // grad.shape[-1], weight.shape
            wanted = _wanted(
                ctx.support, products, rows * inputs,
                lambda count: products.linear_input_cost(rows, inputs, outputs, count, grad.dtype),
            )  # fmt: skip
            if wanted is None:
                grad_x = grad @ weight
            else:
                grad_x = products.linear_input_gradient(wanted, weight, grad.reshape(rows, outputs))
                grad_x = grad_x.view(*grad.shape[:-1], inputs)
        if not (wanted_weight or wanted_bias):
            return grad_x, None, None, None, None, None
        grad_weight, grad_bias = products.weight_gradient(ctx.spikes, grad.reshape(-1, grad.shape[-1]))
        return grad_x, grad_weight, grad_bias if ctx.biased else None, None, None, None


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, spikes: Spikes, products: Products, window: Window,
        support: Support | None,
    ) -> Tensor:  # fmt: skip
        ctx.spikes, ctx.products, ctx.window, ctx.biased = spikes, products, window, bias is not None
        ctx.support = support
        ctx.save_for_backward(weight)
        return products.spike_convolution(spikes, window, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        (weight,) = ctx.saved_tensors
        wanted_x, wanted_weight, wanted_bias = ctx.needs_input_grad[:3]
        window, products, grad_x = ctx.window, ctx.products, None
        if wanted_x:
            shape = (len(grad), window.channels, window.height, window.width)
            wanted = _wanted(
                ctx.support, products, math.prod(shape),
                lambda count: products.convolution_input_cost(len(grad), window, count, grad.dtype),
            )  # fmt: skip
            if wanted is None:
                grad_x = conv2d_input(shape, weight, grad, window.stride, window.padding)
            else:
                grad_x = products.convolution_input_gradient(wanted, window, weight, grad)
        if not (wanted_weight or wanted_bias):
            return grad_x, None, None, None, None, None, None
        grad_weight, grad_bias = products.convolution_weight_gradient(ctx.spikes, window, grad)
        return grad_x, grad_weight, grad_bias if ctx.biased else None, None, None, None, None


def _wanted(
    support: Support | None, products: Products, elements: int, cost: Callable[[float], tuple[float, float]]
) -> Spikes | None:
    """The elements of which the gradient matters, where computing those alone is estimated to be faster."""
    # it costs a pass over the neurons to know how many there are
    if support is None or not choice.is_worth(cost(0.0)[0] + elements * products.SUPPORT_FOUND, cost(0.0)[1]):
        return None
    wanted: Spikes = products.list_spikes(support.flags())
    return wanted if choice.is_worth(*cost(wanted.count)) else None


def _products_for(x: Tensor, weight: Tensor, wish: str, name: Callable[[], str]) -> Products | None:
    """Those that may be sparse; None where they are dense in any case."""
    if wish == "dense" or not x.numel():
        return None
    reason = choice.only_dense(x, weight)
    products = None if reason else products_on(x)
    if products is None and wish == "sparse":
        choice.tell_only_dense(name, reason or f"none for {x.dtype} on {x.device} here")
    return products


def _list_if_worth(
    x: Tensor, weight: Tensor, wish: str, products: Products, cost: Callable[[float], tuple[float, float]],
    name: Callable[[], str],
) -> Spikes | None:  # fmt: skip
    """The spikes of x [rows, ...] if the sparse path is taken, else None."""

    def is_worth(count: float) -> bool:
        sparse, dense = cost(count)
        # also where gradients are off: a pass that is run again for its gradients must take the same path, to the bit
        return choice.is_worth(sparse, dense * products.DENSE_LEARNING if weight.requires_grad else dense)

    if wish == "auto":
        if not is_worth(0):
            return None  # too small, whatever the density
        sampled = choice.sampled_density(x) if products.SAMPLED else 0.0
        # a sample is rough; what it promises is counted before it is believed
        if not is_worth(choice.least_likely(sampled) * x.numel()):
            choice.tell(name(), wish, sampled, False)
            return None
    spikes: Spikes = products.list_spikes(x)
    sparse = wish == "sparse" or is_worth(spikes.count)
    choice.tell(name(), wish, spikes.density, sparse)
    return spikes if sparse else None


def linear(x: Tensor, weight: Tensor, bias: Tensor | None, products: str = "auto") -> Tensor:
    """``torch.nn.functional.linear``: x [..., K], weight [N, K], bias [N] to [..., N], its cost by the spikes.

    Args:
        x: what comes in; any values, mostly zero where the sparse path is to pay.
        weight: of the layer.
        bias: of the layer, or None.
        products: "sparse", "dense", or "auto" for what is estimated to be faster at the density of x.
    """
    wish = choice.asked(products)
    outputs, inputs = weight.shape
    rows = x.numel() // max(1, inputs)

    def name() -> str:
        return f"linear layer {inputs} -> {outputs} on {rows} rows"

    sparse = _products_for(x, weight, wish, name)
    if sparse is None:
        return functional.linear(x, weight, bias)
    spikes = _list_if_worth(
        x.reshape(rows, inputs), weight, wish, sparse,
        lambda count: sparse.linear_cost(rows, inputs, outputs, count, x.dtype), name,
    )  # fmt: skip
    if spikes is None:
        return functional.linear(x, weight, bias)
    out: Tensor = _Linear.apply(x, weight, bias, spikes, sparse, support_of(x))
    return out


def convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, int], padding: tuple[int, int],
    products: str = "auto",
) -> Tensor:  # fmt: skip
    """``torch.nn.functional.conv2d`` without groups and dilation: x [n, C, H, W] to [n, O, H', W'], by the spikes.

    Args:
        x: what comes in.
        weight: [O, C, kh, kw].
        bias: [O], or None.
        stride: down and across.
        padding: zeros above and below, left and right.
        products: as for ``linear``.
    """
    wish = choice.asked(products)

    def name() -> str:
        return f"convolution {list(weight.shape)} on {list(x.shape)}"

    sparse = _products_for(x, weight, wish, name)
    if sparse is not None:
        outputs, channels, kh, kw = weight.shape
        window = Window(channels, x.shape[-2], x.shape[-1], outputs, (kh, kw), stride, padding)
        spikes = None
        if min(window.out_size) >= 1 and x.shape[1] == channels:
            spikes = _list_if_worth(
                x, weight, wish, sparse, lambda count: sparse.convolution_cost(len(x), window, count, x.dtype), name
            )
        if spikes is not None:
            out: Tensor = _Convolution.apply(x, weight, bias, spikes, sparse, window, support_of(x))
            return out
    return functional.conv2d(x, weight, bias, stride, padding)

"""The neuron as one torch operator, with fused kernels behind it.

``spikelab::neuron_forward`` and ``spikelab::neuron_backward`` are registered with ``torch.library``, so that
``torch.compile`` traces through them without a graph break. They work on flat neurons: [T, M] with M = batch × neurons.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor

from spikelab.kernels.buffers import filled, pool
from spikelab.kernels.numba_cpu import Kernel, kernel
from spikelab.neurons.step import StepOptions, build_step


@lru_cache(maxsize=512)
def _from_key(key: str) -> tuple[StepOptions, tuple[bool, ...]]:
    """The inverse of ``Packed.key``: an operator's arguments must be plain values."""
    shared, _, options = key.partition("|")
    return StepOptions.from_key(options), tuple(flag == "s" for flag in shared)


@lru_cache(maxsize=512)
def _find(key: str, dtype: torch.dtype) -> Kernel:
    options, shared = _from_key(key)
    return kernel(options, shared, dtype)


def _array(tensor: Tensor) -> Any:
    return tensor.detach().numpy() if tensor.requires_grad else tensor.numpy()


def _segments(steps: int, segment: int) -> int:
    return -(-steps // segment) if segment else 0


def _forward(
    x: Tensor, state: Tensor, shared: Tensor, per_neuron: Tensor, key: str, segment: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    compiled = _find(key, x.dtype)
    x, state, shared, per_neuron = (t.contiguous() for t in (x, state, shared, per_neuron))
    steps, size = x.shape
    recorded = len(compiled.step.outputs) - 1
    out = pool.empty((steps, size), x.dtype)
    records = pool.empty((recorded, steps, size), x.dtype)
    final = torch.empty_like(state)
    checkpoints = pool.empty((_segments(steps, segment), len(state), size), x.dtype)
    compiled.run_forward(
        *map(_array, (x, state, shared, per_neuron, out, records, final, checkpoints)),
        segment=segment,
        size=size,
        steps=steps,
        threads=torch.get_num_threads(),
    )
    return out, records, final, checkpoints


def _backward(
    x: Tensor,
    checkpoints: Tensor,
    shared: Tensor,
    per_neuron: Tensor,
    grad_out: Tensor,
    grad_records: Tensor,
    grad_final: Tensor,
    key: str,
    segment: int,
    coefficient_gradients: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    compiled = _find(key, x.dtype)
    arrays = [t.contiguous() for t in (x, checkpoints, shared, per_neuron, grad_out, grad_records, grad_final)]
    steps, size = x.shape
    grad_x = pool.empty((steps, size), x.dtype)
    grad_state = torch.empty_like(arrays[-1])
    count = len(compiled.step.coefficients) if coefficient_gradients else 0
    grad_coefficients = torch.empty((count, size), dtype=x.dtype)
    compiled.run_backward(
        *map(_array, (*arrays, grad_x, grad_state, grad_coefficients)),
        coefficient_gradients=coefficient_gradients,
        segment=segment,
        size=size,
        steps=steps,
        threads=torch.get_num_threads(),
    )
    return grad_x, grad_state, grad_coefficients


neuron_forward = torch.library.custom_op("spikelab::neuron_forward", _forward, mutates_args=(), device_types="cpu")
neuron_backward = torch.library.custom_op("spikelab::neuron_backward", _backward, mutates_args=(), device_types="cpu")


@neuron_forward.register_fake
def _(x: Tensor, state: Tensor, shared: Tensor, per_neuron: Tensor, key: str, segment: int) -> Any:
    steps, size = x.shape
    recorded = len(build_step(_from_key(key)[0]).outputs) - 1
    return (
        x.new_empty((steps, size)),
        x.new_empty((recorded, steps, size)),
        torch.empty_like(state, memory_format=torch.contiguous_format),
        x.new_empty((_segments(steps, segment), state.shape[0], size)),
    )


@neuron_backward.register_fake
def _(
    x: Tensor,
    checkpoints: Tensor,
    shared: Tensor,
    per_neuron: Tensor,
    grad_out: Tensor,
    grad_records: Tensor,
    grad_final: Tensor,
    key: str,
    segment: int,
    coefficient_gradients: bool,
) -> Any:
    count = len(build_step(_from_key(key)[0]).coefficients) if coefficient_gradients else 0
    return (
        x.new_empty(x.shape),
        torch.empty_like(grad_final, memory_format=torch.contiguous_format),
        x.new_empty((count, x.shape[1])),
    )


def _setup_context(ctx: Any, inputs: Any, output: Any) -> None:
    x, state, shared, per_neuron, key, segment = inputs
    ctx.key, ctx.segment = key, segment
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(x, output[3], shared, per_neuron, state)


def _zeros(call: Any, shape: tuple[int, ...], like: Tensor) -> Tensor:
    return filled(shape, 0.0, like.dtype) if call is _backward else like.new_zeros(shape)


def _differentiate(call: Any, ctx: Any, grad_out: Any, grad_records: Any, grad_final: Any, _: Any) -> Any:
    x, checkpoints, shared, per_neuron, state = ctx.saved_tensors
    if not ctx.segment:
        raise RuntimeError("the forward pass kept no checkpoints; run it with gradients enabled")
    records = len(build_step(_from_key(ctx.key)[0]).outputs) - 1
    grad_out = _zeros(call, x.shape, x) if grad_out is None else grad_out
    grad_records = _zeros(call, (records, *x.shape), x) if grad_records is None else grad_records
    grad_final = _zeros(call, state.shape, state) if grad_final is None else grad_final
    wanted = ctx.needs_input_grad[2] or ctx.needs_input_grad[3]
    grad_x, grad_state, by_neuron = call(
        x, checkpoints, shared, per_neuron, grad_out, grad_records, grad_final, ctx.key, ctx.segment, wanted
    )
    grad_shared = grad_per_neuron = None
    if wanted:
        is_shared = torch.tensor(_from_key(ctx.key)[1], dtype=torch.bool)
        # thousands of small terms: summed in double precision, rounded once
        grad_shared = by_neuron[is_shared].sum(1, dtype=torch.float64).to(x.dtype)
        grad_per_neuron = by_neuron[~is_shared]
    return grad_x, grad_state, grad_shared, grad_per_neuron, None, None


neuron_forward.register_autograd(partial(_differentiate, neuron_backward), setup_context=_setup_context)


class EagerNeuron(torch.autograd.Function):
    """The same pair without torch.library's dispatch, which costs as much as a small layer's kernel."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        """As ``neuron_forward``."""
        output = _forward(*inputs)
        ctx.mark_non_differentiable(output[3])
        _setup_context(ctx, inputs, output)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """As the registered derivative."""
        return _differentiate(_backward, ctx, *gradients)

"""The neuron as one torch operator, with fused kernels behind it.

``spikelab::neuron_forward`` and ``spikelab::neuron_backward`` are registered with ``torch.library``, so that
``torch.compile`` traces through them without a graph break. x and every recorded value are [T, B, ...], a state is
[B, ...], coefficients are numbers [S] or spread over the M = batch × neurons flat neurons [P, M].
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from spikelab.kernels.buffers import pool
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


def _shape_of(key: str) -> tuple[int, int]:
    """(number of recorded values, number of coefficients) of the step behind a key."""
    step = build_step(_from_key(key)[0])
    return len(step.outputs) - 1, len(step.coefficients)


def _segments(steps: int, segment: int) -> int:
    return -(-steps // segment) if segment else 0


def _forward(
    x: Tensor, state: Sequence[Tensor], shared: Tensor, per_neuron: Tensor, key: str, segment: int
) -> tuple[Tensor, list[Tensor], list[Tensor], Tensor]:
    compiled = _find(key, x.dtype)
    x, shared, per_neuron = x.contiguous(), shared.contiguous(), per_neuron.contiguous()
    state = [s.contiguous() for s in state]
    out = pool.empty(x.shape, x.dtype)
    records = [pool.empty(x.shape, x.dtype) for _ in compiled.step.outputs[1:]]
    final = [torch.empty_like(s) for s in state]
    checkpoints = pool.empty((_segments(x.shape[0], segment), len(state), *x.shape[1:]), x.dtype)
    compiled.run_forward(x, state, shared, per_neuron, out, records, final, checkpoints, segment)
    return out, records, final, checkpoints


def _backward(
    x: Tensor,
    checkpoints: Tensor,
    shared: Tensor,
    per_neuron: Tensor,
    grad_out: Tensor,
    grad_records: Sequence[Tensor],
    grad_final: Sequence[Tensor],
    key: str,
    segment: int,
    coefficient_gradients: bool,
) -> tuple[Tensor, list[Tensor], Tensor]:
    compiled = _find(key, x.dtype)
    x, checkpoints, shared, per_neuron, grad_out = (
        t.contiguous() for t in (x, checkpoints, shared, per_neuron, grad_out)
    )
    grad_records, grad_final = [g.contiguous() for g in grad_records], [g.contiguous() for g in grad_final]
    grad_x = pool.empty(x.shape, x.dtype)
    grad_state = [torch.empty_like(g) for g in grad_final]
    count = len(compiled.step.coefficients) if coefficient_gradients else 0
    grad_coefficients = torch.empty((count, per_neuron.shape[1]), dtype=x.dtype)
    compiled.run_backward(
        *(x, checkpoints, shared, per_neuron, grad_out, grad_records, grad_final),
        *(grad_x, grad_state, grad_coefficients, segment),
    )
    return grad_x, grad_state, grad_coefficients


neuron_forward = torch.library.custom_op("spikelab::neuron_forward", _forward, mutates_args=(), device_types="cpu")
neuron_backward = torch.library.custom_op("spikelab::neuron_backward", _backward, mutates_args=(), device_types="cpu")


@neuron_forward.register_fake
def _(x: Tensor, state: Sequence[Tensor], shared: Tensor, per_neuron: Tensor, key: str, segment: int) -> Any:
    return (
        x.new_empty(x.shape),
        [x.new_empty(x.shape) for _ in range(_shape_of(key)[0])],
        [x.new_empty(s.shape) for s in state],
        x.new_empty((_segments(x.shape[0], segment), len(state), *x.shape[1:])),
    )


@neuron_backward.register_fake
def _(
    x: Tensor,
    checkpoints: Tensor,
    shared: Tensor,
    per_neuron: Tensor,
    grad_out: Tensor,
    grad_records: Sequence[Tensor],
    grad_final: Sequence[Tensor],
    key: str,
    segment: int,
    coefficient_gradients: bool,
) -> Any:
    count = _shape_of(key)[1] if coefficient_gradients else 0
    return (
        x.new_empty(x.shape),
        [x.new_empty(g.shape) for g in grad_final],
        x.new_empty((count, per_neuron.shape[1])),
    )


def _setup_context(ctx: Any, inputs: Any, output: Any) -> None:
    x, _, shared, per_neuron, ctx.key, ctx.segment = inputs
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(x, output[3], shared, per_neuron)


def _differentiate(
    call: Any, ctx: Any, wanted: bool, grad_out: Any, grad_records: Sequence[Any], grad_final: Sequence[Any]
) -> Any:
    x, checkpoints, shared, per_neuron = ctx.saved_tensors
    if not ctx.segment:
        raise RuntimeError("the forward pass kept no checkpoints; run it with gradients enabled")
    grad_out = x.new_zeros(x.shape) if grad_out is None else grad_out
    grad_records = [x.new_zeros(x.shape) if g is None else g for g in grad_records]
    grad_final = [x.new_zeros(x.shape[1:]) if g is None else g for g in grad_final]
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


def _differentiate_operator(ctx: Any, grad_out: Any, grad_records: Any, grad_final: Any, _: Any) -> Any:
    wanted = ctx.needs_input_grad[2] or ctx.needs_input_grad[3]
    return _differentiate(neuron_backward, ctx, wanted, grad_out, grad_records, grad_final)


neuron_forward.register_autograd(_differentiate_operator, setup_context=_setup_context)


class _EagerNeuron(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, shared: Tensor, per_neuron: Tensor, key: str, segment: int, *state: Tensor) -> Any:
        output = out, records, final, checkpoints = _forward(x, state, shared, per_neuron, key, segment)
        ctx.mark_non_differentiable(checkpoints)
        ctx.records = len(records)
        _setup_context(ctx, (x, state, shared, per_neuron, key, segment), output)
        return out, checkpoints, *records, *final

    @staticmethod
    def backward(ctx: Any, grad_out: Any, _: Any, *gradients: Any) -> Any:
        wanted = ctx.needs_input_grad[1] or ctx.needs_input_grad[2]
        records, final = gradients[: ctx.records], gradients[ctx.records :]
        grad_x, grad_state, *rest = _differentiate(_backward, ctx, wanted, grad_out, records, final)
        return grad_x, *rest, *grad_state


def neuron_eager(
    x: Tensor, state: Sequence[Tensor], shared: Tensor, per_neuron: Tensor, key: str, segment: int
) -> tuple[Tensor, Sequence[Tensor], Sequence[Tensor], Tensor]:
    """As ``neuron_forward``, without torch.library's dispatch, which costs as much as a small layer's kernel."""
    out, checkpoints, *rest = _EagerNeuron.apply(x, shared, per_neuron, key, segment, *state)
    records = len(rest) - len(state)
    return out, rest[:records], rest[records:], checkpoints

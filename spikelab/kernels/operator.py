"""The neuron as one torch operator, with fused kernels behind it.

``spikelab::neuron_forward`` and ``spikelab::neuron_backward`` are registered with ``torch.library``, so that
``torch.compile`` traces through them without a graph break. x and every recorded value are [T, B, ...], a state is
[B, ...], coefficients are numbers [S] or spread over the M = batch × neurons flat neurons [P, M].

Back end "numba" works on the CPU; "triton" on CUDA devices, and on the CPU in Triton's interpreter. What a forward pass
keeps is a number: for "numba" the steps from one kept state to the next, for "triton" a ``keep.Keep``; 0 keeps nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from spikelab.kernels.buffers import pool
from spikelab.kernels.numba_cpu import Kernel, kernel
from spikelab.neurons.step import StepOptions, build_step

if TYPE_CHECKING:
    from spikelab.kernels import triton_cuda

_DEVICES = ("cpu", "cuda")


@lru_cache(maxsize=512)
def _from_key(key: str) -> tuple[StepOptions, tuple[bool, ...]]:
    """The inverse of ``Packed.key``: an operator's arguments must be plain values."""
    shared, _, options = key.partition("|")
    return StepOptions.from_key(options), tuple(flag == "s" for flag in shared)


@lru_cache(maxsize=512)
def _find(key: str, dtype: torch.dtype) -> Kernel:
    options, shared = _from_key(key)
    return kernel(options, shared, dtype)


@lru_cache(maxsize=512)
def _find_triton(key: str, dtype: torch.dtype) -> triton_cuda.Kernel:
    # Triton is an extra, and takes long to import
    from spikelab.kernels.triton_cuda import kernel as triton_kernel

    options, shared = _from_key(key)
    return triton_kernel(options, shared, dtype)


def _segments(steps: int, segment: int) -> int:
    return -(-steps // segment) if segment else 0


def _forward(
    x: Tensor, state: Sequence[Tensor], shared: Tensor, per_neuron: Tensor, key: str, backend: str, keep: int
) -> tuple[Tensor, list[Tensor], list[Tensor], list[Tensor]]:
    if backend == "triton":
        return _find_triton(key, x.dtype).forward(x, state, shared, per_neuron, keep)
    compiled = _find(key, x.dtype)
    x, shared, per_neuron = x.contiguous(), shared.contiguous(), per_neuron.contiguous()
    state = [s.contiguous() for s in state]
    out = pool.empty(x.shape, x.dtype)
    records = [pool.empty(x.shape, x.dtype) for _ in compiled.step.outputs[1:]]
    final = [torch.empty_like(s) for s in state]
    checkpoints = pool.empty((_segments(x.shape[0], keep), len(state), *x.shape[1:]), x.dtype)
    compiled.run_forward(x, state, shared, per_neuron, out, records, final, checkpoints, keep)
    return out, records, final, [checkpoints]


def _backward_eager(
    saved: Sequence[Tensor],
    shared: Tensor,
    per_neuron: Tensor,
    grad_out: Tensor,
    grad_records: Sequence[Tensor],
    grad_final: Sequence[Tensor],
    key: str,
    backend: str,
    keep: int,
    coefficient_gradients: bool,
) -> tuple[Tensor, list[Tensor], Tensor | None, Tensor | None]:
    if backend == "triton":
        return _find_triton(key, grad_out.dtype).backward(
            saved, shared, per_neuron, grad_out, grad_records, grad_final, keep, coefficient_gradients
        )
    compiled = _find(key, grad_out.dtype)
    x, checkpoints, shared, per_neuron, grad_out = (t.contiguous() for t in (*saved, shared, per_neuron, grad_out))
    grad_records, grad_final = [g.contiguous() for g in grad_records], [g.contiguous() for g in grad_final]
    grad_x = pool.empty(x.shape, x.dtype)
    grad_state = [torch.empty_like(g) for g in grad_final]
    count = len(compiled.step.coefficients) if coefficient_gradients else 0
    by_neuron = torch.empty((count, per_neuron.shape[1]), dtype=x.dtype)
    compiled.run_backward(
        *(x, checkpoints, shared, per_neuron, grad_out, grad_records, grad_final),
        *(grad_x, grad_state, by_neuron, keep),
    )
    if not count:
        return grad_x, grad_state, None, None
    is_shared = torch.tensor(compiled.shared[:count], dtype=torch.bool)
    # thousands of small terms: summed in double precision, rounded once
    return grad_x, grad_state, by_neuron[is_shared].sum(1, dtype=torch.float64).to(x.dtype), by_neuron[~is_shared]


def _backward(
    saved: Sequence[Tensor],
    shared: Tensor,
    per_neuron: Tensor,
    grad_out: Tensor,
    grad_records: Sequence[Tensor],
    grad_final: Sequence[Tensor],
    key: str,
    backend: str,
    keep: int,
    coefficient_gradients: bool,
) -> tuple[Tensor, list[Tensor], Tensor, Tensor]:
    """As ``_backward_eager``, with empty tensors for no gradients: an operator always gives tensors."""
    grad_x, grad_state, grad_shared, grad_per_neuron = _backward_eager(
        saved, shared, per_neuron, grad_out, grad_records, grad_final, key, backend, keep, coefficient_gradients
    )
    if grad_shared is None or grad_per_neuron is None:
        grad_shared, grad_per_neuron = shared.new_empty(0), per_neuron.new_empty((0, per_neuron.shape[1]))
    return grad_x, grad_state, grad_shared, grad_per_neuron


neuron_forward = torch.library.custom_op("spikelab::neuron_forward", _forward, mutates_args=(), device_types=_DEVICES)
neuron_backward = torch.library.custom_op(
    "spikelab::neuron_backward", _backward, mutates_args=(), device_types=_DEVICES
)


@neuron_forward.register_fake
def _(
    x: Tensor, state: Sequence[Tensor], shared: Tensor, per_neuron: Tensor, key: str, backend: str, keep: int
) -> tuple[Tensor, list[Tensor], list[Tensor], list[Tensor]]:
    if backend == "triton":
        return _find_triton(key, x.dtype).results(x, keep)
    return (
        x.new_empty(x.shape),
        [x.new_empty(x.shape) for _ in build_step(_from_key(key)[0]).outputs[1:]],
        [x.new_empty(s.shape) for s in state],
        [x.new_empty((_segments(x.shape[0], keep), len(state), *x.shape[1:]))],
    )


@neuron_backward.register_fake
def _(
    saved: Sequence[Tensor],
    shared: Tensor,
    per_neuron: Tensor,
    grad_out: Tensor,
    grad_records: Sequence[Tensor],
    grad_final: Sequence[Tensor],
    key: str,
    backend: str,
    keep: int,
    coefficient_gradients: bool,
) -> tuple[Tensor, list[Tensor], Tensor, Tensor]:
    if backend == "triton":
        found = _find_triton(key, grad_out.dtype)
        grad_x, grad_state = found.gradients(saved, grad_out, grad_final)
    else:
        grad_x, grad_state = grad_out.new_empty(grad_out.shape), [g.new_empty(g.shape) for g in grad_final]
    numbers, rows = (len(shared), len(per_neuron)) if coefficient_gradients else (0, 0)
    return grad_x, grad_state, shared.new_empty(numbers), per_neuron.new_empty((rows, per_neuron.shape[1]))


def _setup_context(ctx: Any, inputs: Any, output: Any) -> None:
    x, state, shared, per_neuron, ctx.key, ctx.backend, ctx.keep = inputs
    out, records, _, kept = output
    ctx.set_materialize_grads(False)
    ctx.shape, ctx.dtype, ctx.states, ctx.records = x.shape, x.dtype, len(state), len(records)
    saved = [x, *kept]
    if ctx.backend == "triton":
        saved = _find_triton(ctx.key, x.dtype).saved(x, out, kept, ctx.keep)
    ctx.save_for_backward(shared, per_neuron, *saved)


def _differentiate(
    call: Any, ctx: Any, wanted: bool, grad_out: Any, grad_records: Sequence[Any], grad_final: Sequence[Any]
) -> Any:
    shared, per_neuron, *saved = ctx.saved_tensors
    if not ctx.keep:
        raise RuntimeError("the forward pass kept nothing; run it with gradients enabled")

    if grad_out is None:
        grad_out = shared.new_zeros((), dtype=ctx.dtype).expand(ctx.shape)
    if any(g is None for g in (*grad_records, *grad_final)):
        # one number, seen as many: there is nothing to fill and nothing to read
        zero = shared.new_zeros(())
        grad_records = [zero.expand(ctx.shape) if g is None else g for g in grad_records]
        grad_final = [zero.expand(ctx.shape[1:]) if g is None else g for g in grad_final]
    grad_x, grad_state, grad_shared, grad_per_neuron = call(
        saved, shared, per_neuron, grad_out, grad_records, grad_final, ctx.key, ctx.backend, ctx.keep, wanted
    )
    return grad_x, grad_state, grad_shared if wanted else None, grad_per_neuron if wanted else None


def _differentiate_operator(ctx: Any, grad_out: Any, grad_records: Any, grad_final: Any, _: Any) -> Any:
    wanted = ctx.needs_input_grad[2] or ctx.needs_input_grad[3]
    return *_differentiate(neuron_backward, ctx, wanted, grad_out, grad_records, grad_final), None, None, None


neuron_forward.register_autograd(_differentiate_operator, setup_context=_setup_context)


class _EagerNeuron(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, shared: Tensor, per_neuron: Tensor, key: str, backend: str, keep: int, *state: Tensor
    ) -> Any:
        output = out, records, final, _ = _forward(x, state, shared, per_neuron, key, backend, keep)
        _setup_context(ctx, (x, state, shared, per_neuron, key, backend, keep), output)
        return out, *records, *final

    @staticmethod
    def backward(ctx: Any, grad_out: Any, *gradients: Any) -> Any:
        wanted = ctx.needs_input_grad[1] or ctx.needs_input_grad[2]
        records, final = gradients[: ctx.records], gradients[ctx.records :]
        grad_x, grad_state, *rest = _differentiate(_backward_eager, ctx, wanted, grad_out, records, final)
        return grad_x, *rest, None, None, None, *grad_state


def neuron_eager(
    x: Tensor, state: Sequence[Tensor], shared: Tensor, per_neuron: Tensor, key: str, backend: str, keep: int
) -> tuple[Tensor, Sequence[Tensor], Sequence[Tensor]]:
    """As ``neuron_forward``, without torch.library's dispatch, which costs as much as a small layer's kernel."""
    if not keep:
        return _forward(x, state, shared, per_neuron, key, backend, keep)[:3]
    out, *rest = _EagerNeuron.apply(x, shared, per_neuron, key, backend, keep, *state)
    records = len(rest) - len(state)
    return out, rest[:records], rest[records:]

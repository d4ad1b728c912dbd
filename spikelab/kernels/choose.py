"""Runs a neuron over time on the back end that was asked for."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from spikelab.kernels import reference
from spikelab.kernels.operator import EagerNeuron, kernel_key, neuron_forward
from spikelab.neurons.step import Step

logger = logging.getLogger("spikelab.kernels")

BACKENDS = ("auto", "reference", "numba")
#: Steps between two kept states. Sixteen states of a block fill half the first-level cache.
SEGMENT_KEEP = 16
SEGMENT_RECOMPUTE = 64
_said: set[tuple[str, str]] = set()


def choose_backend(backend: str, device: torch.device) -> str:
    """The back end for a device: the one asked for, or under "auto" the fastest there is. Logged once each.

    Raises:
        ValueError: if the back end is unknown or cannot run on the device.
    """
    if backend not in BACKENDS:
        raise ValueError(f"unknown back end {backend!r}; known are {', '.join(BACKENDS)}")
    chosen = backend
    if backend == "auto":
        chosen = "numba" if device.type == "cpu" else "reference"
    if chosen == "numba" and device.type != "cpu":
        raise ValueError(f"back end 'numba' runs on the CPU, the input is on {device}; use 'reference' or 'auto'")
    if (chosen, device.type) not in _said:
        _said.add((chosen, device.type))
        logger.info("neurons on %s run on the %s back end", device.type, chosen)
    return chosen


def run_neuron(
    step: Step,
    x: Tensor,
    state: Sequence[Tensor],
    coefficients: Sequence[Tensor],
    backend: str = "auto",
    recompute: bool = False,
) -> tuple[list[Tensor], list[Tensor]]:
    """Runs a neuron over a whole sequence.

    Args:
        step: the neuron's step.
        x: input [T, B, ...]; float32 or float64.
        state: one tensor [B, ...] a state, in the order of ``step.states``.
        coefficients: one tensor a coefficient, broadcastable to [...].
        backend: "auto", "reference" or "numba".
        recompute: keep fewer states for the backward pass and compute more of them again.

    Returns:
        outputs, each [T, B, ...], in the order of ``step.outputs``; the states after the last step.
    """
    coefficients = [c.to(dtype=x.dtype, device=x.device) for c in coefficients]
    if choose_backend(backend, x.device) == "reference":
        return reference.run(step, x, state, coefficients)
    steps, shape = x.shape[0], x.shape[1:]
    size = shape.numel()
    is_shared = tuple(c.numel() == 1 for c in coefficients)
    shared = [c.reshape(()) for c, s in zip(coefficients, is_shared, strict=True) if s]
    per_neuron = [c.expand(shape).reshape(size) for c, s in zip(coefficients, is_shared, strict=True) if not s]
    flat_shared = torch.stack(shared) if shared else x.new_empty(0)
    flat_per_neuron = torch.stack(per_neuron) if per_neuron else x.new_empty((0, size))
    flat_state = torch.stack([s.reshape(size) for s in state])
    inputs = (x.reshape(steps, size), flat_state, flat_shared, flat_per_neuron)
    differentiable = torch.is_grad_enabled() and any(t.requires_grad for t in inputs)
    segment = (SEGMENT_RECOMPUTE if recompute else SEGMENT_KEEP) if differentiable else 0
    call = neuron_forward if torch.compiler.is_compiling() else EagerNeuron.apply
    out, records, final, _ = call(*inputs, kernel_key(step.options, is_shared), segment)
    outputs = [out.view(x.shape), *(r.view(x.shape) for r in records)]
    return outputs, [f.view(shape) for f in final]

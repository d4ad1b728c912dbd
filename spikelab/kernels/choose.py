"""Runs a neuron over time on the back end that was asked for."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spikelab.kernels import reference
from spikelab.kernels.operator import neuron_eager, neuron_forward
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
    # a compiler cannot trace a logger, and the choice is the same each time
    if not torch.compiler.is_compiling() and (chosen, device.type) not in _said:
        _said.add((chosen, device.type))
        logger.info("neurons on %s run on the %s back end", device.type, chosen)
    return chosen


@dataclass(frozen=True)
class Packed:
    """A step's coefficients, laid out for the kernels.

    Attributes:
        key: one letter a coefficient (s: one number for all, n: one for each neuron), "|", and the step's options.
        shared: the numbers for all neurons [S].
        per_neuron: those for each, spread over batch and neurons [P, M].
    """

    key: str
    shared: Tensor
    per_neuron: Tensor

    def unpack(self, shape: torch.Size) -> list[Tensor]:
        """One tensor a coefficient, in order, each a number or [B, ...]."""
        shared, per_neuron = iter(self.shared.unbind()), iter(self.per_neuron.unbind())
        flags = self.key.partition("|")[0]
        return [next(shared) if flag == "s" else next(per_neuron).view(shape) for flag in flags]


def pack(options_key: str, coefficients: Sequence[Tensor], x: Tensor) -> Packed:
    """Lays coefficients out for input x [T, B, ...]; each must be a number or broadcast to [...]."""
    shape, size = x.shape[1:], x.shape[1:].numel()
    coefficients = [c.to(dtype=x.dtype, device=x.device) for c in coefficients]
    flags = ["s" if c.numel() == 1 else "n" for c in coefficients]
    shared = [c.reshape(()) for c, flag in zip(coefficients, flags, strict=True) if flag == "s"]
    per_neuron = [c.expand(shape).reshape(size) for c, flag in zip(coefficients, flags, strict=True) if flag == "n"]
    return Packed(
        "".join(flags) + "|" + options_key,
        torch.stack(shared) if shared else x.new_empty(0),
        torch.stack(per_neuron) if per_neuron else x.new_empty((0, size)),
    )


def run_neuron(
    step: Step,
    x: Tensor,
    state: Sequence[Tensor],
    coefficients: Packed,
    backend: str = "auto",
    recompute: bool = False,
) -> tuple[list[Tensor], list[Tensor]]:
    """Runs a neuron over a whole sequence.

    Args:
        step: the neuron's step.
        x: input [T, B, ...]; float32 or float64.
        state: one tensor [B, ...] a state, in the order of ``step.states``.
        coefficients: as laid out by ``pack`` for this step and input.
        backend: "auto", "reference" or "numba".
        recompute: keep fewer states for the backward pass and compute more of them again.

    Returns:
        outputs, each [T, B, ...], in the order of ``step.outputs``; the states after the last step.
    """
    if choose_backend(backend, x.device) == "reference":
        options_key = coefficients.key.partition("|")[2]
        return reference.run(step, x, state, coefficients.unpack(x.shape[1:]), options_key)
    shared, per_neuron = coefficients.shared, coefficients.per_neuron
    differentiable = torch.is_grad_enabled() and any(t.requires_grad for t in (x, shared, per_neuron, *state))
    segment = (SEGMENT_RECOMPUTE if recompute else SEGMENT_KEEP) if differentiable else 0
    call = neuron_forward if torch.compiler.is_compiling() else neuron_eager
    out, records, final, _ = call(x, state, shared, per_neuron, coefficients.key, segment)
    return [out, *records], list(final)

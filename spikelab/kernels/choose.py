"""Runs a neuron over time on the back end that was asked for."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spikelab.kernels import reference
from spikelab.kernels.keep import Keep
from spikelab.kernels.operator import neuron_eager, neuron_forward
from spikelab.neurons.step import Step

logger = logging.getLogger("spikelab.kernels")

BACKENDS = ("auto", "reference", "numba", "triton")
HAS_TRITON = importlib.util.find_spec("triton") is not None
#: Steps between two kept states.
SEGMENT_KEEP = 16
SEGMENT_RECOMPUTE = 64
#: Of long sequences fewer are kept, which costs no time that could be measured.
SEGMENT_LONG, LONG_STEPS, LONG_ELEMENTS = 32, 256, 1 << 24
#: "input": what Triton's kernels keep for the backward pass has the input's precision, if the neuron is linear between
#: its spikes; half of the bytes, for gradients that are off by the rounding of the input. "state": that of the states.
KEPT_PRECISIONS = ("input", "state")
_said: set[tuple[str, str]] = set()


def choose_backend(backend: str, device: torch.device) -> str:
    """The back end for a device: the one asked for, or under "auto" the fastest there is. Logged once each.

    Raises:
        ValueError: if the back end is unknown or cannot run on the device.
        ImportError: if it is "triton" and Triton is not installed.
    """
    if backend not in BACKENDS:
        raise ValueError(f"unknown back end {backend!r}; known are {', '.join(BACKENDS)}")
    chosen = backend
    if backend == "auto":
        chosen = "numba" if device.type == "cpu" else "triton" if device.type == "cuda" and HAS_TRITON else "reference"
    if chosen == "numba" and device.type != "cpu":
        raise ValueError(f"back end 'numba' runs on the CPU, the input is on {device}; use 'triton' or 'auto'")
    if chosen == "triton":
        _require_triton(device)
    # a compiler cannot trace a logger, and the choice is the same each time
    if not torch.compiler.is_compiling() and (chosen, device.type) not in _said:
        _said.add((chosen, device.type))
        slow = device.type == "cuda" and chosen == "reference" and backend == "auto"
        remedy = ", a slow loop, as Triton is not installed: pip install 'spikelab[cuda]'" if slow else ""
        logger.log(
            logging.WARNING if slow else logging.INFO,
            "neurons on %s run on the %s back end%s",
            *(device.type, chosen, remedy),
        )
    return chosen


def _require_triton(device: torch.device) -> None:
    if not HAS_TRITON:
        raise ImportError("back end 'triton' needs the package triton: pip install 'spikelab[cuda]'")
    if device.type == "cuda" or torch.compiler.is_compiling():
        return
    from spikelab.kernels.triton.device import INTERPRETED

    if device.type != "cpu" or not INTERPRETED:
        raise ValueError(
            f"back end 'triton' runs on CUDA devices, the input is on {device}; use 'auto', or set TRITON_INTERPRET=1 "
            "before Python starts to check kernels on the CPU, very slowly"
        )


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

    def detached(self) -> Packed:
        """Without gradients."""
        return Packed(self.key, self.shared.detach(), self.per_neuron.detach())

    def unpack(self, shape: torch.Size) -> list[Tensor]:
        """One tensor a coefficient, in order, each a number or [B, ...]."""
        shared, per_neuron = iter(self.shared.unbind()), iter(self.per_neuron.unbind())
        flags = self.key.partition("|")[0]
        return [next(shared) if flag == "s" else next(per_neuron).view(shape) for flag in flags]


def pack(options_key: str, coefficients: Sequence[Tensor], x: Tensor) -> Packed:
    """Lays coefficients out for input x [T, B, ...]; each must be a number or broadcast to [...].

    They are float64 for a float64 input, else float32: of half precision is only what goes in and comes out.
    """
    shape, size = x.shape[1:], x.shape[1:].numel()
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    coefficients = [_moved(c, dtype, x.device) for c in coefficients]
    flags = ["s" if c.numel() == 1 else "n" for c in coefficients]
    shared = [c.reshape(()) for c, flag in zip(coefficients, flags, strict=True) if flag == "s"]
    per_neuron = [c.expand(shape).reshape(size) for c, flag in zip(coefficients, flags, strict=True) if flag == "n"]
    return Packed(
        "".join(flags) + "|" + options_key,
        torch.stack(shared) if shared else x.new_empty(0, dtype=dtype),
        torch.stack(per_neuron) if per_neuron else x.new_empty((0, size), dtype=dtype),
    )


def _moved(coefficient: Tensor, dtype: torch.dtype, device: torch.device) -> Tensor:
    if coefficient.device == device or coefficient.requires_grad or coefficient.numel() > 1:
        return coefficient.to(dtype=dtype, device=device)
    if torch.compiler.is_compiling() or coefficient.device.type != "cpu":
        return coefficient.to(dtype=dtype, device=device)
    # a constant: copied from the processor's memory it would wait for the device, which no CUDA graph allows
    return torch.full((), coefficient.item(), dtype=dtype, device=device)


def run_neuron(
    step: Step,
    x: Tensor,
    state: Sequence[Tensor],
    coefficients: Packed,
    backend: str = "auto",
    recompute: bool = False,
    kept_precision: str = "input",
) -> tuple[list[Tensor], list[Tensor]]:
    """Runs a neuron over a whole sequence.

    Args:
        step: the neuron's step.
        x: input [T, B, ...]; float32 or float64, for "triton" also float16 or bfloat16.
        state: one tensor [B, ...] a state, in the order of ``step.states``; of the coefficients' dtype.
        coefficients: as laid out by ``pack`` for this step and input.
        backend: "auto", "reference", "numba" or "triton".
        recompute: keep fewer states for the backward pass and compute more of them again.
        kept_precision: of what "triton" keeps for the backward pass: "input" or "state" (see ``KEPT_PRECISIONS``).

    Returns:
        outputs, each [T, B, ...], in the order of ``step.outputs``; the states after the last step.
    """
    chosen = choose_backend(backend, x.device)
    if chosen == "reference":
        options_key = coefficients.key.partition("|")[2]
        return reference.run(step, x, state, coefficients.unpack(x.shape[1:]), options_key)
    shared, per_neuron = coefficients.shared, coefficients.per_neuron
    learned = shared.requires_grad or per_neuron.requires_grad
    differentiable = torch.is_grad_enabled() and (learned or any(t.requires_grad for t in (x, *state)))
    keep = 0
    if differentiable and chosen == "numba":
        long = x.shape[0] >= LONG_STEPS and x.numel() >= LONG_ELEMENTS
        keep = SEGMENT_RECOMPUTE if recompute else SEGMENT_LONG if long else SEGMENT_KEEP
    elif differentiable:
        keep = int(Keep.CHECKPOINTS if recompute else Keep.VALUES)
        keep += int(Keep.COEFFICIENTS) * learned + int(Keep.FULL) * (kept_precision == "state")
    call = neuron_forward if torch.compiler.is_compiling() else neuron_eager
    out, records, final, *_ = call(x, state, shared, per_neuron, coefficients.key, chosen, keep)
    return [out, *records], list(final)

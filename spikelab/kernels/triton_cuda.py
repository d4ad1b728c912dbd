"""Fused multi-step kernels for CUDA devices, generated from a neuron's step: all of time in one launch.

Input and output are float32, float16, bfloat16 or float64; states are float32, or float64 with a float64 input. Arrays
are read and written where they lie (see ``triton.layout``). In inference nothing but the results is written. A length
in time is an argument of the kernel, never a reason to compile another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import torch
from torch import Tensor

from spikelab.kernels.generated import load_generated
from spikelab.kernels.keep import Keep
from spikelab.kernels.kept import least_kept, linear_between_spikes
from spikelab.kernels.triton.arrays import steps_written_out
from spikelab.kernels.triton.dtypes import DTYPES, computed_in
from spikelab.kernels.triton.launch import Launcher
from spikelab.kernels.triton.layout import Layout, arrange
from spikelab.kernels.triton.source import Source
from spikelab.neurons.step import Step, StepOptions, build_step

#: Of a rounded value that is kept: it has the range of float32. What is small in SI units would be 0 in float16.
_ROUNDED = torch.bfloat16


@dataclass(frozen=True, eq=False)
class Kernel:
    """The kernels of a step.

    What to keep is a ``Keep`` or its number: operators take numbers, and looking flags up costs more than a launch.

    Attributes:
        step: the step.
        shared: for each coefficient, whether one number serves all neurons.
        dtype: of input and output.
    """

    step: Step
    shared: tuple[bool, ...]
    dtype: torch.dtype

    @cache  # noqa: B019 - kernels live as long as the process
    def source(self, keep: int) -> Source:
        """What the kernels are printed from."""
        keep = Keep(keep)
        dtype = str(computed_in(self.dtype)).removeprefix("torch.")
        together = steps_written_out(self.step)
        if keep & Keep.CHECKPOINTS:
            # a checkpoint before each step would be no less than all values
            return Source(self.step, self.shared, dtype, max(together, 2), checkpoints=True)
        if not keep & Keep.VALUES:
            return Source(self.step, self.shared, dtype, together)
        kept_word = self._kept_dtype(keep).itemsize
        kept = least_kept(self.step, bool(keep & Keep.COEFFICIENTS), self.dtype.itemsize, kept_word)
        return Source(self.step, self.shared, dtype, together, kept)

    @cache  # noqa: B019
    def _kept_dtype(self, keep: int) -> torch.dtype:
        exact = self.dtype.itemsize > 2 or bool(Keep(keep) & Keep.FULL) or not linear_between_spikes(self.step)
        return computed_in(self.dtype) if exact else _ROUNDED

    @cache  # noqa: B019
    def _launcher(self, direction: str, keep: int, coefficient_gradients: bool) -> Launcher:
        source = self.source(keep)
        text = source.forward() if direction == "forward" else source.backward(coefficient_gradients)
        what = f"the {direction} Triton kernel of the {self.step.spec.title.lower()}"
        function = getattr(load_generated(text, what, compiled_on_import=False), direction)
        return Launcher(function, source.held(direction, coefficient_gradients))

    def results(self, x: Tensor, keep: int) -> tuple[Tensor, list[Tensor], list[Tensor], list[Tensor]]:
        """Uninitialised output, recorded values, final states, and what is kept; all lie as x does.

        Args:
            x: input [T, B, ...].
            keep: what to keep.
        """
        dtype, source = computed_in(self.dtype), self.source(keep)
        out = torch.empty_like(x)
        records = [torch.empty_like(x, dtype=dtype) for _ in self.step.outputs[1:]]
        final = [_empty_step(x, dtype) for _ in self.step.states]
        if source.checkpoints:
            shape = (-(-x.shape[0] // source.together), *x.shape[1:])
            strides = (final[0].numel(), *final[0].stride())
            return out, records, final, [x.new_empty_strided(shape, strides, dtype=dtype) for _ in final]
        if source.kept is None:
            return out, records, final, []
        values = [torch.empty_like(x, dtype=self._kept_dtype(keep)) for _ in source.kept.values]
        return out, records, final, values + [torch.empty_like(x, dtype=torch.int8) for _ in source.kept.signs]

    def saved(self, x: Tensor, out: Tensor, kept: Sequence[Tensor], keep: int) -> list[Tensor]:
        """What the backward pass starts from: the input and output if it reads them, and what was kept."""
        return [*(x if name == "x_all_" else out for name in self.source(keep).read_again), *kept]

    def forward(
        self, x: Tensor, state: Sequence[Tensor], shared: Tensor, per_neuron: Tensor, keep: int
    ) -> tuple[Tensor, list[Tensor], list[Tensor], list[Tensor]]:
        """Runs over all of time: output, recorded values, final states, and what is kept.

        Args:
            x: input [T, B, ...].
            state: one tensor [B, ...] a state.
            shared: coefficients that are one number for all neurons [S].
            per_neuron: the others [P, M].
            keep: what to keep for the backward pass.
        """
        out, records, final, kept = self.results(x, keep)
        if final[0].numel() == 0:
            return out, records, final, kept
        sequences, states = [x, out, *records, *kept], [*state, *final]
        read = {len(sequences) + k: final[0] for k in range(len(state))} | {0: out}
        layout, arrays = arrange(1, sequences, states, read)
        spread = _in_order(per_neuron, layout, x.shape[1:])
        launcher = self._launcher("forward", keep, False)
        launcher(layout, x.shape[0], [*arrays, shared, spread], self.dtype.itemsize)
        return out, records, final, kept

    def gradients(
        self, saved: Sequence[Tensor], grad_out: Tensor, grad_final: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Uninitialised gradients of the input and the states; they lie as the input does, if any of it was saved."""
        like = grad_out if not saved or saved[0].shape != grad_out.shape else saved[0]
        grad_x = torch.empty_like(like, dtype=self.dtype)
        return grad_x, [_empty_step(grad_x, computed_in(self.dtype)) for _ in grad_final]

    def backward(
        self,
        saved: Sequence[Tensor],
        shared: Tensor,
        per_neuron: Tensor,
        grad_out: Tensor,
        grad_records: Sequence[Tensor],
        grad_final: Sequence[Tensor],
        keep: int,
        coefficient_gradients: bool,
    ) -> tuple[Tensor, list[Tensor], Tensor | None, Tensor | None]:
        """Runs back over all of time: gradients of input, states, and coefficients [S] and [P, M] if asked for."""
        grad_x, grad_state = self.gradients(saved, grad_out, grad_final)
        if grad_state[0].numel() == 0:
            nothing = (torch.zeros_like(shared), torch.zeros_like(per_neuron))
            return grad_x, grad_state, *(nothing if coefficient_gradients else (None, None))
        sequences = [*saved, grad_out, *grad_records, grad_x]
        states = [*grad_final, *grad_state]
        kept_from = len(self.source(keep).read_again)
        free = [k for k in range(len(sequences) - 1) if k < kept_from or k >= len(saved)]
        read = {len(sequences) + k: grad_state[0] for k in range(len(grad_final))}
        read |= {k: grad_x for k in reversed(free)}
        layout, arrays = arrange(len(sequences) - 1, sequences, states, read)
        launcher = self._launcher("backward", keep, coefficient_gradients)
        arguments = [*arrays, shared, _in_order(per_neuron, layout, grad_x.shape[1:])]
        if not coefficient_gradients:
            launcher(layout, grad_x.shape[0], arguments, self.dtype.itemsize)
            return grad_x, grad_state, None, None
        # a sum for each program, then over programs: in double precision, rounded once
        programs = launcher.programs(layout, self.dtype.itemsize)
        sums = torch.empty((len(shared), programs), dtype=torch.float64, device=shared.device)
        spread = torch.empty_like(per_neuron, memory_format=torch.contiguous_format)
        launcher(layout, grad_x.shape[0], [*arguments, sums, spread], self.dtype.itemsize)
        return grad_x, grad_state, sums.sum(1).to(shared.dtype), _out_of_order(spread, layout, grad_x.shape[1:])


def _empty_step(x: Tensor, dtype: torch.dtype) -> Tensor:
    """An uninitialised tensor [B, ...] that lies as a step of x [T, B, ...] does."""
    if x.is_contiguous() or x.shape[0] == 0:
        return x.new_empty(x.shape[1:], dtype=dtype)
    return torch.empty_like(x[0], dtype=dtype)


def _in_order(per_neuron: Tensor, layout: Layout, shape: Sequence[int]) -> Tensor:
    """Coefficients of each neuron [P, M] in the order in which a kernel counts neurons."""
    if layout.order is None or len(per_neuron) == 0:
        return per_neuron.contiguous()
    dimensions = (0, *(1 + d for d in layout.order))
    return per_neuron.reshape(-1, *shape).permute(dimensions).reshape(per_neuron.shape)


def _out_of_order(per_neuron: Tensor, layout: Layout, shape: Sequence[int]) -> Tensor:
    """The inverse of ``_in_order``."""
    if layout.order is None or len(per_neuron) == 0:
        return per_neuron
    dimensions = [0] * (1 + len(shape))
    for place, d in enumerate(layout.order):
        dimensions[1 + d] = 1 + place
    lying = per_neuron.view(-1, *(shape[d] for d in layout.order))
    return lying.permute(dimensions).reshape(per_neuron.shape)


@lru_cache(maxsize=512)
def kernel(options: StepOptions, shared: tuple[bool, ...], dtype: torch.dtype) -> Kernel:
    """The kernels of a step; printed and compiled on first use, and cached on disk by Triton.

    Raises:
        TypeError: for a dtype that is no floating-point number of at least 16 bits.
    """
    if dtype not in DTYPES:
        known = ", ".join(str(each).removeprefix("torch.") for each in DTYPES)
        raise TypeError(f"the Triton kernels take {known}, not {dtype}; convert the input")
    return Kernel(build_step(options), shared, dtype)


__all__ = ["Kernel", "kernel"]

"""What a layer remembers of its fixed parameters, and when that no longer holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from spikelab.kernels.choose import Packed


def times_written(tensor: Tensor) -> int:
    """How often a tensor was written to; -1 for one made in inference mode, which does not count."""
    return -1 if tensor.is_inference() else tensor._version


@dataclass(frozen=True, eq=False)
class Remembered:
    """What follows from fixed parameters: computed again once one was written to or the input's form changed.

    Attributes:
        form: what it depends on beside the parameters.
        written: each parameter, its memory (held, so that no other takes its address) and how often it was written to.
        packed: the coefficients.
        resting: each initial state, as a number where it is the same for all neurons.
    """

    form: tuple[Any, ...]
    written: list[tuple[Tensor, Tensor, int]]
    packed: Packed
    resting: list[float | Tensor]

    def fresh_state(self, x: Tensor) -> list[Tensor]:
        """One tensor [B, ...] a state for input x [T, B, ...]."""
        shape = x.shape[1:]
        return [x.new_full(shape, v) if isinstance(v, float) else v.clone() for v in self.resting]

    @cached_property
    def _numbers(self) -> list[Tensor]:
        like = self.packed.shared
        with torch.inference_mode(False), torch.no_grad():
            return [like.new_full((), v) if isinstance(v, float) else v for v in self.resting]

    def seen_state(self, x: Tensor) -> list[Tensor]:
        """As ``fresh_state``, only to be read: a number that is the same for all neurons lies in memory once."""
        shape = x.shape[1:]
        return [value.expand(shape) for value in self._numbers]

    def serves(self, form: tuple[Any, ...], tensors: list[Tensor]) -> bool:
        """Whether it still holds for this form and these parameters."""
        return (
            self.form == form
            and len(self.written) == len(tensors)
            and all(
                now is then and now.data_ptr() == memory.data_ptr() and times_written(now) == times >= 0
                for now, (then, memory, times) in zip(tensors, self.written, strict=True)
            )
        )

    def __deepcopy__(self, memo: Any) -> None:
        return None

    def __reduce__(self) -> Any:
        return type(None), ()

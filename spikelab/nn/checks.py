"""Looks for numbers that are not finite while checking is on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar

import torch
from torch import Tensor

_checking: ContextVar[bool] = ContextVar("spikelab_check_finite", default=False)


class NonFiniteError(FloatingPointError):
    """A NaN or infinity reached a layer; the message names layer, step and index."""


@contextmanager
def check_finite(on: bool = True) -> Iterator[None]:
    """Within this context every neuron layer checks its input and output and names the first bad element.

    Compiled models run uncompiled here: a graph has no place for the check.

    Example:
        >>> with check_finite():
        ...     spikes, state = network(x)
    """
    token = _checking.set(on)
    try:
        with torch.compiler.set_stance("force_eager") if on else nullcontext():
            yield
    finally:
        _checking.reset(token)


def require_finite(values: Tensor, layer: str, what: str) -> None:
    """Raises NonFiniteError for the first non-finite element of ``values`` [T, B, ...] while checking is on."""
    if torch.compiler.is_compiling() or not _checking.get() or bool(torch.isfinite(values).all()):
        return
    step, *index = (~torch.isfinite(values)).nonzero()[0].tolist()
    value = values[(step, *index)].item()
    raise NonFiniteError(
        f"{layer}: {what} is {value} at step {step}, index {index} (batch first); "
        f"look for an exploding layer before it, or a too large learning rate"
    )

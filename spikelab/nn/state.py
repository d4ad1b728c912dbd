"""State as a value: nested dicts of tensors that go in and come out, and what one does with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

#: A layer's or network's state: a dict whose leaves are tensors.
State = dict[str, Any]


class Stateful(nn.Module):
    """A module whose ``forward(x, state)`` takes a sequence [T, B, ...] and a state, and returns output and state.

    ``state=None`` starts afresh. All other modules of a network map a sequence to a sequence.
    """


def map_state(function: Callable[[Tensor], Tensor], state: State) -> State:
    """The same nested dict with the function applied to every tensor."""
    return {
        name: map_state(function, value) if isinstance(value, dict) else function(value)
        for name, value in state.items()
    }


def detach_state(state: State) -> State:
    """Cuts the gradient: truncated backpropagation through time passes on a detached state."""
    return map_state(lambda tensor: tensor.detach(), state)

"""Training on long sequences in little memory: only the state after every so many steps is kept.

The steps between are run again when the backward pass needs them (Chen et al. 2016, "Training deep nets with sublinear
memory cost", section 4). ``torch.utils.checkpoint`` does the same for one piece; over hundreds of pieces the states
that it keeps lie scattered among everything that was freed, and the process grows by several times what it holds. Here
they are written into memory that is set aside once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikelab.nn.state import State

#: Runs one piece: x [steps, B, ...] and the state before it to the output and the state after it.
Piece = Callable[[Tensor, State | None], tuple[Tensor, State]]


def flatten_state(state: State | None) -> list[Tensor]:
    """The tensors of a state, in order."""
    found: list[Tensor] = []
    for value in (state or {}).values():
        found += flatten_state(value) if isinstance(value, dict) else [value]
    return found


def _fill(pattern: State, tensors: list[Tensor]) -> State:
    """A state like another one, with tensors from a list, which is used up."""
    return {
        name: _fill(value, tensors) if isinstance(value, dict) else tensors.pop(0) for name, value in pattern.items()
    }


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _set_random_state(state: tuple[Tensor, Tensor | None], device: torch.device) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)


class _Segments(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, run: Piece, steps: int, before: State | None, found: list[State], x: Tensor, *rest: Tensor):
        pieces = x.split(steps)
        ctx.run, ctx.steps, ctx.before, ctx.state_size = run, steps, before, len(flatten_state(before))
        device = x.device.type
        ctx.randomness, ctx.autocast = [], (torch.is_autocast_enabled(device), torch.get_autocast_dtype(device))
        ctx.set_materialize_grads(False)
        state, out, kept = before, x, []
        for number, piece in enumerate(pieces):
            ctx.randomness.append(_random_state(x.device))
            part, state = run(piece, state)
            tensors = flatten_state(state)
            if number == 0:
                ctx.pattern = state
                out = part.new_empty((x.shape[0], *part.shape[1:]))
                kept = [tensor.new_empty((len(pieces) - 1, *tensor.shape)) for tensor in tensors]
            out[number * steps : number * steps + len(piece)] = part
            if number + 1 < len(pieces):
                for place, tensor in zip(kept, tensors, strict=True):
                    place[number] = tensor
        found.append(state or {})
        ctx.save_for_backward(x, *rest, *kept)
        ctx.rest = len(rest)
        return out, *flatten_state(state)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor | None, *grad_state: Tensor | None) -> Any:
        x, *saved = ctx.saved_tensors
        rest, kept = saved[: ctx.rest], saved[ctx.rest :]
        weights = rest[ctx.state_size :]
        needed = ctx.needs_input_grad[5 + ctx.state_size :]
        wanted = [weight for weight, learned in zip(weights, needed, strict=True) if learned]
        sums = [torch.zeros_like(weight) for weight in wanted]
        grad_x = torch.zeros_like(x) if ctx.needs_input_grad[4] else None
        coming: Sequence[Tensor | None] = grad_state
        enabled, dtype = ctx.autocast
        for number in reversed(range(len(ctx.randomness))):
            steps = slice(number * ctx.steps, (number + 1) * ctx.steps)
            piece = x[steps].detach().requires_grad_(grad_x is not None)
            state, leaves = ctx.before, [] if number else [tensor.detach() for tensor in rest[: ctx.state_size]]
            if number:
                leaves = [place[number - 1].detach() for place in kept]
            for leaf in leaves:
                leaf.requires_grad_(leaf.is_floating_point())
            if leaves:
                state = _fill(ctx.pattern if number else ctx.before, list(leaves))
            devices = [x.device] if x.is_cuda else []
            with (
                torch.enable_grad(), torch.random.fork_rng(devices),
                torch.autocast(x.device.type, dtype, enabled),
            ):  # fmt: skip
                _set_random_state(ctx.randomness[number], x.device)
                out, after = ctx.run(piece, state)
            given = [None if grad_out is None else grad_out[steps], *coming]
            pairs = [
                (value, grad)
                for value, grad in zip([out, *flatten_state(after)], given, strict=True)
                if grad is not None and value.requires_grad
            ]
            learned = [leaf for leaf in leaves if leaf.requires_grad]
            targets = [*([piece] if grad_x is not None else []), *learned, *wanted]
            if not (pairs and targets):
                coming = [None] * len(leaves)
                continue
            values, grads = zip(*pairs, strict=True)
            found = list(torch.autograd.grad(values, targets, grads, allow_unused=True))
            if grad_x is not None and (own := found.pop(0)) is not None:
                grad_x[steps] = own
            coming = [found.pop(0) if leaf.requires_grad else None for leaf in leaves]
            for total, grad in zip(sums, found, strict=True):
                if grad is not None:
                    total += grad
        ready = iter(sums)
        grad_weights = [next(ready) if learned else None for learned in needed]
        return None, None, None, None, grad_x, *coming[: ctx.state_size], *grad_weights


@torch.compiler.disable
def run_in_segments(
    run: Piece, steps: int, x: Tensor, state: State | None, weights: Sequence[Tensor]
) -> tuple[Tensor, State]:
    """Runs a network over a sequence, so that its backward pass holds no more than one segment and the states between.

    Args:
        run: runs one segment. It must do the same when it is run again.
        steps: of a segment.
        x: input [T, B, ...].
        state: before the first step, or None for a fresh one.
        weights: everything that ``run`` uses and that may be learned.

    Returns:
        output [T, B, ...], and the state after the last step.
    """
    found: list[State] = []
    out, *tensors = _Segments.apply(run, steps, state, found, x, *flatten_state(state), *weights)
    return out, _fill(found[0], tensors)

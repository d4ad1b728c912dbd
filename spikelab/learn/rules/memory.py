"""How much autograd keeps for going backward, measured: what grows with the number of time steps, and what does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from spikelab.learn.rules.rule import LearningRule
from spikelab.learn.task import Batch


def peak_kept(work: Callable[[], object], existing: Iterable[Tensor] = ()) -> int:
    """Bytes that autograd keeps for going backward at one moment, at most, while something runs.

    Memory that several nodes keep counts once. What is computed and forgotten at once does not count.

    Args:
        work: What runs; its backward pass too, if it has one.
        existing: Tensors that do not count, such as parameters: they are there anyway.
    """
    ledger = _Ledger(existing)
    with saved_tensors_hooks(ledger.keep, _Kept.give):
        work()
    return ledger.peak


def peak_kept_by(rule: LearningRule, batch: Batch) -> int:
    """Bytes that autograd keeps at most while a rule makes gradients of a batch; parameters and buffers aside.

    `.grad` of the model is None afterwards.
    """

    def step() -> None:
        _, weight = rule.measure(rule.model, batch)
        rule.write(1 / max(float(weight), 1.0))

    modules: tuple[nn.Module, ...] = (rule.model, rule)
    existing = [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]
    peak = peak_kept(step, existing)
    for module in modules:
        module.zero_grad(set_to_none=True)
    return peak


class _Ledger:
    """Who keeps which piece of memory."""

    def __init__(self, existing: Iterable[Tensor]) -> None:
        self.existing = {tensor.untyped_storage().data_ptr() for tensor in existing}
        self.holders: Counter[tuple[int, int]] = Counter()
        self.bytes = self.peak = 0

    def keep(self, tensor: Tensor) -> _Kept:
        return _Kept(tensor, self)

    def add(self, piece: tuple[int, int]) -> None:
        if not self.holders[piece]:
            self.bytes += piece[1]
            self.peak = max(self.peak, self.bytes)
        self.holders[piece] += 1

    def release(self, piece: tuple[int, int]) -> None:
        self.holders[piece] -= 1
        if not self.holders[piece]:
            self.bytes -= piece[1]
            del self.holders[piece]


class _Kept:
    """A tensor in autograd's hands; gone when autograd lets it go."""

    def __init__(self, tensor: Tensor, ledger: _Ledger) -> None:
        # detached: a node that keeps its own output would never be freed otherwise
        self.tensor, self.ledger = tensor.detach(), ledger
        self.piece: tuple[int, int] | None = None
        if tensor.numel() and tensor.untyped_storage().data_ptr() not in ledger.existing:
            span = 1 + sum((n - 1) * abs(stride) for n, stride in zip(tensor.shape, tensor.stride(), strict=True))
            self.piece = tensor.data_ptr(), min(span, tensor.numel()) * tensor.element_size()
            ledger.add(self.piece)

    def give(self) -> Tensor:
        return self.tensor

    def __del__(self) -> None:
        if self.piece is not None:
            self.ledger.release(self.piece)

"""Backpropagation through a few time steps at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from spikelab.learn.rules.bptt import chain_operations
from spikelab.learn.rules.rule import UnsupportedError
from spikelab.learn.rules.summed import SummedGradients
from spikelab.learn.task import Batch, Task
from spikelab.nn import Network
from spikelab.nn.state import State, detach_state


class TruncatedBPTT(SummedGradients):
    """The gradient of the task's loss, but errors go back no further than the beginning of a window of time steps.

    The sequence is cut into windows. The loss is that of the whole sequence, so it is run twice: without gradients,
    which gives the output and with it the error by each step's output; then again, window after window, of which only
    one is kept for going backward. So memory follows the window's length and not the sequence's (of which input and
    output are kept), and time is that of one forward run more than the whole gradient's.

    Normalisation takes its means over a window. With a window as long as the sequence all is as in `BPTT`.

    Args:
        model: Has `encode(batch)`, `network` and `decode(output)`; the network may be any.
        task: Gives the loss.
        sample_shapes: Name -> shape of each tensor of a sample.
        window: Time steps in a window.

    Raises:
        UnsupportedError: For a model that is not one network.
        ValueError: For a window without steps.

    Source: Williams and Peng 1990, Neural Computation 2; windows that do not overlap are BPTT(h; h) there.
    """

    depends_on_layers_above: ClassVar[bool] = True

    def __init__(
        self, model: nn.Module, task: Task, sample_shapes: Mapping[str, Sequence[int]], window: int = 10
    ) -> None:
        super().__init__(model, task, sample_shapes)
        lacking = [name for name in ("encode", "network", "decode") if not hasattr(model, name)]
        if lacking or not isinstance(model.network, Network):
            raise UnsupportedError(
                f"{type(model).__name__} has no {lacking[0] if lacking else 'network of nodes'}: this rule takes a "
                "model that is one network, such as spiking_classifier; bptt takes any"
            )
        if window < 1:
            raise ValueError(f"window = {window!r} must be at least 1 step")
        self.window = window

    def measure(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """The task's loss of the whole sequence."""
        windows, whole, decode = self.encode(batch).split(self.window), self._network(), self._model().decode
        if len(windows) == 1:
            with torch.enable_grad():
                total, weight = self.task.loss(decode(whole(windows[0])[0]), batch)
            self.add_gradients_of(total, [whole])
            return total.detach(), weight
        with torch.no_grad(), _unchanged(whole):
            output = torch.cat(list(self._run(windows))).requires_grad_()
        with torch.enable_grad():
            total, weight = self.task.loss(decode(output), batch)
            (error,) = torch.autograd.grad(total, output)
            for out, error_of_window in zip(self._run(windows), error.split(self.window), strict=True):
                self.add_gradients_of(out, [whole], error_of_window)
        return total.detach(), weight

    def _run(self, windows: Sequence[Tensor]) -> Iterator[Tensor]:
        """The network's output to each window; only values go from one to the next."""
        state: State | None = None
        for window in windows:
            out, state = self._network()(window, state)
            state = detach_state(state)
            yield out

    def _model(self) -> Any:
        return self.model

    def _network(self) -> Network:
        network: Network = self._model().network
        return network

    def signal_operations(self) -> float | None:
        """As backpropagation's: truncation saves memory, not products."""
        return chain_operations(self.model, self.sample_shapes)


@contextmanager
def _unchanged(network: nn.Module) -> Iterator[None]:
    """What runs leaves no trace in the statistics of normalisation and in the random states that dropout draws from."""
    statistics = [b for m in network.modules() if isinstance(m, _BatchNorm) for b in m.buffers()]
    before = [buffer.clone() for buffer in statistics]
    devices = {p.device.index or 0 for p in network.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(sorted(devices)):
        yield
    for buffer, value in zip(statistics, before, strict=True):
        buffer.copy_(value)

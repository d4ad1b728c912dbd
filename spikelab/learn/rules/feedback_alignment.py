"""Feedback alignment: errors come down through weights of their own, not through those that the activity went up by."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.grad import conv1d_input, conv2d_input

from spikelab.learn.rules.bptt import BPTT
from spikelab.learn.rules.layers import refuse_replaced
from spikelab.learn.rules.rule import UnsupportedError
from spikelab.learn.task import Batch, Task

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)


class FeedbackAlignment(BPTT):
    """Backpropagation through time in which each layer's error goes down through other weights than its own.

    The weights' own gradient stays that of their input and their error. It trains any model whose weights are dense or
    convolutions, recurrent ones included, for any task.

    Args:
        model: What is trained.
        task: Gives the loss.
        sample_shapes: Name -> shape of each tensor of a sample.
        feedback: "random", fixed and drawn once; or "sign": the signs that the forward weights have at the moment,
            all of one size (sign-symmetric feedback).
        scale: Feedback weights have the root mean square scale / sqrt(numbers that an output sums).
        seed: Of the random ones.

    Raises:
        UnsupportedError: For a model with weights of another kind; names them.
        ValueError: For an option that is not allowed.

    Source: Lillicrap, Cownden, Tweed and Akerman 2016, Nature Communications 7; for "sign" Liao, Leibo and Poggio 2016,
    AAAI (uniform sign-concordant feedback), and Xiao, Chen, Liao and Poggio 2018, arXiv 1811.03567.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        sample_shapes: Mapping[str, Sequence[int]],
        feedback: Literal["random", "sign"] = "random",
        scale: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(model, task, sample_shapes)
        if feedback not in ("random", "sign"):
            raise ValueError(f"feedback = {feedback!r}: takes 'random' or 'sign'")
        if not 0 < scale < math.inf:
            raise ValueError(f"scale = {scale!r} must be positive")
        # what runs in a network's place need not call its modules
        refuse_replaced(model)
        self.feedback, self.scale = feedback, scale
        self._weights = list(_weights_of(model))
        generator = torch.Generator().manual_seed(seed)
        for place, (_, module) in enumerate(self._weights):
            if feedback == "random":
                drawn = torch.randn(module.weight.shape, generator=generator) * self._size(module)
                self.register_buffer(f"feedback_{place}", drawn.to(module.weight))

    def measure(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """The task's loss; what will go backward is already laid out."""
        with self._other_ways_down():
            return super().measure(network, batch)

    def feedback_weights(self) -> dict[str, Tensor]:
        """Name of a module -> the weights through which its error goes down, in the shape of its own."""
        return {name: self._feedback_of(place, module) for place, (name, module) in enumerate(self._weights)}

    def _feedback_of(self, place: int, module: Any) -> Tensor:
        if self.feedback == "random":
            return self.get_buffer(f"feedback_{place}")
        return module.weight.detach().sign() * self._size(module)

    def _size(self, module: Any) -> float:
        return self.scale / math.sqrt(module.weight[0].numel())

    @contextmanager
    def _other_ways_down(self) -> Iterator[None]:
        """Weights called in here see their input cut off, and get a way down of their own."""
        inputs: dict[nn.Module, Tensor] = {}
        handles = []
        for place, (_, module) in enumerate(self._weights):

            def cut(module: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
                inputs[module] = arguments[0]
                return (arguments[0].detach(),)

            def join(module: nn.Module, arguments: tuple[Tensor, ...], out: Tensor, place: int = place) -> Tensor:
                x = inputs.pop(module)
                if not (torch.is_grad_enabled() and x.requires_grad):
                    return out
                joined: Tensor = _Joined.apply(out, x, module, self._feedback_of(place, module))
                return joined

            handles += [module.register_forward_pre_hook(cut), module.register_forward_hook(join)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


class _Joined(torch.autograd.Function):
    """The product of weights; its error also goes to the product's input, through feedback weights."""

    @staticmethod
    def forward(ctx: Any, out: Tensor, x: Tensor, module: nn.Module, feedback: Tensor) -> Tensor:
        ctx.save_for_backward(feedback)
        ctx.module, ctx.shape = module, x.shape
        return out.view_as(out)

    @staticmethod
    def backward(ctx: Any, error: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (feedback,) = ctx.saved_tensors
        return error, error_below(ctx.module, feedback, error, ctx.shape), None, None


def error_below(module: nn.Module, weight: Tensor, error: Tensor, shape: Sequence[int]) -> Tensor:
    """The error by a product's input, of a shape, given the error by the product, if `weight` had made the product."""
    weight = weight.to(error.dtype)
    if not isinstance(module, _CONVOLUTIONS):
        return error @ weight
    dimensions = weight.dim() - 2
    # time and batch in one, if there is time
    folded, places = error.flatten(0, -dimensions - 2), tuple(shape[-dimensions - 1 :])
    compute = conv1d_input if dimensions == 1 else conv2d_input
    below: Tensor = compute(
        (len(folded), *places), weight, folded, module.stride, module.padding, module.dilation, module.groups
    )
    return below.view(shape)


def _weights_of(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Names and modules of the weights.

    Raises:
        UnsupportedError: For weights that are neither dense nor convolutions padded with zeros.
    """
    for name, module in model.named_modules():
        if isinstance(module, (nn.Linear, *_CONVOLUTIONS)):
            if isinstance(module, _CONVOLUTIONS) and (
                module.padding_mode != "zeros" or isinstance(module.padding, str)
            ):
                raise UnsupportedError(
                    f"{name!r} pads with {module.padding_mode!r}, {module.padding!r}: this rule takes convolutions "
                    "padded with a number of zeros; bptt takes any"
                )
            yield name, module
        elif any(parameter.dim() > 1 for parameter in module.parameters(recurse=False)):
            raise UnsupportedError(
                f"{name!r} is a {type(module).__name__}: this rule takes weights that are dense or convolutions in one "
                "or two dimensions; bptt takes any"
            )

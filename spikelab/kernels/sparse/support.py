"""Where a layer's surrogate derivative is not zero: only there does the gradient of its spikes matter.

A surrogate of finite support, such as the triangular one, multiplies the gradient of most spikes by zero. A product
that follows the layer may leave those out of its input's gradient. Where they lie is found in the backward pass, by
running the neurons once more: that costs a few percent of the product's gradient, and no memory in between.

The gradient of the spikes themselves is then not whole; only what lies before them is right. So somebody has to know
that nobody else sees the spikes: a network does, of the edges inside of it (``only_inside``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spikelab.kernels.choose import Packed, run_neuron
from spikelab.neurons.step import SURROGATE_SUPPORT, StepOptions, build_step

#: The attribute of a layer's spikes that holds its ``Support``.
ATTRIBUTE = "spikelab_surrogate_support"


@dataclass(frozen=True)
class Support:
    """What the neurons were run with, and the spikes' version, which an operation in place would change.

    Attributes:
        options: of the step.
        x: input [T, B, ...].
        state: states [B, ...] before the first step.
        coefficients: as they were packed.
        backend: "numba" or "triton".
        version: of the tensor of spikes.
        inside: whether nobody can ask for the gradient of the spikes.
    """

    options: StepOptions
    x: Tensor
    state: tuple[Tensor, ...]
    coefficients: Packed
    backend: str
    version: int
    inside: bool = False

    @torch.no_grad()
    def flags(self) -> Tensor:
        """1 for the neurons and steps with a derivative, else 0: [T * B, ...], a row for each step of each sequence."""
        options = replace(self.options, record=(SURROGATE_SUPPORT,))
        flags = self.coefficients.key.partition("|")[0]
        packed = replace(self.coefficients, key=f"{flags}|{options.key()}")
        outputs, _ = run_neuron(build_step(options), self.x, self.state, packed, self.backend)
        return outputs[1].flatten(0, 1)


def attach(spikes: Tensor, support: Support) -> None:
    """Lets a product that takes these very spikes know."""
    setattr(spikes, ATTRIBUTE, support)


def pass_on(spikes: Tensor, view: Tensor) -> Tensor:
    """The view, which is the same spikes in another shape, with what is known of them."""
    support = _known(spikes)
    if support is not None:
        setattr(view, ATTRIBUTE, replace(support, version=view._version))
    return view


def is_known(spikes: Tensor) -> bool:
    """Whether anything is known of these spikes."""
    return _known(spikes) is not None


def only_inside(spikes: Tensor) -> None:
    """Declares that the gradient of these spikes goes on to their neurons, and nobody else ever sees it."""
    support = _known(spikes)
    if support is not None:
        setattr(spikes, ATTRIBUTE, replace(support, inside=True))


def support_of(spikes: Tensor) -> Support | None:
    """What a product may use: nothing if the spikes are seen by others, or have been changed in place."""
    support = _known(spikes)
    return support if support is not None and support.inside else None


def _known(spikes: Tensor) -> Support | None:
    support = getattr(spikes, ATTRIBUTE, None)
    return support if isinstance(support, Support) and support.version == spikes._version else None

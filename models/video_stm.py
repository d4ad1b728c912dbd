"""Spiking temporal modulators: a stack of spiking convolutions that sees the P-frames of a group one after the other.

Part of the **reconstruction** that ``spikelab.models.video`` describes. The stack is one ``Network`` that runs a step a
P-frame. In a step each layer computes, with s the spikes of the layer before,

    I = norm(conv3x3(s)) + shortcut(s),    v <- λ v + (1 - λ) r I,    spike where v > θ,    v <- v - θ after a spike

λ = exp(-dt / tau_mem) is learned for each channel; r is fixed so that (1 - λ) r is 1 before training. The shortcut is
added to the current before the spike, as in MS-ResNet (Hu et al. 2024, IEEE TNNLS, "Advancing spiking neural networks
toward deep residual learning"), but starts at the spikes of the layer before and not at its current, so that only
spikes are sent: the spikes themselves where sizes agree, else a normalised 1x1 convolution of them.
"Dynamic thresholds" may mean two things, so there are two kinds, and "fixed" ones to compare them with:

- "learned": θ is a number for each channel, trained like a weight (DIET-SNN: Rathi and Roy 2021, IEEE TNNLS);
- "adaptive": θ rises with each spike of its neuron and decays again (Bellec et al. 2018); how far and how fast is
  learned for each channel. It has no NIR form and no integer form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from spikelab.nn import LI, LIF, AdaptiveLIF, BatchNorm2d, Conv2d, Integrator, Network

READOUT = "readout"


class Layer(NamedTuple):
    """A layer of the stack.

    Attributes:
        width: channels.
        stride: of its convolution: 2 halves height and width.
    """

    width: int
    stride: int


class ModulatorNeurons(NamedTuple):
    """How the neurons of the stack are made.

    Attributes:
        spiking: False for rectifiers in place of neurons: no state, no threshold.
        threshold: "learned", "adaptive" or "fixed".
        dt: seconds between P-frames.
        tau_mem: membrane time constant in seconds before training.
        v_threshold: threshold before training.
        reset: "subtract" the threshold after a spike, or go to "zero".
        surrogate: surrogate derivative.
    """

    spiking: bool
    threshold: str
    dt: float
    tau_mem: float
    v_threshold: float
    reset: str
    surrogate: str

    @property
    def gain(self) -> float:
        """The resistance at which a current of 1 first moves a membrane by 1."""
        return 1 / -math.expm1(-self.dt / self.tau_mem)

    def layer(self, width: int) -> nn.Module:
        """Neurons for maps of so many channels."""
        if not self.spiking:
            return nn.ReLU()

        def each(value: float) -> Tensor:
            return torch.full((width, 1, 1), value)

        common: dict[str, Any] = {"dt": self.dt, "reset": self.reset, "surrogate": self.surrogate, "r": self.gain}
        learned = {"tau_mem": each(self.tau_mem)}
        if self.threshold == "fixed":
            return LIF(learnable=list(learned), v_threshold=self.v_threshold, **common, **learned)
        if self.threshold == "learned":
            learned["v_threshold"] = each(self.v_threshold)
            return LIF(learnable=list(learned), **common, **learned)
        learned |= {
            # the threshold stays raised for about twice as long as the membrane remembers
            "tau_adaptation": each(2 * self.tau_mem),
            "adaptation_jump": each(0.2 * self.v_threshold),
        }
        return AdaptiveLIF(learnable=list(learned), v_threshold=self.v_threshold, **common, **learned)


class SpikingTemporalModulators(nn.Module):
    """The stack, from the P-frames of a group to one map of features.

    The output is the membrane of a readout at the last step: with readout "rate" an integrator of the last layer's
    spikes (divided by the number of steps it is their rate), with "membrane" a leaky integrator in place of the last
    layer's neurons, which never spikes.

    Args:
        channels: of a P-frame.
        layers: width and stride of each layer.
        neurons: how they are made.
        readout: "rate" or "membrane".
    """

    def __init__(self, channels: int, layers: Sequence[Layer], neurons: ModulatorNeurons, readout: str):
        super().__init__()
        self.neurons, self.readout, self.width = neurons, readout, layers[-1].width
        nodes: dict[str, nn.Module] = {}
        edges: list[tuple[str, str]] = []
        before, fan_in = "input", channels
        for place, (width, stride) in enumerate(layers, start=1):
            name = f"layer{place}"
            arriving = [_normalised(nodes, edges, before, name, fan_in, width, 3, stride)]
            if place > 1 and (fan_in, stride) == (width, 1):
                arriving.append(before)
            elif place > 1:
                arriving.append(_normalised(nodes, edges, before, f"{name}_shortcut", fan_in, width, 1, stride))
            last = place == len(layers)
            into = READOUT if last and readout == "membrane" else name
            nodes[into] = self._integrator() if into == READOUT else neurons.layer(width)
            edges += [(source, into) for source in arriving]
            if last and readout == "rate":
                nodes[READOUT] = Integrator(dt=neurons.dt, r=1 / neurons.dt)
                edges.append((name, READOUT))
            before, fan_in = name, width
        self.network = Network(nodes, [*edges, (READOUT, "output")])

    def _integrator(self) -> nn.Module:
        return LI(dt=self.neurons.dt, tau_mem=self.neurons.tau_mem, r=self.neurons.gain)

    @property
    def spiking(self) -> bool:
        """Whether its layers are neurons."""
        return self.neurons.spiking

    def forward(self, x: Tensor) -> Tensor:
        """Maps P-frames [T, N, C, H, W] to the readout after the last of them [N, width, h, w].

        Raises:
            ValueError: if there is no P-frame.
        """
        if not len(x):
            raise ValueError("compressed_video: a group of pictures has no P-frame; use modality image for such data")
        output, _ = self.network(x)
        return output[-1]


def _normalised(
    nodes: dict[str, nn.Module], edges: list[tuple[str, str]], source: str, name: str, fan_in: int, width: int,
    kernel: int, stride: int,
) -> str:  # fmt: skip
    """Adds a convolution and its normalisation to a network; returns the node that gives the current."""
    nodes[f"{name}_weights"] = Conv2d(fan_in, width, kernel, stride, kernel // 2, bias=False)
    nodes[f"{name}_norm"] = BatchNorm2d(width)
    edges += [(source, f"{name}_weights"), (f"{name}_weights", f"{name}_norm")]
    return f"{name}_norm"

"""What data tell about a network before it is lowered."""

from __future__ import annotations

from torch import Tensor

from spikelab.hw.lowering.step_form import step_form
from spikelab.nn import Network, Neuron


def membranes_reached(network: Network, x: Tensor) -> dict[str, float]:
    """How far the membranes of readouts get from their rest: readout -> largest magnitude over all samples and steps.

    ``lower`` then counts them in units of which the chip's range holds twice as many, where it would otherwise make
    room for the worst that could ever arrive; in 16 bits that is the difference between a few levels and thousands.

    Args:
        network: the network, in real numbers.
        x: input [T, B, ...], such as a batch of training data.

    Raises:
        CannotLower: for a readout that has no integer form.
    """
    outputs = network.evaluate(x)
    found = {}
    for name, layer in network.nodes.items():
        if isinstance(layer, Neuron) and not layer.spec.spikes and outputs[name].numel():
            found[name] = float((outputs[name].double().cpu() - step_form(layer).rest).abs().max())
    return found

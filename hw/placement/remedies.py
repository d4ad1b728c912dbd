"""What would make a population fit that does not: in numbers, worked out from the formulas."""

from __future__ import annotations

from spikelab.hw.connections import Convolution
from spikelab.hw.placement import resources
from spikelab.hw.placement.costs_speck import kernel_of, power_of_two
from spikelab.hw.placement.pieces import Pieces
from spikelab.hw.placement.violation import Violation
from spikelab.hw.target import Target


def too_large(
    pieces: Pieces, target: Target, name: str, limit: str, finest: tuple[int, int] | None = None
) -> Violation:
    """A population that no core can hold, even cut.

    Args:
        pieces: the graph, with this population in one piece.
        target: where it shall run.
        name: of the population.
        limit: the resource that is short.
        finest: into how many pieces it was cut, and what the largest of them still needs.
    """
    resource, largest = target.resources[limit], target.largest(limit)
    shape = "x".join(map(str, pieces.population(name).shape))
    whole = resources.need(resource, pieces.of(name)[0], pieces)
    smallest = resources.need(resource, pieces.smallest(name), pieces)
    message, used = f"{shape} needs {whole} {resource.unit}, the largest core has {largest.most}", whole
    if smallest > largest.most and smallest < whole:
        used = smallest
        message = f"a single neuron of {shape} needs {smallest} {resource.unit}, the largest core has {largest.most}"
    elif finest is not None and finest[0] > 1:
        message += f", and each of {finest[0]} pieces needs up to {finest[1]}"
    remedy = _REMEDIES.get(resource.cost, _fewer)(pieces, target, name, limit, largest.most)
    return Violation(name, limit, message, used, largest.most, remedy, target.status_of(limit), resource.source)


def _fewer(pieces: Pieces, target: Target, name: str, limit: str, capacity: int) -> str:
    piece = pieces.of(name)[0]
    used = resources.need(target.resources[limit], piece, pieces)
    return f"about {100 * capacity * pieces.count(name) // max(1, used)} % of what it takes now would fit"


def _stride(pieces: Pieces, name: str) -> int:
    """The largest stride into a population; 0 where nothing is convolved."""
    found = [max(c.weights.stride) for c in pieces.graph.into(name) if isinstance(c.weights, Convolution)]
    return max(found, default=0)


def _speck_neurons(pieces: Pieces, target: Target, name: str, limit: str, capacity: int) -> str:
    channels, height, width = (*pieces.population(name).shape, 1, 1)[:3]
    remedies, stride = [], _stride(pieces, name)
    strides = target.limits["strides"].allowed if "strides" in target.limits else (2, 4, 8)
    for factor in (2, 4, 8) if stride else ():
        smaller = power_of_two(-(-height // factor)) * power_of_two(-(-width // factor)) * channels
        if stride * factor in strides and smaller <= capacity:
            remedies.append(f"stride {stride * factor}")
            break
    most = capacity // (power_of_two(height) * power_of_two(width))
    return ", or ".join([*remedies, _channels(most, pieces.most)] if most else remedies)


def _channels(most: int, cores: int) -> str:
    return f"at most {most} channels" + (f" on a core ({most * cores} on {cores})" if 1 < cores < 10 else "")


def _speck_kernels(pieces: Pieces, target: Target, name: str, limit: str, capacity: int) -> str:
    graph, per_channel, channels = pieces.graph, 0, 0
    for c in graph.into(name):
        read, height, width = kernel_of(c, graph.shape_of(c.source))
        per_channel, channels = per_channel + read * power_of_two(height * width), channels + read
    most = capacity // per_channel
    made = pieces.population(name).shape[0]
    remedies = [_channels(power_of_two(most + 1) // 2, pieces.most)] if most else []
    fewer = capacity // (per_channel // channels * power_of_two(made))
    remedies.append(f"at most {fewer} channels before it" if fewer else "a smaller kernel")
    return ", or ".join(remedies)


def _in_axons(pieces: Pieces, target: Target, name: str, limit: str, capacity: int) -> str:
    return (
        f"let each neuron hear at most {capacity} others: sum over windows before the layer, prune it, or use a "
        f"convolution, whose neurons share an axon for each place"
    )


def _out_axons(pieces: Pieces, target: Target, name: str, limit: str, capacity: int) -> str:
    listeners = sum(pieces.count(c.target) for c in pieces.graph.connections if c.source == name)
    return f"what listens to it is cut into {listeners} pieces; smaller layers after it need fewer axons"


_REMEDIES = {
    "speck_neuron_words": _speck_neurons,
    "speck_kernel_words": _speck_kernels,
    "loihi_in_axons": _in_axons,
    "loihi_out_axons": _out_axons,
}


def over_the_sum(
    target: Target, limit: str, needs: list[tuple[str, int]], capacity: int, status: str, source: str, what: str
) -> Violation:
    """All populations together need more than there is."""
    resource = target.resources[limit]
    total = sum(units for _, units in needs)
    largest = sorted(needs, key=lambda item: (-item[1], item[0]))[:3]
    most = ", ".join(f"{name} {units}" for name, units in largest if units)
    names = ", ".join(name for name, units in needs if units)
    message = f"need {total} {resource.unit}, {what} has {capacity} (most: {most})"
    remedy = _OVER.get(resource.cost, "{percent} % of the neurons would fit").format(
        capacity=capacity, percent=100 * capacity // max(1, total), over=total - capacity
    )
    return Violation(names, limit, message, total, capacity, remedy, status, resource.source or source)


_OVER = {
    "xylo_hidden_neurons": "at most {capacity} hidden neurons",
    "xylo_output_neurons": "at most {capacity} outputs",
    "xylo_hidden_synapses": "prune to {capacity} weights between hidden neurons that are not zero",
    "flash_bytes": "save {over} bytes: fewer bits a weight, pruned or fewer neurons ({percent} % would fit)",
    "ram_bytes": "save {over} bytes: 16-bit states, shorter delays or fewer neurons ({percent} % would fit)",
}

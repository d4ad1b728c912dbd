"""The synapses of a plastic projection, sorted by delay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikelab.sim.plasticity.constants import Constants
from spikelab.sim.plasticity.rewiring import new_senders
from spikelab.sim.plasticity.spec import PlasticitySpec
from spikelab.sim.projection import Synapses
from spikelab.sim.wiring.connectivity import Connectivity


@dataclass(eq=False)
class Part:
    """The synapses of one delay: for them a sender's trace is the same.

    Attributes:
        delay: steps.
        starts: where each sender's row begins, int64 [senders + 1].
        targets: uint16 or uint32 [synapses].
        arrays: entry of the kernels' table -> values of synapses [synapses], or of rows [threads, senders].
    """

    delay: int
    starts: np.ndarray
    targets: np.ndarray
    arrays: dict[str, np.ndarray]

    def senders(self) -> np.ndarray:
        """The sender of each synapse, int64 [synapses]."""
        return np.repeat(np.arange(self.starts.size - 1), np.diff(self.starts))


def split(
    synapses: Synapses, spec: PlasticitySpec, numbers: Constants, of_synapses: Sequence[str], dtype: np.dtype
) -> list[Part]:
    """One part for each delay that occurs.

    Args:
        synapses: of the projection.
        spec: the rule.
        numbers: its constants.
        of_synapses: entries that hold a number of each synapse, beside the weights.
        dtype: working precision.
    """
    connectivity, delays = synapses.connectivity, np.asarray(synapses.delays)
    weights = np.full(synapses.count, synapses.weights, dtype)
    kinds = np.unique(delays) if synapses.count else delays.reshape(-1)[:1]
    parts = []
    for delay in kinds:
        places = None if kinds.size == 1 else np.flatnonzero(delays == delay)
        starts = connectivity.starts if places is None else np.searchsorted(places, connectivity.starts)
        targets = connectivity.targets if places is None else connectivity.targets[places]
        senders = connectivity.starts.size - 1
        arrays = {
            "weights_": weights if places is None else weights[places],
            **{name: np.zeros(targets.size, dtype) for name in of_synapses},
            "since_": np.zeros((1, senders), np.int64),
            **{f"pre_{each.name}_": np.full((1, senders), numbers.rest[each.name], dtype) for each in spec.pre},
        }
        parts.append(Part(int(delay), starts.astype(np.int64), targets, arrays))
    return parts


def joined(parts: Sequence[Part], like: Connectivity) -> tuple[Connectivity, list[np.ndarray]]:
    """The wiring of all parts together, by sender and then by target, and the place of each part's synapses in it.

    Args:
        parts: of one projection.
        like: its wiring at some time, for sizes and types.
    """
    senders = np.concatenate([np.zeros(0, np.int64), *(part.senders() for part in parts)])
    targets = np.concatenate([like.targets[:0], *(part.targets for part in parts)])
    order = np.lexsort((targets, senders))
    place = np.empty(order.size, np.int64)
    place[order] = np.arange(order.size)
    edges = np.cumsum([part.targets.size for part in parts])[:-1]
    starts = np.searchsorted(senders[order], np.arange(like.source_size + 1))
    return Connectivity(like.source_size, like.target_size, starts, targets[order]), np.split(place, edges)


def rewire(
    parts: Sequence[Part], below: float, fresh: dict[str, float], like: Connectivity, offset: int | None, key: int
) -> int:
    """Gives weak synapses new senders; all that waits must have been applied.

    Args:
        parts: of one projection.
        below: size of the weights that are replaced.
        fresh: entry -> its value in a new synapse.
        like: the wiring at some time, for sizes.
        offset: the neuron that sender 0 is, among those that targets count in; None for two populations.
        key: of the random numbers.

    Returns:
        How many synapses were replaced.
    """
    before = [part.senders() for part in parts]
    senders = np.concatenate([np.zeros(0, np.int64), *before])
    targets = np.concatenate([np.zeros(0, np.int64), *(part.targets for part in parts)])
    weights = [part.arrays["weights_"] for part in parts]
    weak = np.concatenate([np.zeros(0, bool), *(np.abs(each) < below for each in weights)])
    after = new_senders(senders, targets, weak, (like.source_size, like.target_size), offset, key)
    edges = np.cumsum([0, *(part.targets.size for part in parts)])
    for part, old, first, last in zip(parts, before, edges[:-1], edges[1:], strict=True):
        new = after[first:last]
        moved = new != old
        order = np.lexsort((part.targets, new))
        for name, value in fresh.items():
            part.arrays[name][moved] = value
            part.arrays[name] = part.arrays[name][order]
        part.targets = part.targets[order]
        part.starts = np.searchsorted(new[order], np.arange(like.source_size + 1))
    return int((after != senders).sum())

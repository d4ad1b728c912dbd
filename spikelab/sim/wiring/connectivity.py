"""Which neuron reaches which: the result of a wiring rule."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

#: Targets of a population up to this size are 16-bit numbers: half the memory, which is most of a large network's.
SHORT_TARGETS = 1 << 16


def target_dtype(target_size: int) -> np.dtype:
    """The type of the numbers of targets: uint16 where it suffices, else uint32."""
    return np.dtype(np.uint16 if target_size <= SHORT_TARGETS else np.uint32)


@dataclass(frozen=True, eq=False)
class Connectivity:
    """Synapses by sender, and those of a sender by target.

    A contiguous range of targets, which is what a thread owns, is therefore a contiguous part of each sender's row.

    Attributes:
        source_size: number of possible senders.
        target_size: number of possible targets.
        starts: int64 [source_size + 1]; the synapses of sender a are ``starts[a]`` to ``starts[a + 1]``.
        targets: uint16 or uint32 [synapses].
        order: for pairs given as arrays in another order: the place in them of each synapse, int64 [synapses].
        values: for a matrix: its entry of each synapse, float64 [synapses].
    """

    source_size: int
    target_size: int
    starts: np.ndarray
    targets: np.ndarray
    order: np.ndarray | None = None
    values: np.ndarray | None = None

    def __len__(self) -> int:
        return int(self.targets.size)

    def __repr__(self) -> str:
        return f"Connectivity({self.source_size} to {self.target_size} neurons, {len(self)} synapses)"

    def row(self, sender: int) -> np.ndarray:
        """The targets of a sender, ascending."""
        return self.targets[self.starts[sender] : self.starts[sender + 1]]

    def senders(self) -> np.ndarray:
        """The sender of each synapse, int64 [synapses]."""
        return np.repeat(np.arange(self.source_size), np.diff(self.starts))

    def out_degrees(self) -> np.ndarray:
        """Synapses of each sender, int64 [source_size]."""
        return np.diff(self.starts)

    def in_degrees(self) -> np.ndarray:
        """Synapses on each target, int64 [target_size]."""
        return np.bincount(self.targets, minlength=self.target_size)

    def arranged(self, given: np.ndarray) -> np.ndarray:
        """Values of the synapses, given in the order in which the pairs were given, in the order of this object."""
        return given if self.order is None else given[self.order]

    def within(self, first: int, target_size: int) -> Connectivity:
        """The same synapses with targets counted in a larger population, of which the target group is a part.

        The memory of this object's targets is taken over where their type allows it; use the result from then on.

        Args:
            first: the target group's first neuron in the population.
            target_size: of the population.
        """
        dtype = target_dtype(target_size)
        if first == 0 and dtype == self.targets.dtype:
            return replace(self, target_size=target_size)
        own = self.targets if dtype == self.targets.dtype and self.targets.flags.writeable else None
        moved = np.add(self.targets, first, out=own, dtype=dtype, casting="unsafe")
        return replace(self, target_size=target_size, targets=moved)

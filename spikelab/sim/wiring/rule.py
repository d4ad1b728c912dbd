"""What all wiring rules have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import config

from spikelab.sim.wiring.connectivity import Connectivity


@dataclass(frozen=True, eq=False)
class Ends:
    """The two sides that a rule connects, and the randomness that it may use.

    Attributes:
        source_size: number of senders.
        target_size: number of targets.
        key: of the random numbers, uint64.
        offset: sender a and target ``a + offset`` are the same neuron; None where the sides share none.
        threads: most threads to use; the result does not depend on it.
        source_positions: float64 [source_size, 1, 2 or 3] in metres, or None.
        target_positions: the same of the targets.
    """

    source_size: int
    target_size: int
    key: np.uint64
    offset: int | None
    threads: int
    source_positions: np.ndarray | None = None
    target_positions: np.ndarray | None = None

    def shared(self) -> range:
        """The senders that are also targets."""
        if self.offset is None:
            return range(0)
        return range(max(0, -self.offset), max(0, -self.offset, min(self.source_size, self.target_size - self.offset)))


class Wiring(ABC):
    """A rule that says which neuron of one group reaches which neuron of another. Rules are frozen records."""

    def connect(
        self,
        source_size: int,
        target_size: int,
        key: int = 0,
        *,
        same: bool = False,
        offset: int = 0,
        source_positions: np.ndarray | None = None,
        target_positions: np.ndarray | None = None,
        threads: int | None = None,
    ) -> Connectivity:
        """Applies the rule.

        Args:
            source_size: number of senders, 0 or more.
            target_size: number of targets, 0 or more.
            key: of the random numbers (``stream_key``); the same key gives the same synapses on any number of threads.
            same: whether both sides are parts of one population, so that a neuron may be on both.
            offset: with ``same``: sender a is the same neuron as target ``a + offset``, that is the first neuron of the
                source group minus the first one of the target group.
            source_positions: of the senders in metres, [source_size, 1, 2 or 3], for rules of distance.
            target_positions: of the targets.
            threads: how many at most; by default as many as numba may use (``NUMBA_NUM_THREADS``).

        Raises:
            ValueError: where the rule cannot be met, or asks for more synapses than one projection can have.
            MemoryError: where the synapses do not fit into free memory.
        """
        for what, size in (("source", source_size), ("target", target_size)):
            if size < 0:
                raise ValueError(f"{self!r}: {what} size {size} must not be negative")
        ends = Ends(
            int(source_size),
            int(target_size),
            np.uint64(key),
            int(offset) if same else None,
            # numba's own function would start its threads and change the number of torch's
            int(config.NUMBA_NUM_THREADS) if threads is None else max(1, threads),  # type: ignore[attr-defined]
            source_positions,
            target_positions,
        )
        return self._connect(ends)

    @abstractmethod
    def _connect(self, ends: Ends) -> Connectivity: ...


def whole_number(rule: str, field: str, value: Any) -> int:
    """A count of a rule.

    Raises:
        ValueError: for anything but a whole number from 0 up.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < 0:
        raise ValueError(f"{rule}: {field} = {value!r} must be a whole number, 0 or more")
    return int(value)


def probability(rule: str, field: str, value: Any) -> float:
    """A probability of a rule.

    Raises:
        ValueError: for anything but a number from 0 to 1.
    """
    if isinstance(value, (bool, str)) or not isinstance(value, (int, float, np.number)) or not 0 <= value <= 1:
        raise ValueError(f"{rule}: {field} = {value!r} must be a probability, a number from 0 to 1")
    return float(value)

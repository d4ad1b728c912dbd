"""Rules without randomness: one to one, and all to all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikelab.sim.wiring.connectivity import Connectivity, target_dtype
from spikelab.sim.wiring.limits import check_size
from spikelab.sim.wiring.rule import Ends, Wiring


@dataclass(frozen=True)
class OneToOne(Wiring):
    """Each neuron reaches the one of the same place in the other group, which must be as large."""

    def _connect(self, ends: Ends) -> Connectivity:
        if ends.source_size != ends.target_size:
            raise ValueError(
                f"OneToOne connects groups of one size, not {ends.source_size} to {ends.target_size} neurons; "
                "take equal ranges of them, such as cells[:100]"
            )
        targets = np.arange(ends.target_size, dtype=target_dtype(ends.target_size))
        starts = np.arange(ends.source_size + 1, dtype=np.int64)
        return Connectivity(ends.source_size, ends.target_size, starts, targets)


@dataclass(frozen=True)
class AllToAll(Wiring):
    """Each neuron reaches each neuron.

    Attributes:
        allow_autapses: whether a neuron reaches itself (as in NEST and Brian2 by default).
    """

    allow_autapses: bool = True

    def _connect(self, ends: Ends) -> Connectivity:
        shared = range(0) if self.allow_autapses else ends.shared()
        synapses = ends.source_size * ends.target_size - len(shared)
        check_size(repr(self), ends.source_size, ends.target_size, synapses)
        every = np.arange(ends.target_size, dtype=target_dtype(ends.target_size))
        counts = np.full(ends.source_size, ends.target_size)
        counts[shared.start : shared.stop] -= 1
        starts = np.zeros(ends.source_size + 1, np.int64)
        np.cumsum(counts, out=starts[1:])
        targets = np.empty(synapses, every.dtype)
        for sender in range(ends.source_size):
            row = targets[starts[sender] : starts[sender + 1]]
            if row.size == every.size:
                row[:] = every
            else:
                own = sender + (ends.offset or 0)
                row[:own], row[own:] = every[:own], every[own + 1 :]
        return Connectivity(ends.source_size, ends.target_size, starts, targets)

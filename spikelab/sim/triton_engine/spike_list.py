"""The spikes of a population in the steps since the lists were last emptied.

Programs append side by side, each its spikes of a step in one piece, so the order within a block is that of chance. No
result depends on it: what arrives is summed exactly (see ``fixed_point``), and monitors read the list sorted.
"""

from __future__ import annotations

import numpy as np
import torch
import triton
import triton.language as tl

from spikelab.sim.triton_engine.device import Device


@triton.jit
def append(listed_steps, listed_neurons, cursor, step, neuron, fired):
    """Appends the neurons that fired, of one program, as spikes of a step, counted from the clock's base."""
    ones = fired.to(tl.int32)
    count = tl.sum(ones, 0)
    if count > 0:
        place = tl.atomic_add(cursor, count.to(tl.int64), sem="relaxed") + tl.cumsum(ones, 0) - ones
        tl.store(listed_steps + place, tl.zeros_like(neuron) + step.to(tl.int32), mask=fired)
        tl.store(listed_neurons + place, neuron, mask=fired)


class SpikeList:
    """The list of one population.

    Attributes:
        cursor: int64 [2], part of the clock's: how many there are, and how many there were before the block.
        steps: int32 [room], counted from the clock's base.
        neurons: int32 [room].
    """

    def __init__(self, device: Device, cursor: torch.Tensor, room: int):
        self.cursor = cursor
        self.steps = torch.zeros(room, dtype=torch.int32, device=device.place)
        self.neurons = torch.zeros(room, dtype=torch.int32, device=device.place)

    def arguments(self) -> dict[str, torch.Tensor]:
        """What a kernel that appends to it or reads it is given."""
        return {"listed_steps": self.steps, "listed_neurons": self.neurons, "cursor": self.cursor}

    def read(self, count: int, base: int) -> tuple[np.ndarray, np.ndarray]:
        """The first ``count`` spikes, by step and then by neuron: (steps int64, neurons int32)."""
        steps, neurons = self.steps[:count].cpu().numpy(), self.neurons[:count].cpu().numpy()
        order = np.lexsort((neurons, steps))
        return steps[order].astype(np.int64) + base, neurons[order]

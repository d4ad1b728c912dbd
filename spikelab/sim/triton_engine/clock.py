"""Time on the device: which steps the present block has, and whether the lists of spikes have room for another one.

Time is cut into blocks no longer than the shortest delay, so that within a block no spike can reach anything; blocks
lie on a fixed grid. The first launch of a block opens it: it writes down the block's steps, and where each population's
spikes of it begin. All others read that. So every block is the same list of launches, which a CUDA graph can hold, and
the host need not know how many spikes there are. Where a list may not hold another block, the block stays empty, and so
do all that follow until the host has emptied the lists.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from spikelab.sim.triton_engine.device import Device
from spikelab.sim.triton_engine.launch import Launch

FIRST, STOP, GOAL, BASE = (tl.constexpr(place) for place in range(4))


@triton.jit
def open_block(clock, cursors, most, room, BLOCK: tl.constexpr, POPULATIONS: tl.constexpr, LANES: tl.constexpr):
    """Begins the block after the present one; one program."""
    first, goal = tl.load(clock + STOP), tl.load(clock + GOAL)
    population = tl.arange(0, LANES)
    mine = population < POPULATIONS
    listed = tl.load(cursors + 2 * population, mask=mine, other=0)
    lacking = listed + tl.load(most + population, mask=mine, other=0) > tl.load(room + population, mask=mine, other=0)
    stop = tl.minimum(goal, (first // BLOCK + 1) * BLOCK)
    stop = tl.where(tl.max(lacking.to(tl.int32), 0) > 0, first, stop)
    tl.store(cursors + 2 * population + 1, listed, mask=mine)
    tl.store(clock + FIRST, first)
    tl.store(clock + STOP, stop)


class Clock:
    """The clock of a network.

    Attributes:
        steps: int64 [4]: first step of the present block, the step before which it ends, the step before which to end
            for now, and the step from which steps in the lists of spikes count.
        cursors: int64 [populations, 2]: spikes in each population's list, and how many were there before the block.
        opening: the launch that opens a block.
    """

    def __init__(self, device: Device, block: int, most: list[int], room: list[int]):
        self.steps = torch.zeros(4, dtype=torch.int64, device=device.place)
        # an array without elements has no address
        self.cursors = torch.zeros((max(1, len(most)), 2), dtype=torch.int64, device=device.place)
        self.opening = Launch(
            open_block,
            (1,),
            {
                "clock": self.steps,
                "cursors": self.cursors,
                "most": device.tensor([*most, 0], torch.int64),
                "room": device.tensor([*room, 0], torch.int64),
            },
            {"BLOCK": block, "POPULATIONS": len(most), "LANES": triton.next_power_of_2(max(1, len(most)))},
            warps=1,
        )

    def set(self, first: int, goal: int) -> None:
        """Lets the next block begin with a step and the last one end before another; empties the lists of spikes."""
        self.steps.copy_(torch.tensor([first, first, goal, first]))
        self.cursors.zero_()

    def reached(self) -> int:
        """The step before which the last block ended; waits for the device."""
        return int(self.steps[int(STOP.value)])

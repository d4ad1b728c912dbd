"""The kernel that takes a block's spikes along the synapses of one projection into its targets' buffer.

Spikes lie side by side over the first axis of the grid, parts of a sender's row of synapses over the second. There are
as many programs as keep the device busy, and each goes on until the list is done, as only the device knows how long it
is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import triton
import triton.language as tl

from spikelab.sim.projection import Projection, Synapses
from spikelab.sim.triton_engine.clock import BASE
from spikelab.sim.triton_engine.device import Device
from spikelab.sim.triton_engine.launch import Launch
from spikelab.sim.triton_engine.population_state import PopulationState

#: Fewest and most synapses that a program takes at once, and most programs for one row.
_LANES, _PARTS = (32, 256), 64


@triton.jit(do_not_specialize=["first_sender", "senders", "slots", "stride"])
def deliver(
    clock,
    cursor,
    listed_steps,
    listed_neurons,
    first_sender,
    senders,
    starts,
    targets,
    weights,
    delays,
    scale,
    ring,
    slots,
    stride,
    LANES: tl.constexpr,
    NARROW: tl.constexpr,
    ONE_WEIGHT: tl.constexpr,
    ONE_DELAY: tl.constexpr,
):
    """Adds the weights that the block's spikes bring to the steps in which they arrive."""
    base = tl.load(clock + BASE)
    end = tl.load(cursor)
    part, parts = tl.program_id(1), tl.num_programs(1)
    lane = tl.arange(0, LANES)
    for spike in range(tl.load(cursor + 1) + tl.program_id(0), end, tl.num_programs(0)):
        sender = tl.load(listed_neurons + spike) - first_sender
        if (sender >= 0) & (sender < senders):
            step = base + tl.load(listed_steps + spike)
            last = tl.load(starts + sender + 1)
            for at in range(tl.load(starts + sender) + part * LANES, last, parts * LANES):
                synapse = at + lane
                mine = synapse < last
                target = tl.load(targets + synapse, mask=mine, other=0).to(tl.int64)
                if NARROW:
                    target = target & 0xFFFF
                if ONE_DELAY:
                    row = (step + tl.load(delays)) % slots
                else:
                    row = (step + tl.load(delays + synapse, mask=mine, other=0).to(tl.int64)) % slots
                if ONE_WEIGHT:
                    amount = tl.zeros([LANES], tl.int64) + tl.load(weights)
                else:
                    weight = tl.load(weights + synapse, mask=mine, other=0.0)
                    amount = (weight * tl.load(scale)).to(tl.int64)
                tl.atomic_add(ring + row * stride + target, amount, mask=mine, sem="relaxed")


class ProjectionState:
    """The synapses of a projection on the device.

    Attributes:
        projection: what it was built from.
        synapses: their arrays on the host.
    """

    def __init__(self, device: Device, projection: Projection, synapses: Synapses, target: PopulationState):
        self.projection, self.synapses, self._target, self._device = projection, synapses, target, device
        self._dtype = target.dtype
        connectivity = synapses.connectivity
        # torch knows no arithmetic of uint16 and uint32: the same bits, with a sign
        self._narrow = connectivity.targets.dtype == np.uint16
        self._starts = device.tensor(connectivity.starts, torch.int64)
        self._targets = device.tensor(connectivity.targets.view(np.int16 if self._narrow else np.int32))
        exponent = target.exponents[projection.receptor]
        self._one_weight, self._one_delay = np.ndim(synapses.weights) == 0, np.ndim(synapses.delays) == 0
        if self._one_weight:
            whole = round(float(np.asarray(synapses.weights, self._dtype)) * 2.0**exponent)
            self._weights = device.tensor([whole], torch.int64)
        else:
            self._weights = device.tensor(np.asarray(synapses.weights, self._dtype))
        self._scale = device.tensor(np.array([2.0**exponent], self._dtype))
        self._delays = device.tensor(_delays(synapses.delays))
        self._longest = int(np.diff(connectivity.starts).max()) if synapses.count else 0

    def launch(self, clock: torch.Tensor, spikes: Mapping[str, torch.Tensor]) -> Launch:
        """The launch that delivers a block's spikes.

        Args:
            clock: steps of the clock.
            spikes: the senders' list.
        """
        ring = self._target.rings[self.projection.receptor]
        lanes = min(_LANES[1], max(_LANES[0], triton.next_power_of_2(self._longest)))
        parts = min(_PARTS, self._device.programs, -(-self._longest // lanes))
        return Launch(
            deliver,
            (self._device.programs, parts),
            {
                "clock": clock,
                **spikes,
                "first_sender": self.projection.source.first,
                "senders": self.projection.source.size,
                "starts": self._starts,
                "targets": self._targets,
                "weights": self._weights,
                "delays": self._delays,
                "scale": self._scale,
                "ring": ring,
                "slots": ring.shape[0],
                "stride": ring.shape[1],
            },
            {
                "LANES": lanes,
                "NARROW": int(self._narrow),
                "ONE_WEIGHT": int(self._one_weight),
                "ONE_DELAY": int(self._one_delay),
            },
            warps=lanes // 32,
        )

    def weights(self) -> np.ndarray:
        """The weights: [1] where one serves all synapses, else [synapses]."""
        return np.atleast_1d(np.asarray(self.synapses.weights, self._dtype))


def _delays(delays: int | np.ndarray) -> np.ndarray:
    """Delays as torch can hold them: one as int64 [1]; several as uint8, int16 or int32."""
    if np.ndim(delays) == 0:
        return np.array([delays], np.int64)
    array = np.asarray(delays)
    if array.dtype == np.uint8:
        return array
    return array.astype(np.int16 if array.size and array.max() < 1 << 15 else np.int32)

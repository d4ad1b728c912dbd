"""Populations without equations on the device: their spikes are drawn, or read from an array."""

from __future__ import annotations

import numpy as np
import torch
import triton
import triton.language as tl

from spikelab.sim.population import Population
from spikelab.sim.random_numbers import limits
from spikelab.sim.sources import SpikeArray
from spikelab.sim.triton_engine.clock import BASE, FIRST, STOP
from spikelab.sim.triton_engine.device import LANES, Device
from spikelab.sim.triton_engine.launch import Launch
from spikelab.sim.triton_engine.random_bits import load_unsigned, step_key, turned, word
from spikelab.sim.triton_engine.spike_list import SpikeList, append


@triton.jit(do_not_specialize=["size", "bins", "columns", "width"])
def draw_spikes(
    clock,
    listed_steps,
    listed_neurons,
    cursor,
    key,
    limits,
    size,
    bins,
    columns,
    width,
    LANES: tl.constexpr,
):
    """Draws the spikes of a Poisson source, at most one a neuron and step.

    A neuron spikes where 64 random bits are below its limit, [bins, columns]; a bin lasts ``width`` steps, 0: for ever.
    """
    first, base, source_key = tl.load(clock + FIRST), tl.load(clock + BASE), load_unsigned(key)
    neuron = tl.program_id(0) * LANES + tl.arange(0, LANES)
    inside = neuron < size
    column = tl.where(columns > 1, neuron, 0)
    for passed in range(tl.load(clock + STOP) - first):
        step = first + passed
        bin = tl.where(width > 0, step // tl.maximum(width, 1), 0)
        if bin < bins:
            limit = tl.load(limits + bin * columns + column, mask=inside, other=0).to(tl.uint64, bitcast=True)
            drawn = step_key(source_key, step)
            fired = inside & (word(drawn, turned(drawn), neuron.to(tl.uint64)) < limit)
            append(listed_steps, listed_neurons, cursor, step - base, neuron, fired)


@triton.jit
def _before(steps, count, step):
    """How many of the ascending ``steps`` are smaller than ``step``."""
    low, high = step * 0, step * 0 + count
    while low < high:
        middle = (low + high) // 2
        if tl.load(steps + middle) < step:
            low = middle + 1
        else:
            high = middle
    return low


@triton.jit(do_not_specialize=["count"])
def copy_spikes(clock, listed_steps, listed_neurons, cursor, steps, neurons, count, LANES: tl.constexpr):
    """Lists the given spikes of the block's steps."""
    base = tl.load(clock + BASE)
    begin, end = _before(steps, count, tl.load(clock + FIRST)), _before(steps, count, tl.load(clock + STOP))
    for at in range(begin + tl.program_id(0) * LANES, end, tl.num_programs(0) * LANES):
        place = at + tl.arange(0, LANES)
        given = place < end
        step = (tl.load(steps + place, mask=given, other=0) - base).to(tl.int32)
        append(listed_steps, listed_neurons, cursor, step, tl.load(neurons + place, mask=given, other=0), given)


class SourceState:
    """A source of spikes on the device.

    Attributes:
        population: what it was built from.
        most_at_once: spikes that a neuron can emit in one step.
    """

    def __init__(self, device: Device, population: Population, dt: float, key: int):
        self.population, self._device, self.most_at_once = population, device, 1
        source, size = population.source, population.size
        assert source is not None
        self._steps = np.zeros(0, np.int64)
        if isinstance(source, SpikeArray):
            self._steps, neurons = source.checked(population.name, size, dt)
            same = (self._steps[1:] == self._steps[:-1]) & (neurons[1:] == neurons[:-1])
            runs = np.diff(np.flatnonzero(np.concatenate([[True], ~same, [True]])))
            self.most_at_once = int(runs.max()) if neurons.size else 1
            self._arguments: dict[str, torch.Tensor | int] = {
                "steps": device.tensor(self._steps),
                "neurons": device.tensor(neurons),
                "count": neurons.size,
            }
            self._kernel, self._wide = copy_spikes, self._most_together(64)
        else:
            probability, width = source.checked(population.name, size, dt)
            below = limits(probability)
            self._arguments = {
                "key": device.tensor(np.array([key], np.uint64).view(np.int64)),
                "limits": device.tensor(np.ascontiguousarray(below).view(np.int64)),
                "size": size,
                "bins": below.shape[0],
                "columns": below.shape[1],
                "width": width,
            }
            self._kernel, self._wide = draw_spikes, size

    def most_in(self, steps: int) -> int:
        """Most spikes of all neurons together in so many steps."""
        if isinstance(self.population.source, SpikeArray):
            return self._most_together(steps)
        return steps * self.population.size

    def _most_together(self, steps: int) -> int:
        later = np.searchsorted(self._steps, self._steps + steps)
        return int((later - np.arange(later.size)).max()) if later.size else 0

    def launches(self, clock: torch.Tensor, spikes: SpikeList) -> list[Launch]:
        """The launch that lists a block's spikes."""
        programs = min(-(-self._wide // LANES), 1 << 20)
        if not programs or not self.population.size:
            return []
        arguments = {"clock": clock, **spikes.arguments(), **self._arguments}
        return [Launch(self._kernel, (programs,), arguments, {"LANES": LANES})]

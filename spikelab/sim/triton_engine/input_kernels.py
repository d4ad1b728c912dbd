"""What a population's kernel calls for each input: a step's draws and levels for its neurons."""

from __future__ import annotations

import triton
import triton.language as tl

from spikelab.sim.triton_engine.normal import normal
from spikelab.sim.triton_engine.poisson import poisson, poisson_of_mean
from spikelab.sim.triton_engine.random_bits import load_unsigned, step_key


@triton.jit
def last_begun(begins, count, step):
    """Place of the last of ``count`` ascending steps that is not after ``step``, -1 for none."""
    low, high = step * 0, step * 0 + count
    while low < high:
        middle = (low + high) // 2
        if tl.load(begins + middle) <= step:
            low = middle + 1
        else:
            high = middle
    return low - 1


@triton.jit
def begun_since(begins, place, step):
    """The same, from the place of an earlier step; the array ends with a step that never comes."""
    while tl.load(begins + place + 1) <= step:
        place += 1
    return place


@triton.jit
def level(levels, place, columns, lane, member):
    """The level of each neuron: 0 before the first step has begun and outside the group."""
    column = tl.where(columns > 1, lane, 0)
    found = tl.load(levels + tl.maximum(place, 0) * columns + column, mask=member, other=0.0)
    return tl.where(place >= 0, found, 0.0)


@triton.jit
def noise(key, step, neuron, member, mean, deviation):
    """Gaussian noise for the neurons of a group, 0 for the others."""
    drawn = normal(step_key(load_unsigned(key), step), neuron).to(mean.dtype)
    return tl.where(member, mean + deviation * drawn, 0.0)


@triton.jit
def counted(key, step, neuron, member, table, weight):
    """Poisson counts of one mean times weights, for the neurons of a group, 0 for the others."""
    counts = poisson(step_key(load_unsigned(key), step), neuron, table)
    return tl.where(member, weight * counts.to(weight.dtype), 0.0)


@triton.jit
def counted_of_mean(key, step, neuron, member, mean, none, some, factorials, weight, REJECTION: tl.constexpr):
    """Poisson counts of each neuron's own mean times weights, for the neurons of a group, 0 for the others."""
    drawn = step_key(load_unsigned(key), step)
    counts = poisson_of_mean(drawn, neuron, mean, none, some, factorials, REJECTION)
    return tl.where(member, weight * counts.to(weight.dtype), 0.0)

"""Poisson counts: the same as those of ``spikelab.sim.random_numbers``, ``fill_poisson`` and ``poisson_of_mean``."""

from __future__ import annotations

import math

import numpy as np
import triton
import triton.language as tl

from spikelab.sim.random_numbers.poisson import _FURTHER_BITS, _HEAD
from spikelab.sim.random_numbers.poisson_of_mean import _INVERTED_BELOW
from spikelab.sim.triton_engine.random_bits import (
    in_upper_half,
    load_unsigned,
    shared_word,
    turned,
    unit_interval,
    word,
)

_FURTHER = tl.constexpr(int(_FURTHER_BITS))
_FIRST_THRESHOLD = tl.constexpr(_HEAD)
#: Means from which counts are drawn by rejection.
INVERTED_BELOW = tl.constexpr(_INVERTED_BELOW)
#: Counts of which the logarithm of the factorial is kept: of a mean of 1000, none so large is ever accepted.
_FACTORIALS = 2048
_LAST_FACTORIAL = tl.constexpr(_FACTORIALS - 1)


@triton.jit
def _thresholds_passed(thresholds, count, x):
    """How many of ``count`` ascending thresholds lie at or below each x, by bisection; all are uint64."""
    size = count * 0 + 1
    while size * 2 <= count:
        size = size * 2
    passed = x.to(tl.int64) * 0
    while size > 0:
        probe = passed + size
        within = probe <= count
        threshold = tl.load(thresholds + probe - 1, mask=within, other=0).to(tl.uint64, bitcast=True)
        passed = tl.where(within & (threshold <= x), probe, passed)
        size = size // 2
    return passed


@triton.jit
def poisson(key, neuron, table):
    """A count for each neuron, int64, all of one mean.

    Args:
        key: ``step_key`` of a stream and a step.
        neuron: numbers of neurons.
        table: from ``poisson_table``, as int64.
    """
    bits = shared_word(key, neuron)
    x = tl.where(in_upper_half(neuron), bits >> 32, bits & 0xFFFFFFFF)
    exact, fast = tl.load(table + 1), tl.load(table + 2)
    tail = x >= load_unsigned(table + 3)
    counts = _thresholds_passed(table + _FIRST_THRESHOLD + exact, fast, x)
    if tl.max(tail.to(tl.int32), 0) > 0:
        other = key ^ _FURTHER
        full = (x << 32) | (word(other, turned(other), neuron.to(tl.uint64)) >> 32)
        further = fast + _thresholds_passed(table + _FIRST_THRESHOLD + fast, exact - fast, full)
        counts = tl.where(tail, further, counts)
    return counts


def log_factorials() -> np.ndarray:
    """ln(k!) for k = 0, 1, ..., float64, for ``poisson_of_mean``."""
    return np.array([math.lgamma(k + 1.0) for k in range(_FACTORIALS)])


@triton.jit
def poisson_of_mean(key, neuron, mean, none, some, factorials, REJECTION: tl.constexpr):
    """A count for each neuron, float64, each of its own mean.

    Args:
        key: ``step_key`` of a stream and a step.
        neuron: numbers of neurons.
        mean: of each, float64, up to 1000.
        none: exp(-mean), float64.
        some: 1 - exp(-mean), with its digits where the mean is small, float64.
        factorials: ``log_factorials``.
        REJECTION: whether any mean is as large as ``INVERTED_BELOW``.
    """
    bits = word(key, turned(key), neuron.to(tl.uint64))
    small = (mean > 0.0) & (mean < INVERTED_BELOW)
    counts = _by_inversion(unit_interval(bits), mean, none, some, small)
    if REJECTION:
        large = mean >= INVERTED_BELOW
        counts = tl.where(large, _by_rejection(bits, tl.where(large, mean, INVERTED_BELOW), large, factorials), counts)
    return counts


@triton.jit
def _by_inversion(u, mean, none, some, wanted):
    probability, rest = none, some
    counts = mean * 0.0
    going = wanted & (u < rest) & (probability > 1e-20)
    while tl.max(going.to(tl.int32), 0) > 0:
        counts = tl.where(going, counts + 1.0, counts)
        probability = tl.where(going, probability * (mean / tl.maximum(counts, 1.0)), probability)
        rest = tl.where(going, rest - probability, rest)
        going = going & (u < rest) & (probability > 1e-20)
    return counts


@triton.jit
def _by_rejection(random_bits, mean, wanted, factorials):
    """Transformed rejection with squeeze, algorithm PTRS of Hörmann 1993."""
    root, logarithm = tl.sqrt(mean), tl.log(mean)
    b = root * 2.53 + 0.931
    a = b * 0.02483 + -0.059
    inverse_alpha = 1.1328 / (b - 3.4) + 1.1239
    accepted = 0.9277 - 3.6224 / (b - 2.0)
    again, attempt = turned(random_bits), tl.full([], 0, tl.uint64)
    counts = mean * 0.0
    going = wanted
    while tl.max(going.to(tl.int32), 0) > 0:
        u = unit_interval(word(random_bits, again, attempt)) - 0.5
        v = unit_interval(word(random_bits, again, attempt + 1))
        attempt = attempt + 2
        side = 0.5 - tl.abs(u)
        count = tl.floor((2.0 * a / side + b) * u + mean + 0.43)
        at_once = (side >= 0.07) & (v <= accepted)
        # beyond the kept factorials, the last one would stand for a larger one and let the count pass
        kept = (count >= 0.0) & (count <= _LAST_FACTORIAL)
        possible = kept & ((side >= 0.013) | (v <= side))
        height = tl.log(v * inverse_alpha / (a / (side * side) + b))
        place = tl.minimum(tl.maximum(count, 0.0), _LAST_FACTORIAL).to(tl.int64)
        below = height <= count * logarithm - mean - tl.load(factorials + place)
        taken = going & (at_once | (possible & below))
        counts = tl.where(taken, count, counts)
        going = going & (taken == 0)
    return counts

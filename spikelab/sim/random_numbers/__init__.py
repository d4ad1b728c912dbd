"""Random numbers that are a pure function of (seed, stream, item, step), whichever thread draws them and when.

    key = stream_key(seed, stream)          # once
    fill_normal(out, step_key(key, step), first, count)       # in compiled code: a number for each item, at each step

``stream_key``, ``step_key`` and those that fill arrays are called from compiled code and from Python; ``limits`` and
``poisson_table`` from Python alone; the others from compiled code.
"""

from spikelab.sim.random_numbers.hashed_bits import (
    GENERATOR,
    bits,
    fill_uniform,
    limits,
    step_key,
    stream_key,
    turned,
    uniform,
    unit_interval,
    word,
)
from spikelab.sim.random_numbers.normal import fill_normal
from spikelab.sim.random_numbers.poisson import fill_poisson, poisson_table
from spikelab.sim.random_numbers.poisson_of_mean import poisson_of_mean

__all__ = [
    "GENERATOR",
    "bits",
    "fill_normal",
    "fill_poisson",
    "fill_uniform",
    "limits",
    "poisson_of_mean",
    "poisson_table",
    "step_key",
    "stream_key",
    "turned",
    "uniform",
    "unit_interval",
    "word",
]

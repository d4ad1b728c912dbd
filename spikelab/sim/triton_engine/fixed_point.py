"""Why results do not depend on the order in which a device happens to work: arriving weights are summed as integers.

Programs that take spikes to one target at the same time add to its buffer in an order of chance. Sums of floating-point
numbers would change with it, and with them, sooner or later, every spike. Sums of integers do not. So a buffer holds
multiples of a power of two, 2**-exponent, as small as 63 bits allow when every synapse of the receptor delivers in the
same step. A weight is cut to such a multiple: for a neuron with a thousand equal synapses that is a relative error of
2**-52, the rounding of a float64.
"""

from __future__ import annotations

import math

import numpy as np

from spikelab.sim.projection import Synapses

#: The sum of all weights at a target stays below 2**62 multiples, half of what an int64 holds.
_BITS = 62
#: Largest exponent for which 2**-exponent is an ordinary number of the type.
_LARGEST = {"float32": 120, "float64": 1000}


def largest_arrival(synapses: Synapses, most_at_once: int) -> float:
    """The largest sum of absolute weights that a projection can bring to one neuron in one step.

    Args:
        synapses: of the projection.
        most_at_once: spikes that a sender can emit in one step.
    """
    connectivity = synapses.connectivity
    if not synapses.count:
        return 0.0
    if np.ndim(synapses.weights) == 0:
        largest = float(np.bincount(connectivity.targets).max()) * abs(float(synapses.weights))
    else:
        largest = float(np.bincount(connectivity.targets, weights=np.abs(synapses.weights)).max())
    return largest * most_at_once


def exponent(largest: float, dtype: str) -> int:
    """The exponent for sums up to ``largest``."""
    if not largest > 0:
        return 0
    # frexp: largest < 2**power
    _, power = math.frexp(largest)
    return min(_LARGEST[dtype], _BITS - power)

"""What a forward pass is asked to keep for the backward pass."""

from __future__ import annotations

from enum import IntFlag


class Keep(IntFlag):
    """What Triton's forward kernels keep. An ``int``, so that it can be an operator's argument.

    ``VALUES``: of every step the fewest values that the backward pass needs, in the input's precision where the neuron
    is linear between its spikes. ``CHECKPOINTS``: the states before every few steps, from which the backward pass runs
    again. With ``COEFFICIENTS``, the gradients of coefficients can be computed too. ``FULL``: values are kept in the
    precision of the states.
    """

    NOTHING = 0
    VALUES = 1
    CHECKPOINTS = 2
    COEFFICIENTS = 4
    FULL = 8

"""What comparing an artefact with the integer simulator said."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verification:
    """One comparison.

    Attributes:
        equal: whether all compared values were the same.
        steps: steps that were run, over all samples.
        compared: numbers that were compared: messages and states of all neurons at all steps.
        first_difference: population, step, neuron and both values of the first that differed; "" where none did.
    """

    equal: bool
    steps: int
    compared: int
    first_difference: str = ""

"""Spatial learning through time: the step's error, and what arrives in the step."""

from __future__ import annotations

from spikelab.learn.rules.layers import Layer
from spikelab.learn.rules.ottt import OTTT
from spikelab.learn.rules.traces import Filter, exponential


class SLTT(OTTT):
    """As OTTT, with what arrives in the step in place of its trace: no layer, the readout included, keeps any past.

    It is the gradient of the mean over steps of the task's loss, for what the readout gives at each step, where errors
    go along no path through time at all.

    Args:
        model: A chain of layers of spiking neurons, of any kind.
        task: Has `class_names`.
        sample_shapes: Name -> shape of each tensor of a sample.

    Raises:
        UnsupportedError: For a model or task that the rule cannot train.

    Source: Meng, Xiao, Yan, Wang, Lin and Luo 2023, ICCV, arXiv 2302.14311. This is its SLTT with all steps; SLTT-K
    learns from K random steps of a sequence.
    """

    def filter_of(self, layer: Layer) -> Filter:
        """None."""
        return exponential(0.0)

"""Speck: integrate-and-fire neurons without leak, 8-bit weights, 16-bit states, sums over windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikelab.hw.lowering.real_graph import RealPopulation
from spikelab.hw.lowering.scales import Grid, Limit
from spikelab.hw.lowering.step_form import CannotLower
from spikelab.hw.neurons.speck import HIGH, SPECK_IF
from spikelab.hw.profiles.profile import Fitted, Profile, Reach, numbers, one_for_all, refuse_other_subtraction, whole


class Speck(Profile):
    """Weights, biases and thresholds of a layer share one unit."""

    name = "speck"
    title = "Speck"
    bits = (2, 8)
    pools = True
    longest_delay = 0

    def grid(self, weights: np.ndarray, bits: int) -> Grid:
        """Two's complement."""
        return Grid(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def limits(self, population: RealPopulation, reach: Reach) -> list[Limit]:
        """Threshold and bias."""
        form = population.form
        bias = np.abs(numbers(form.bias + population.bias)).max()
        threshold = 0.0 if form.v_threshold is None else float(np.abs(numbers(form.v_threshold)).max())
        return [Limit(np.array([bias]), 127.0), Limit(np.array([threshold]), HIGH / 2)]

    def fit(self, population: RealPopulation, unit: np.ndarray) -> Fitted:
        """The chip's one neuron."""
        form = population.form
        if form.v_threshold is None:
            raise CannotLower("is a readout of a membrane; Speck gives out spikes only: end with an IF and count them")
        if form.keep_syn is not None or bool((form.keep_mem != 1).any()):
            raise CannotLower("leaks; Speck's neurons do not (a bias can stand in for a leak): use an IF")
        if form.v_reset is not None and bool((form.v_reset != 0).any()):
            raise CannotLower("resets to another value than it rests at; Speck returns to zero or subtracts")
        refuse_other_subtraction(population, self.title)
        threshold = one_for_all(form.v_threshold, "thresholds", "Speck")
        parameters: dict[str, Any] = {"v_threshold": max(1, int(np.rint(threshold / float(unit.flat[0]))))}
        bias = (form.bias + population.bias) / float(unit.flat[0])
        trained = {"bias": bias} if bias.requires_grad else {}
        if trained or np.any(whole(bias)):
            parameters["bias"] = whole(bias)
        if form.v_reset is not None:
            parameters["return_to_zero"] = 1
        notes = ["a neuron may send several spikes at one step, where the network's sends one"]
        return Fitted(SPECK_IF, parameters, notes, trained)


SPECK = Speck()

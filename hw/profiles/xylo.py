"""Xylo: decays by shifts, several spikes a step, reset by subtraction, thresholds for each neuron."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from spikelab.hw.lowering.real_graph import RealPopulation
from spikelab.hw.lowering.scales import Grid, Limit
from spikelab.hw.lowering.step_form import CannotLower
from spikelab.hw.neurons.xylo import HIGH, XYLO_HIDDEN, XYLO_READOUT
from spikelab.hw.profiles.profile import Fitted, Profile, Reach, along_rows, numbers, refuse_other_subtraction, whole


class Xylo(Profile):
    """8-bit weights with a shift for each group of them."""

    name = "xylo"
    title = "Xylo"
    bits = (2, 8)
    exponents = (0, 7)
    per_row = True
    steps_per_connection = 1
    longest_delay = 0
    graded_inputs = (0, 15)

    def grid(self, weights: np.ndarray, bits: int) -> Grid:
        """Two's complement."""
        return Grid(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def input_factor(self, population: RealPopulation) -> torch.Tensor:
        """The chip's current decays after the input has come, the network's before."""
        if population.form.keep_syn is None:
            return super().input_factor(population)
        shift, _ = _shift(population.form.keep_syn)
        return torch.as_tensor(1 / (1 - 2.0**-shift))

    def limits(self, population: RealPopulation, reach: Reach) -> list[Limit]:
        """The membrane in 16 bits; reset by subtraction needs all of it."""
        return [Limit(np.array([reach.membrane]), float(HIGH), hard=False)]

    def fit(self, population: RealPopulation, unit: np.ndarray) -> Fitted:
        """A readout neuron where nothing listens to it, else a hidden one."""
        form = population.form
        if form.v_threshold is None:
            raise CannotLower("is a readout of a membrane; Xylo gives out spikes: end with a CubaLIF and count them")
        if form.keep_syn is None:
            raise CannotLower("has no synaptic current; Xylo's neurons always have one: use a CubaLIF")
        if form.v_reset is not None:
            raise CannotLower("resets to a value; Xylo takes the threshold off: train with reset='subtract'")
        if bool((form.direct != 0).any()):
            raise CannotLower("feeds its membrane beside the current; use method='semi_implicit_euler'")
        refuse_other_subtraction(population, self.title)
        notes = (
            [] if population.last else ["a neuron may send several spikes at one step, where the network's sends one"]
        )
        shifts = {}
        for name, keep in (("dash_syn", form.keep_syn), ("dash_mem", form.keep_mem)):
            shift, error = _shift(keep)
            shifts[name] = whole(shift)
            if error > 1e-3:
                notes.append(
                    f"{name}: the decay is rounded to a power of two, which changes what is kept by up to {error:.1%}; "
                    f"train with tau = dt · 2^n"
                )
        per = along_rows(unit, len(population.shape))
        parameters: dict[str, Any] = {**shifts, "threshold": whole(form.v_threshold / per)}
        bias = (form.bias + (population.bias + form.bias_syn) / (1 - form.keep_syn)) / per
        trained = {"bias": bias} if bias.requires_grad else {}
        if trained or np.any(whole(bias)):
            parameters["bias"] = whole(bias)
            notes.append("its bias acts on the membrane at once, not through the current as in the network")
        return Fitted(XYLO_READOUT if population.last else XYLO_HIDDEN, parameters, notes, trained)


def _shift(keep: torch.Tensor) -> tuple[np.ndarray, float]:
    kept = numbers(keep)
    shift = np.clip(np.rint(-np.log2(np.maximum(1 - kept, 2.0**-15))), 1, 15)
    return shift, float(np.abs((1 - 2.0**-shift) - kept).max())


XYLO = Xylo()

"""Microcontrollers and other processors: weights of 2 to 8 bits, states of 16 or 32, everything for each neuron."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from spikelab import registry
from spikelab.hw.lowering.real_graph import RealPopulation
from spikelab.hw.lowering.scales import Grid, Limit
from spikelab.hw.neurons.generic import ONE
from spikelab.hw.profiles.profile import Fitted, Profile, Reach, along_rows, numbers, whole


class Generic(Profile):
    """Decays in 2^-15, saturating states; connections take no time.

    Args:
        state_bits: 16 or 32.
    """

    per_row = True
    pools = True
    graded_inputs = (-(2**15), 2**15 - 1)

    def __init__(self, state_bits: int):
        self.name, self.state_bits = ("generic" if state_bits == 32 else "generic16"), state_bits
        self.title = f"a processor with {state_bits}-bit states"
        self.largest = 2 ** (state_bits - 1) - 1
        self.exponents = (0, 12 if state_bits == 32 else 4)

    def grid(self, weights: np.ndarray, bits: int) -> Grid:
        """Two's complement."""
        return Grid(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def limits(self, population: RealPopulation, reach: Reach) -> list[Limit]:
        """The membrane in the width of the state, the threshold well below it."""
        form = population.form
        if form.v_threshold is None or form.v_reset is None:
            return [Limit(np.array([reach.membrane]), float(self.largest))]
        # a membrane that saturates above the threshold fires all the same
        found = [Limit(np.abs(numbers(form.v_threshold)).max(keepdims=True).reshape(1), self.largest / 4)]
        current = Limit(np.array([reach.current]), float(self.largest), hard=False)
        return [*found, current] if form.keep_syn is not None else found

    def fit(self, population: RealPopulation, unit: np.ndarray) -> Fitted:
        """A generic neuron; nothing is approximated but by rounding."""
        form = population.form
        per = along_rows(unit, len(population.shape))
        current = form.keep_syn is not None
        kind = ("cuba_" if current else "") + ("lif" if form.spikes else "li")
        neuron = registry.load("integer_neurons", f"generic_{kind}_{self.state_bits}")
        parameters: dict[str, Any] = {"keep_mem": whole(form.keep_mem * ONE)}
        trained = {"bias": (form.bias + form.direct * population.bias) / per}
        if form.keep_syn is not None:
            parameters["keep_syn"] = whole(form.keep_syn * ONE)
            parameters["direct"] = whole(form.direct * ONE)
            trained["bias_syn"] = (population.bias + form.bias_syn) / per
        else:
            trained["bias"] = trained["bias"] + population.bias / per
        parameters |= {name: whole(value) for name, value in trained.items()}
        if form.v_threshold is not None:
            # whole numbers above a real threshold are those above the next whole one below it
            parameters["v_threshold"] = whole(torch.floor(form.v_threshold / per))
            if form.v_reset is not None:
                parameters["v_reset"] = whole(form.v_reset / per)
            if form.v_subtract is not None:
                # the very threshold, where it is that: one table then serves both
                same = torch.equal(*torch.broadcast_tensors(form.v_subtract, form.v_threshold))
                taken = parameters["v_threshold"] if same else whole(form.v_subtract / per)
                parameters |= {"subtract": 1, "v_subtract": taken}
        kept = {name: value for name, value in parameters.items() if np.any(value) or name in _NEEDED}
        return Fitted(neuron, kept, before_rounding={name: v for name, v in trained.items() if v.requires_grad})


_NEEDED = ("keep_mem", "keep_syn", "v_threshold")
GENERIC = Generic(32)
GENERIC_16 = Generic(16)

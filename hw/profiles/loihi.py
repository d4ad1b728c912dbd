"""Loihi as Lava's fixed-point models compute: 12-bit decays, 24-bit states, a step for each connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from spikelab.hw.loihi_weights import sign_mode_of
from spikelab.hw.lowering.real_graph import RealPopulation
from spikelab.hw.lowering.scales import Grid, Limit
from spikelab.hw.lowering.step_form import CannotLower
from spikelab.hw.neurons.loihi_lif import LARGEST, LOIHI_LIF, NEVER
from spikelab.hw.profiles.profile import Fitted, Profile, Reach, along_rows, numbers, one_for_all, whole

#: Units of the membrane in one of the threshold's.
THRESHOLD_UNIT = 64
LARGEST_THRESHOLD = 2**17 - 1
LARGEST_MANTISSA = 2**12 - 1
#: What arrives at one step is added up in 16 bits, which Lava does not check.
LARGEST_SUM = 2**15 - 1


class Loihi(Profile):
    """Weights of 1 to 8 bits with a sign mode; reset to the resting potential only.

    Args:
        netx: only what a netx file can say: no exponents of weights, biases in units of 64.
    """

    bits = (2, 8)
    per_unit = 64
    steps_per_connection = 1
    steps_from_input = 1
    longest_delay = 62
    graded_inputs = (-(2**23), 2**23)

    def __init__(self, netx: bool = False):
        self.name = "loihi_netx" if netx else "loihi"
        self.title = "Loihi, as far as a netx file can say" if netx else "Loihi"
        self.exponents = (0, 0) if netx else (-8, 7)
        self.bias_exponent = 6 if netx else None

    def grid(self, weights: np.ndarray, bits: int) -> Grid:
        """Mixed weights spend a bit on the sign and are even at 8 bits; others use the full range."""
        mode = sign_mode_of(weights)
        if mode == "mixed":
            return Grid(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 2 ** (9 - bits))
        low, high = (0, 2**bits - 1) if mode == "excitatory" else (1 - 2**bits, 0)
        return Grid(low, high, 2 ** (8 - bits))

    def limits(self, population: RealPopulation, reach: Reach) -> list[Limit]:
        """Threshold, bias, the current, which wraps, and, where nothing resets it, the membrane."""
        form = population.form
        bias = np.abs(numbers(self._bias(population))).max()
        shift = 7 if self.bias_exponent is None else self.bias_exponent
        found = [Limit(np.array([bias]), float(LARGEST_MANTISSA << shift))]
        found.append(Limit(np.array([reach.current]), float(LARGEST), hard=False))
        found.append(Limit(np.array([reach.arriving]), float(LARGEST_SUM * self.per_unit), hard=False))
        if form.v_threshold is None:
            return [*found, Limit(np.array([reach.membrane]), float(LARGEST_THRESHOLD * THRESHOLD_UNIT))]
        threshold = np.abs(numbers(form.v_threshold)).max()
        # half of the range stays for what one step adds
        return [*found, Limit(np.array([threshold]), LARGEST_THRESHOLD * THRESHOLD_UNIT / 2)]

    def _bias(self, population: RealPopulation) -> torch.Tensor:
        """What a constant input adds to the membrane at each step."""
        form = population.form
        if form.keep_syn is None:
            return form.bias + population.bias
        # what a constant input raises the current to in the long run
        return form.bias + (population.bias + form.bias_syn) / (1 - form.keep_syn) + form.direct * population.bias

    def started_late(self, steps: int) -> Mapping[str, int] | None:
        """The reset of Lava's LIFReset, once; a netx file does not have it."""
        return None if self.bias_exponent is not None else {"reset_interval": NEVER, "reset_offset": steps + 1}

    def fit(self, population: RealPopulation, unit: np.ndarray) -> Fitted:
        """Loihi's current-based neuron; a layer without a current empties it at each step."""
        form, notes = population.form, []
        if form.spikes and form.v_reset is None:
            raise CannotLower("subtracts its threshold; Loihi resets to the resting potential: train with reset='zero'")
        if form.v_reset is not None and bool((form.v_reset != 0).any()):
            raise CannotLower("resets to another value than it rests at; Loihi cannot: set v_reset = v_leak")
        if bool((form.direct != 0).any()):
            first = 1 + float(form.direct.min())
            notes.append(
                f"in the step in which a spike arrives, the network's membrane moves by {first:.0%} of what Loihi's "
                f"does, so spikes come at other times; train with method='semi_implicit_euler', which Loihi computes"
            )
        if form.keep_syn is not None and bool((population.bias != 0).any()):
            notes.append("its bias acts on the membrane at once, not through the current as in the network")
        keep_mem = one_for_all(form.keep_mem, "membrane time constants", "Loihi")
        parameters: dict[str, Any] = {"du": 4095, "dv": int(np.rint(4096 * (1 - keep_mem)))}
        if form.keep_syn is not None:
            keep_syn = one_for_all(form.keep_syn, "synaptic time constants", "Loihi")
            parameters["du"] = int(np.rint(4096 * (1 - keep_syn))) - 1
        per = float(along_rows(unit, 1))
        parameters["vth"] = LARGEST_THRESHOLD
        if form.v_threshold is not None:
            threshold = one_for_all(form.v_threshold, "thresholds", "Loihi")
            if threshold < 0:
                raise CannotLower("has a threshold below its resting potential; Loihi's is not negative")
            parameters["vth"] = int(np.rint(threshold / per / THRESHOLD_UNIT))
        bias = self._bias(population) / per
        largest = float(bias.detach().abs().max())
        exponent = self.bias_exponent
        if exponent is None:
            exponent = max(0, int(np.ceil(np.log2(max(largest, 1.0) / LARGEST_MANTISSA))))
        bias = bias / 2**exponent
        trained = {"bias_mant": bias} if bias.requires_grad else {}
        if trained or np.any(whole(bias)):
            parameters |= {"bias_mant": whole(bias), "bias_exp": exponent}
        return Fitted(LOIHI_LIF, parameters, notes, trained)


LOIHI = Loihi()
LOIHI_NETX = Loihi(netx=True)
__all__ = ["LARGEST", "LOIHI", "LOIHI_NETX", "Loihi"]

"""Range limits of chips that the vendors' simulators leave unchecked, in a graph and in what happens on real data.

Lava's fixed-point models take a sum of more than 16 bits, nine-bit weights and delays of any length, and go on; the
chip does not. What a chip holds in a neuron's parameter is checked when a graph is made (``IntegerParameter``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from spikelab.hw.checks.observed_limits import observed_violations
from spikelab.hw.checks.range_violation import RangeViolation
from spikelab.hw.connections import Connection, Dense
from spikelab.hw.integer import simulate
from spikelab.hw.ir import IntegerGraph, Population
from spikelab.hw.loihi_weights import sign_mode_of, stored_weights
from spikelab.hw.simulation.neuron_kernel import parameters_of


@dataclass(frozen=True)
class _Chip:
    """Limits that belong to connections into a family of neurons."""

    name: str
    weights: str
    exponents: tuple[int, int]
    longest_delay: int
    messages_in: tuple[int, int]


# Loihi: delays of 6 bits and weight exponents of 4 with sign, nengo-loihi 1.1; graded messages of 24 bits as in Lava
# 0.10.0's models. Xylo: rockpool 3.1.0's documentation of the chip and its weight shift. Speck: sinabs 3.1.3.
_CHIPS = {
    "loihi": _Chip("Loihi", "loihi", (-8, 7), 63, (-(2**23), 2**23 - 1)),
    "xylo": _Chip("Xylo", "int8", (0, 7), 0, (0, 15)),
    "speck": _Chip("Speck", "int8", (0, 0), 0, (-(2**15), 2**15 - 1)),
}
#: Parameters that are shifted by others before use, and so may leave the 24 bits of a state.
_SHIFTED: dict[str, dict[str, tuple[str, ...]]] = {
    "loihi_delta": {"vth": ("spike_exp", "state_exp")},
    "loihi_sigma_delta": {"vth": ("spike_exp", "state_exp"), "bias": ("spike_exp", "state_exp")},
    "loihi_rf": {"vth": ("state_exp",)},
    "loihi_rf_iz": {"vth": ("state_exp",)},
}


def check_limits(graph: IntegerGraph, inputs: Mapping[str, np.ndarray] | None = None) -> list[RangeViolation]:
    """Everything that a chip would not hold or do as the simulator does.

    Args:
        graph: the network.
        inputs: input -> messages [T, B, *shape]; where given, the graph is run on them from a fresh start, and sums,
            states and messages are checked too. Silent neurons are silent on these data only.

    Raises:
        ValueError: as ``simulate`` does, for input that does not fit.
    """
    found = [*_static(graph)]
    if inputs is not None:
        run = simulate(graph, inputs, record=True)
        for population in graph.populations:
            found += observed_violations(population, run)
    return found


def _static(graph: IntegerGraph) -> Iterator[RangeViolation]:
    for c in graph.connections:
        chip = _CHIPS.get(graph.population(c.target).neuron.name.split("_")[0])
        if chip is not None:
            yield from _connection(c, chip)
            if c.source in graph.inputs:
                given, (low, high) = graph.inputs[c.source], chip.messages_in
                if given.low < low or given.high > high:
                    yield RangeViolation(
                        f"input {c.source!r}",
                        "input range",
                        f"messages of {given.low} to {given.high}",
                        f"{chip.name} takes {low} to {high} a step",
                        "Clip what is sent, or spread it over several steps.",
                        True,
                    )
    for population in graph.populations:
        yield from _parameters(population)


def _connection(c: Connection, chip: _Chip) -> Iterator[RangeViolation]:
    where, weight = f"connection {c.source!r} -> {c.target!r}", c.weights.weight
    stored = stored_weights(weight) if chip.weights == "loihi" else np.clip(weight, -128, 127)
    wrong = int(np.count_nonzero(stored != weight))
    if wrong:
        mode = f" with {sign_mode_of(weight)} signs" if chip.weights == "loihi" else ""
        kept = f"{stored.min()} to {stored.max()}" + (" in steps of 2" if "mixed" in mode else "")
        yield RangeViolation(
            where,
            "weights",
            f"{wrong} of {weight.size} weights, {weight.min()} to {weight.max()}, cannot be stored",
            f"{chip.name} has 8 bits{mode}, here {kept}",
            "Quantise with fewer bits or another exponent.",
            True,
            wrong,
        )
    low, high = chip.exponents
    if not low <= c.exponent <= high:
        yield RangeViolation(
            where, "exponent", str(c.exponent), f"{chip.name} has {low} to {high}", "Rescale the weights.", True
        )
    dropped = int(np.count_nonzero(stored & ((1 << min(max(-c.exponent, 0), 62)) - 1)))
    if dropped:
        yield RangeViolation(
            where,
            "weights",
            f"{dropped} weights have low bits that an exponent of {c.exponent} drops",
            "Lava's models drop them off the sum, the chip off each weight (nengo-loihi)",
            f"Make all weights multiples of {1 << -c.exponent}.",
            True,
            dropped,
        )
    further = int(c.weights.delay.max(initial=0)) if isinstance(c.weights, Dense) and c.weights.delay is not None else 0
    # a step is what it takes at least
    extra = max(c.delay - 1, 0) + further
    if extra > chip.longest_delay:
        yield RangeViolation(
            where,
            "delay",
            f"{extra} steps beyond the usual one",
            f"{chip.name} has at most {chip.longest_delay}",
            "Shorten it, or put neurons in between that pass spikes on.",
            True,
        )


def _parameters(population: Population) -> Iterator[RangeViolation]:
    values = parameters_of(population)
    for name, shifts in _SHIFTED.get(population.neuron.name, {}).items():
        largest = int(np.abs(values[name]).max(initial=0)) << sum(int(values[s].max(initial=0)) for s in shifts)
        if largest >= 2**23:
            yield RangeViolation(
                f"population {population.name!r}",
                "parameter",
                f"{name} is {largest} when shifted by {' + '.join(shifts)}",
                "the states have 24 bits, up to 8388607",
                f"Lower {name} or {shifts[-1]}.",
                True,
            )

"""The tables of all plasticity kernels: which entries there are, the lines that take them apart, and their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spikelab.sim.numba_engine.population_state import PopulationState
from spikelab.sim.numba_engine.spike_log import SpikeLog
from spikelab.sim.plasticity.spec import PlasticitySpec
from spikelab.sim.projection import Projection

#: Shape of an array with a number for each target.
FLAT = "(size_ + LANES - 1) // LANES * LANES"


@dataclass(frozen=True)
class Layout:
    """The entries of a kernel's table: name -> "" for a number, or "dtype, shape" of the array at an address."""

    entries: Mapping[str, str]

    def unpack(self, used: set[str]) -> list[str]:
        """The lines that take the table apart: all numbers, and the arrays that are used."""
        lines = ["threads_ = array_at(table_[0], (6,), np.int64)[5]"]
        for place, (name, what) in enumerate(self.entries.items()):
            if what and name not in used:
                continue
            if what:
                dtype, shape = what.split(", ", 1)
                lines.append(f"{name} = array_at(table_[{place}], ({shape},), {dtype})")
            else:
                lines.append(f"{name} = table_[{place}]")
        return lines

    def table(self, values: Mapping[str, int | np.ndarray]) -> dict[str, int | np.ndarray]:
        """The values in the table's order."""
        if set(values) != set(self.entries):
            raise AssertionError(f"entries differ: {sorted(set(values) ^ set(self.entries))}")
        return {name: values[name] for name in self.entries}


def constant_names(spec: PlasticitySpec) -> list[str]:
    """Names of the numbers that a rule's lines may use, in the order of ``constants_``."""
    rests = [f"rest_{each.name}_" for each in (*spec.pre, *spec.post)]
    return [*spec.parameter_names, "w_min_", "w_max_", *rests, "dt_"]


def layout_with(spec: PlasticitySpec, own: Mapping[str, str]) -> Layout:
    """The entries that every strategy has, for a part of a projection, and a strategy's own.

    Args:
        spec: the rule.
        own: entries that are added, or take the place of common ones; numbers before the arrays whose shapes they are.
    """
    # the first entry also tells how many threads there are: see ``unpack``
    numbers = ("target_log_", "size_", "first_", "last_", "log_", "source_first_", "senders_", "synapses_", "slots_")
    common = {
        **dict.fromkeys(numbers, ""),
        "bounds_": "np.int64, threads_ + 1",
        "constants_": f"FLOAT, {len(constant_names(spec))}",
        "starts_": "np.int64, threads_ + 1, senders_",
        "targets_": "INDEX, synapses_",
        "weights_": "FLOAT, synapses_",
        "since_": "np.int64, threads_, senders_",
        **{f"pre_{each.name}_": "FLOAT, threads_, senders_" for each in spec.pre},
        "ring_": f"FLOAT, slots_, {FLAT}",
    }
    return Layout({**common, **own})


def common_values(
    projection: Projection, target: PopulationState, logs: Mapping[str, SpikeLog]
) -> dict[str, int | np.ndarray]:
    """The values of the common entries that the projection and its two populations decide.

    Args:
        projection: the projection.
        target: the target population.
        logs: by population.
    """
    group, source = projection.target, projection.source
    return {
        "target_log_": logs[group.population.name].header,
        "size_": group.population.size,
        "first_": group.first,
        "last_": group.first + group.size,
        "log_": logs[source.population.name].header,
        "source_first_": source.first,
        "senders_": source.size,
        "slots_": target.slots,
        "ring_": target.rings[projection.receptor],
    }

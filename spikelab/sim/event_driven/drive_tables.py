"""Sources and inputs as tables: Poisson trains, given spikes, steps of currents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spikelab.sim.event_driven.currents import Currents
from spikelab.sim.event_driven.trains import Trains, draw_first
from spikelab.sim.event_driven.wiring_table import receptor_number
from spikelab.sim.inputs import PoissonInput, StepCurrent
from spikelab.sim.random_numbers import stream_key
from spikelab.sim.sources import PoissonSource, SpikeArray
from spikelab.sim.streams import STREAM_OF_SOURCES
from spikelab.sim.units import si

if TYPE_CHECKING:
    from spikelab.sim.network import Network


def build_trains(network: Network, first_neurons: dict[str, int]) -> Trains:
    """The Poisson trains, each at its first spike; ``first_neurons``: population -> number of its first neuron."""
    rows: list[list[int]] = []
    sizes: list[int] = []
    keys: list[np.uint64] = []
    widths: list[float] = []
    rates, weights = [np.zeros(0)], [np.zeros(0)]

    def add(
        key: Any, size: int, rate: np.ndarray, bins: int, width: float, ends: list[int], weight: np.ndarray
    ) -> None:
        """``rate`` is [1 or size, bins or 1]; ``ends`` are emitter, target and receptor."""
        stride = rate.shape[1] if rate.shape[0] > 1 else 0
        rates_at, weights_at = sum(each.size for each in rates), sum(each.size for each in weights)
        rows.append([sum(sizes), rates_at, stride, bins, *ends, weights_at, int(weight.size > 1)])
        sizes.append(size)
        keys.append(key)
        widths.append(width)
        rates.append(rate.ravel())
        weights.append(weight)

    for place, (name, population) in enumerate(network.populations.items()):
        if isinstance(population.source, PoissonSource):
            probability, steps = population.source.checked(name, population.size, network.dt)
            key = stream_key(network.seed, STREAM_OF_SOURCES + place)
            bins = probability.shape[0] if steps else 0
            rate = np.ascontiguousarray((probability / network.dt).T)
            add(key, population.size, rate, bins, steps * network.dt, [first_neurons[name], -1, -1], np.zeros(1))
    for record in network.inputs:
        if isinstance(record.input, PoissonInput):
            group = record.target
            mean, weight = record.numbers
            ends = [-1, first_neurons[group.population.name] + group.first]
            ends.append(receptor_number(group.population.receptors, record.receptor))
            add(record.key, group.size, mean[:, None] / network.dt, 0, 0.0, ends, weight)
    trains = Trains(
        np.array(rows, np.int64).reshape(-1, 9),
        np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
        np.array(keys, np.uint64),
        np.array(widths, float),
        np.concatenate(rates),
        np.concatenate(weights),
        np.zeros(sum(sizes)),
        np.zeros(sum(sizes), np.int64),
    )
    draw_first(trains)
    return trains


def build_given(network: Network, first_neurons: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """The spikes of all spike arrays: (times in seconds, ascending; which neurons)."""
    times, neurons = [np.zeros(0)], [np.zeros(0, np.int64)]
    for name, population in network.populations.items():
        if isinstance(population.source, SpikeArray):
            population.source.checked(name, population.size, network.dt)
            times.append(np.atleast_1d(np.asarray(si(population.source.times, "s", f"{name}: times"), float)))
            neurons.append(np.atleast_1d(np.asarray(population.source.neurons, np.int64)) + first_neurons[name])
    when, who = np.concatenate(times), np.concatenate(neurons)
    order = np.lexsort((who, when))
    return when[order], who[order]


def build_currents(network: Network, first_neurons: dict[str, int], bias: np.ndarray) -> Currents:
    """The step currents; ``bias`` is the constant input of each cell."""
    table: list[list[int]] = []
    steps: list[tuple[float, int, int]] = []
    values = [np.zeros(0)]
    levels = 0
    for record in network.inputs:
        if not isinstance(record.input, StepCurrent):
            continue
        group = record.target
        times = np.atleast_1d(np.asarray(si(record.input.times, "s", f"{record}: times"), float))
        rows = record.numbers[1]
        place, width = sum(each.size for each in values), rows.shape[1]
        steps += [(float(time), len(table), place + k * width) for k, time in enumerate(times)]
        table.append([first_neurons[group.population.name] + group.first, group.size, levels, int(width > 1)])
        values.append(np.ascontiguousarray(rows).ravel())
        levels += group.size
    steps.sort()
    return Currents(
        np.array(table, np.int64).reshape(-1, 4),
        np.zeros(levels),
        bias,
        np.array([time for time, _, _ in steps], float),
        np.array([step[1:] for step in steps], np.int64).reshape(-1, 2),
        np.concatenate(values),
        np.zeros(1, np.int64),
    )

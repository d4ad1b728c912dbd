"""A network in NEST's kernel: its nodes, their connections and devices, and how they start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from spikelab.sim.nest_engine.clock import Clock
from spikelab.sim.nest_engine.devices import add_input, add_source, noise_mean
from spikelab.sim.nest_engine.nest_units import NEST_UNITS
from spikelab.sim.nest_engine.neurons import NestPopulation
from spikelab.sim.nest_engine.node_values import NodeValues
from spikelab.sim.nest_engine.plastic_weights import PlasticWeights
from spikelab.sim.nest_engine.support import ELSEWHERE, NotSupported
from spikelab.sim.nest_engine.synapses import connect

if TYPE_CHECKING:
    from spikelab.sim.network import Network

#: Threshold in mV that no neuron reaches before time 0.
_OUT_OF_REACH = 1e9


def make_nodes(nest: Any, network: Network, neurons: Mapping[str, NestPopulation], clock: Clock) -> dict[str, Any]:
    """The nodes of each population that is not empty: its neurons, or the relays of a source."""
    nodes = {}
    for name, population in network.populations.items():
        if population.size:
            own = neurons.get(name)
            nodes[name] = add_source(nest, population, clock) if own is None else _create(nest, own)
    return nodes


def connect_all(
    nest: Any,
    network: Network,
    neurons: Mapping[str, NestPopulation],
    nodes: Mapping[str, Any],
    clock: Clock,
    rules: bool,
) -> dict[int, PlasticWeights]:
    """Connects projections and inputs.

    Returns:
        number of each plastic projection -> what reads its weights.
    """
    taus: dict[str, float] = {}
    plastic = {}
    for projection in network.projections:
        source, target = projection.source.population.name, projection.target.population.name
        if not (projection.source.size and projection.target.size):
            continue
        ends, cells = (nodes[source], nodes[target]), neurons[target]
        model, tau_minus = connect(nest, network, projection, *ends, cells, rules)
        if tau_minus and taus.setdefault(target, tau_minus) != tau_minus:
            raise NotSupported(
                f"{projection}: tau_minus = {tau_minus:g} ms, but another plastic projection onto {target} has "
                f"{taus[target]:g} ms, and in NEST it belongs to the neuron: give both one value, or {ELSEWHERE}"
            )
        if projection.plasticity is not None:
            plastic[projection.number] = PlasticWeights(nest, network, projection, model, *ends, cells)
    for name, tau in taus.items():
        nodes[name].set(tau_minus=tau)
    for record in network.inputs:
        if record.target.size:
            name = record.target.population.name
            add_input(nest, record, nodes[name], neurons[name], clock)
    return plastic


def _create(nest: Any, neurons: NestPopulation) -> Any:
    """The nodes of a population, without a threshold that they could reach yet."""
    size, row = neurons.population.size, neurons.row
    fixed: dict[str, Any] = dict(row.fixed)
    each_has_own = any(np.ndim(value) for values in neurons.lists.values() for value in values)
    if not each_has_own:
        fixed.update(neurons.lists)
    # a list of values for a node can only be told from one value for each node in a model's defaults
    model = f"{row.model}_{neurons.population.name}"
    nest.CopyModel(row.model, model, fixed)
    nodes = nest.Create(model, size)
    nodes.set(neurons.parameters)
    if each_has_own:
        rows = {name: np.stack([np.broadcast_to(v, size) for v in each], 1) for name, each in neurons.lists.items()}
        nodes.set([{name: values[n].tolist() for name, values in rows.items()} for n in range(size)])
    if "Delta_T" not in neurons.parameters:
        nodes.set(V_th=_OUT_OF_REACH)
    return nodes


def start(nest: Any, network: Network, neurons: NestPopulation, nodes: Any) -> None:
    """Gives neurons their thresholds, constant input and starting values."""
    population = neurons.population
    assert population.neuron is not None
    nodes.set(V_th=neurons.parameters["V_th"])
    constant = np.full(population.size, population.bias, float)
    for record in network.inputs:
        if record.target.population is population:
            constant[record.target.first : record.target.first + record.target.size] += noise_mean(record)
    nodes.set(I_e=constant * NEST_UNITS[population.neuron.input_unit])
    for state in neurons.start:
        values = NodeValues(nest, neurons, nodes, state)
        if values.known:
            values[:] = neurons.start[state]
        elif np.any(neurons.start[state]):
            raise NotSupported(
                f"population {population.name}: NEST's {neurons.row.model} cannot be given a starting value of "
                f"{state!r}: let it start at 0, or {ELSEWHERE}"
            )

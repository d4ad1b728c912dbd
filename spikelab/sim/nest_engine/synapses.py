"""Projections as connections of NEST: our own arrays, or the rule that they would be drawn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spikelab.sim.distributions import Distribution
from spikelab.sim.nest_engine.nest_units import NEST_UNITS
from spikelab.sim.nest_engine.neurons import NestPopulation, Port, Signs
from spikelab.sim.nest_engine.plastic import row_of, synapse_model
from spikelab.sim.nest_engine.support import NotSupported
from spikelab.sim.nest_engine.wiring_rules import GIVEN, connection, drawn, signs_of
from spikelab.sim.projection import Projection, Synapses
from spikelab.sim.units import si

if TYPE_CHECKING:
    from spikelab.sim.network import Network

#: Synapses that are handed over at once: NEST copies the arrays.
_AT_ONCE = 1 << 21


def by_rule(projection: Projection, rules: bool) -> bool:
    """Whether NEST draws the synapses of a projection."""
    return rules and not isinstance(projection.wiring, GIVEN)


def arriving(network: Network, rules: bool) -> dict[str, dict[str, Signs]]:
    """Population -> receptor -> which weights arrive there."""
    found: dict[str, dict[str, Signs]] = {name: {} for name in network.populations}

    def add(population: Any, receptor: str, signs: Signs) -> None:
        of = found[population.name]
        of[receptor] = of.get(receptor, Signs()) | signs

    for projection in network.projections:
        target = projection.target.population
        if by_rule(projection, rules):
            signs = signs_of(projection.weight, target.receptors[projection.receptor], f"{projection}: weight")
            _check_sign(projection, signs)
        else:
            weights = network.synapses(projection).weights
            signs = Signs(
                bool(np.size(weights) and np.max(weights) > 0), bool(np.size(weights) and np.min(weights) < 0)
            )
        add(target, projection.receptor, signs)
    for record in network.inputs:
        if type(record.input).__name__ == "PoissonInput":
            weights = record.numbers[1]
            add(record.target.population, record.receptor, Signs(bool((weights > 0).any()), bool((weights < 0).any())))
    return found


def _check_sign(projection: Projection, signs: Signs) -> None:
    sign = projection.source.population.sign
    if {"excitatory": signs.negative, "inhibitory": signs.positive}.get(sign, False):
        raise NotSupported(
            f"{projection}: NEST could draw weights of both signs for an {sign} population, whose weights must all "
            f"have one (Dale's law): take a TruncatedNormal, or leave the option wiring out"
        )


def shortest_delay(network: Network, rules: bool) -> int:
    """Steps of the shortest delay, as far as it is known before NEST draws."""
    found = []
    for projection in network.projections:
        if not by_rule(projection, rules):
            delays = network.synapses(projection).delays
            found += [int(np.min(delays))] if np.size(delays) and network.synapses(projection).count else []
        elif not isinstance(projection.delay, Distribution):
            found.append(round(float(si(projection.delay, "s", f"{projection}: delay")) / network.dt))
        else:
            return 1
    return max(1, min(found, default=1))


def connect(
    nest: Any, network: Network, projection: Projection, source: Any, target: Any, nodes: NestPopulation, rules: bool
) -> tuple[str, float]:
    """Makes a projection's connections.

    Args:
        nest: PyNEST.
        network: the network.
        projection: one of its projections.
        source: NEST's nodes of the source's whole population.
        target: of the target's.
        nodes: the target's translation.
        rules: whether NEST draws the synapses.

    Returns:
        (the synapse model, tau_minus in ms that the target's neurons need or 0).
    """
    port, row = nodes.ports[projection.receptor], row_of(projection)
    unit = nodes.population.receptors[projection.receptor]
    model, tau_minus = ("static_synapse", 0.0)
    if row is not None:
        model, tau_minus = synapse_model(nest, projection, row, nodes, port)
    if by_rule(projection, rules):
        _by_rule(nest, network, projection, source, target, port, unit, model)
    else:
        synapses = network.synapses(projection)
        _arrays(nest, projection, synapses, network.dt, source, target, port, unit, model)
    return model, tau_minus


def _arrays(
    nest: Any,
    projection: Projection,
    synapses: Synapses,
    dt: float,
    source: Any,
    target: Any,
    port: Port,
    unit: str,
    model: str,
) -> None:
    count = synapses.count
    first = source[0].global_id + projection.source.first if count else 0
    targets = synapses.connectivity.targets
    senders = synapses.senders() if count else np.zeros(0, np.int64)
    for begin in range(0, count, _AT_ONCE):
        part = slice(begin, min(begin + _AT_ONCE, count))
        size = part.stop - part.start
        whom = targets[part].astype(np.int64)
        weights = np.full(size, _part(synapses.weights, part), float) * NEST_UNITS[unit]
        factor = port.factor[whom] if isinstance(port.factor, np.ndarray) else port.factor
        spec = {
            "synapse_model": model,
            "weight": weights * factor,
            "delay": np.full(size, _part(synapses.delays, part), float) * (dt * 1e3),
        }
        if port.number:
            spec["receptor_type"] = np.full(size, port.number)
        nest.Connect(first + senders[part], target[0].global_id + whom, "one_to_one", spec)


def _part(values: float | np.ndarray, part: slice) -> float | np.ndarray:
    return values[part] if isinstance(values, np.ndarray) and values.ndim else values


def _by_rule(
    nest: Any,
    network: Network,
    projection: Projection,
    source: Any,
    target: Any,
    port: Port,
    unit: str,
    model: str,
) -> None:
    if isinstance(port.factor, np.ndarray):
        raise NotSupported(
            f"{projection}: weights onto the receptor 'current' differ from neuron to neuron in NEST, where such a "
            f"spike moves the membrane; leave the option wiring out, or use a delta receptor"
        )
    pre, post = projection.source, projection.target
    weight = drawn(nest, projection.weight, unit, f"{projection}: weight")
    delay = drawn(nest, projection.delay, "s", f"{projection}: delay")
    spec = {
        "synapse_model": model,
        "weight": weight * (NEST_UNITS[unit] * float(port.factor)),
        "delay": delay * 1e3,
        **({"receptor_type": port.number} if port.number else {}),
    }
    rule = connection(projection.wiring, str(projection))
    nest.Connect(source[pre.first : pre.first + pre.size], target[post.first : post.first + post.size], rule, spec)

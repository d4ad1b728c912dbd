"""From a projection's rule, weights and delays to arrays of synapses."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikelab.sim.distributions import values
from spikelab.sim.projection import Projection, Synapses
from spikelab.sim.random_numbers import stream_key
from spikelab.sim.units import warn_of_units
from spikelab.sim.wiring.connectivity import Connectivity

#: Longest delay in steps: a receptor's buffer is as long.
LONGEST_DELAY = 1 << 16


def make_synapses(projection: Projection, dt: float, key: int, dtype: np.dtype) -> Synapses:
    """Wires a projection and draws its weights and delays.

    Args:
        projection: the record.
        dt: time step in seconds.
        key: of its random numbers.
        dtype: of the weights.

    Raises:
        ValueError: for a delay below dt or not a number, a weight that is not a number or has the wrong sign.
    """
    source, target = projection.source, projection.target
    connectivity = projection.wiring.connect(
        source.size,
        target.size,
        int(stream_key(key, 0)),
        same=source.population is target.population,
        offset=source.first - target.first,
        source_positions=_positions(source),
        target_positions=_positions(target),
    )
    unit = target.population.receptors[projection.receptor]
    if projection.weight is not None and connectivity.values is not None:
        raise ValueError(f"{projection}: the wiring brings weights of its own; leave out weight")
    if connectivity.values is not None:
        weights: float | np.ndarray = connectivity.values
    elif projection.weight is None:
        raise ValueError(f"{projection}: weight is missing; only a wiring that brings weights can do without")
    else:
        weights = _of_synapses(projection.weight, unit, connectivity, int(stream_key(key, 1)), f"{projection}: weight")
    if projection.receptor in target.population.conductances:
        check_conductances(weights, True, str(projection))
    else:
        _check_sign(weights, source.population.sign, str(projection))
    warn_of_units(weights, unit, f"{projection}: weight")
    seconds = delays_in_seconds(projection, connectivity, key)
    warn_of_units(seconds, "s", f"{projection}: delay")
    delays = _in_steps(seconds, dt, str(projection))
    return Synapses(
        connectivity.within(target.first, target.population.size),
        weights if isinstance(weights, float) else weights.astype(dtype),
        delays,
    )


def delays_in_seconds(projection: Projection, connectivity: Connectivity, key: int) -> float | np.ndarray:
    """The delays as they were given or drawn, not rounded to steps: one number, or float64 [synapses]."""
    return _of_synapses(projection.delay, "s", connectivity, int(stream_key(key, 2)), f"{projection}: delay")


def _positions(group: Any) -> np.ndarray | None:
    where = group.population.positions
    return None if where is None else where[group.first : group.first + group.size]


def _of_synapses(value: Any, unit: str, connectivity: Connectivity, key: int, what: str) -> float | np.ndarray:
    found = values(value, unit, len(connectivity), key, what)
    if isinstance(found, np.ndarray):
        # values that were given belong to the pairs as they were given; drawn ones to nothing yet
        return connectivity.arranged(found)
    return float(found)


def check_conductances(weights: float | np.ndarray, conductance: bool, what: str) -> None:
    """Refuses a negative conductance: whether it excites is for its reversal potential to say, not for its sign."""
    if conductance and np.size(weights) and np.min(weights) < 0:
        raise ValueError(
            f"{what}: weight {np.min(weights):g} is a conductance, which is never negative; inhibition is a reversal "
            f"potential below threshold"
        )


def _check_sign(weights: float | np.ndarray, sign: str, what: str) -> None:
    if not np.size(weights):
        return
    wrong = {"excitatory": np.min(weights) < 0, "inhibitory": np.max(weights) > 0}.get(sign, False)
    if wrong:
        worst = np.min(weights) if sign == "excitatory" else np.max(weights)
        raise ValueError(
            f"{what}: weight {worst:g} of an {sign} population; its weights must all have one sign (Dale's law)"
        )


def _in_steps(seconds: float | np.ndarray, dt: float, what: str) -> int | np.ndarray:
    """Delays in steps: one value must be a whole number of them, several are rounded to the nearest."""
    if not np.size(seconds):
        return np.zeros(0, np.uint8)
    shortest, longest = float(np.min(seconds)), float(np.max(seconds))
    if shortest < 0:
        raise ValueError(f"{what}: delay {shortest:g} s is negative")
    if shortest < dt * (1 - 1e-6):
        raise ValueError(f"{what}: delay {shortest:g} s is below the time step of {dt:g} s; no spike arrives sooner")
    if longest > LONGEST_DELAY * dt:
        raise ValueError(
            f"{what}: delay {longest:g} s is more than {LONGEST_DELAY} steps of {dt:g} s; take a longer step"
        )
    if isinstance(seconds, float):
        steps = round(seconds / dt)
        if abs(steps * dt - seconds) > 1e-6 * seconds:
            raise ValueError(f"{what}: delay {seconds:g} s is no whole number of steps of {dt:g} s")
        return steps
    whole = np.round(seconds / dt)
    if (whole == whole[0]).all():
        return int(whole[0])
    dtype = next(each for each in (np.uint8, np.uint16, np.int32) if whole.max() <= np.iinfo(each).max)
    return whole.astype(dtype)

"""Limits of chips in a recorded run: sums, states and messages beyond their width, and neurons that say nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from spikelab.hw.checks.numpy_arithmetic import work_out
from spikelab.hw.checks.range_violation import RangeViolation
from spikelab.hw.integer import IntegerRun
from spikelab.hw.ir import Population
from spikelab.hw.neuron import MESSAGE, STEP
from spikelab.hw.simulation.neuron_kernel import parameters_of

#: Share of steps that a neuron may spend at the limit of its range before it is said to sit there.
_MOST_CLIPPED = 0.5
_SMALLER = "Scale the weights of this population down, with its threshold and bias."


def observed_violations(population: Population, run: IntegerRun) -> Iterator[RangeViolation]:
    """What the data show of one population."""
    neuron, where = population.neuron, f"population {population.name!r}"
    flat = {name: _flat(values) for name, values in run.states[population.name].items()}
    sums = {port: _flat(values) for port, values in run.inputs[population.name].items()}
    messages = _flat(run.messages[population.name])
    if messages.size == 0:
        return
    for port, values in sums.items():
        yield from _beyond(where, "sum", f"what arrives at {port!r} in a step", values, neuron.input_bits)
    for state in neuron.states:
        yield from _beyond(where, "state", state.name, flat[state.name], state.bits)
    if neuron.message_bits > 1:
        yield from _beyond(where, "message", "the message", messages, neuron.message_bits)
    elif messages.min() < 0 or messages.max() > 1:
        yield _violation(
            where,
            "message",
            f"messages of {messages.min()} to {messages.max()}",
            "spikes are 0 or 1",
            "Use a neuron with graded messages.",
            (messages < 0) | (messages > 1),
            True,
        )
    steps = len(messages)
    before = {name: np.concatenate([np.zeros_like(v[:1]), v[:-1]]) for name, v in flat.items()}
    number = np.arange(1, steps + 1, dtype=np.int64)[:, None, None]
    worked = work_out(neuron, {**before, **sums, **parameters_of(population), STEP: number})
    for (name, limit), mask in worked.clipped.items():
        if mask.any():
            mask = np.broadcast_to(mask, messages.shape)
            yield _violation(
                where, "saturation", f"{name} was cut to {limit}", "the true value is lost", _SMALLER, mask, False
            )
            if (sits := mask.mean((0, 1)) > _MOST_CLIPPED).any():
                share = f"{name} is at {limit} in more than {_MOST_CLIPPED:.0%} of the steps"
                yield _violation(where, "at limit", share, "such a neuron says little", _SMALLER, sits, False)
    for name, mask in worked.wrapped.items():
        if mask.any():
            mask = np.broadcast_to(mask, messages.shape)
            yield _violation(
                where,
                "wrap",
                f"{name} left its range and changed sign",
                "the true value is lost",
                _SMALLER,
                mask,
                False,
            )
    yield from _activity(population, messages)


def _activity(population: Population, messages: np.ndarray) -> Iterator[RangeViolation]:
    if dict(population.neuron.assignments)[MESSAGE] == 0:
        return  # it never sends anything
    where = f"population {population.name!r}"
    active = (messages != 0).mean((0, 1))
    if (active == 0).any():
        yield _violation(
            where,
            "dead",
            "no message on these data",
            "such a neuron says nothing",
            "Lower the threshold, or leave the neurons out.",
            active == 0,
            False,
        )
    if (active == 1).any():
        yield _violation(
            where,
            "always active",
            "a message at every step",
            "such a neuron says nothing",
            "Raise the threshold, or lower the bias.",
            active == 1,
            False,
        )


def _beyond(where: str, what: str, name: str, values: np.ndarray, bits: int) -> Iterator[RangeViolation]:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    outside = (values < low) | (values > high)
    if outside.any():
        yield _violation(
            where,
            what,
            f"{name} reaches {values.min()} to {values.max()}",
            f"{bits} bits hold {low} to {high}",
            _SMALLER,
            outside,
            True,
        )


def _violation(
    where: str, what: str, found: str, allowed: str, remedy: str, mask: np.ndarray, breaks: bool
) -> RangeViolation:
    """A violation with the numbers of a mask [T, B, N] of values or [N] of neurons."""
    neurons = int(mask.reshape(-1, mask.shape[-1]).any(0).sum())
    often = f" ({int(mask.sum())} of {mask.size} values)" if mask.ndim > 1 else ""
    found = f"{found} at {neurons} of {mask.shape[-1]} neurons{often}"
    return RangeViolation(where, what, found, allowed, remedy, breaks, int(mask.sum()) if mask.ndim > 1 else 0, neurons)


def _flat(values: np.ndarray) -> np.ndarray:
    """[T, B, *shape] to [T, B, N]."""
    return values.reshape(*values.shape[:2], math.prod(values.shape[2:]))

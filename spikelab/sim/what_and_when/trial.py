"""One trial, step by step, in compiled code: neurons, synapses, readout, learning, and the loop back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from spikelab.sim.random_numbers import fill_normal, step_key

#: How the timing readout learns in a trial.
FIXED, THREE_FACTOR, FORCE = range(3)


class Wires(NamedTuple):
    """Synapses and other connections: see ``Reservoir``."""

    starts: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    feedback: np.ndarray


class Lesson(NamedTuple):
    """What a trial teaches the timing readout.

    Attributes:
        mode: ``FIXED``, ``THREE_FACTOR`` or ``FORCE``.
        target: [steps, channels].
        allowed: channels that may learn at all, in this trial, [channels].
        window: 1 where attention is open whatever is predicted, else 0, [steps, channels].
        expected: a timing output above it opens attention elsewhere.
        first: step before which nothing is learned.
        rate: of the three-factor rule.
        every: steps between two updates of FORCE.
    """

    mode: int
    target: np.ndarray
    allowed: np.ndarray
    window: np.ndarray
    expected: float
    first: int
    rate: float
    every: int


class Record(NamedTuple):
    """What a trial leaves behind; all is overwritten.

    Attributes:
        outputs: of the timing readout before it learned from the step, [steps, channels].
        mean: mean of the readout state from ``Lesson.first`` on, [neurons].
        states: of the readout in each step, [steps, neurons]; or [0, neurons] where they are not wanted.
        spikes: in each step, int64 [steps].
    """

    outputs: np.ndarray
    mean: np.ndarray
    states: np.ndarray
    spikes: np.ndarray


@njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _weighted_sum(weights: Any, state: Any) -> Any:
    total = 0.0
    for j in range(state.size):
        total += weights[j] * state[j]
    return total


@njit(nogil=True, error_model="numpy")
def three_factor_update(weights: Any, state: Any, error: Any, gate: Any) -> None:
    """Weights grow by presynaptic state, timing error and attention; the rate is part of ``gate``."""
    step = gate * error
    for j in range(state.size):
        weights[j] += step * state[j]


@njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def force_update(when: Any, inverse: Any, state: Any, errors: Any, gain: Any) -> None:
    """One step of recursive least squares for all channels (Sussillo & Abbott 2009, equations 4 and 5).

    Args:
        when: weights, [channels, neurons].
        inverse: running inverse of the correlations of states, [neurons, neurons].
        state: [neurons].
        errors: target minus output before the update, [channels].
        gain: work space, [neurons].
    """
    count = state.size
    for j in range(count):
        gain[j] = _weighted_sum(inverse[j], state)
    share = 1.0 / (1.0 + _weighted_sum(gain, state))
    for k in range(errors.size):
        for j in range(count):
            when[k, j] += share * errors[k] * gain[j]
    for i in range(count):
        factor = share * gain[i]
        for j in range(count):
            inverse[i, j] -= factor * gain[j]


@njit(nogil=True, error_model="numpy")
def run_trial(
    step: Any,
    arguments: Any,
    flags: Any,
    current: Any,
    arriving: Any,
    wires: Any,
    drive: Any,
    fresh: Any,
    key: Any,
    decay: Any,
    scale: Any,
    when: Any,
    inverse: Any,
    lesson: Any,
    record: Any,
) -> None:
    """Runs a trial from the present state of the neurons.

    Each step: input from background, cue, fresh noise and the last outputs; the neurons' equations; spikes, which
    arrive with the next step; the readout's state and output; learning.

    Args:
        step: compiled step of the neurons, called with ``arguments``; see ``Reservoir`` for these and the arrays.
        arguments: of ``step``.
        flags: see ``Reservoir``.
        current: see ``Reservoir``.
        arriving: see ``Reservoir``.
        wires: synapses and feedback.
        drive: [steps, neurons].
        fresh: standard deviation of the fresh noise.
        key: of its random numbers.
        decay: of the readout's trace in a step.
        scale: by which a spike makes the trace grow.
        when: the timing readout, [channels, neurons]; learns.
        inverse: of FORCE, [neurons, neurons], or [0, 0] without it; learns.
        lesson: how to learn.
        record: where results go.
    """
    steps, count = drive.shape
    channels = when.shape[0]
    trace, drawn = np.zeros(count), np.zeros((count + 63) // 64 * 64)
    outputs, errors, gain = np.zeros(channels), np.zeros(channels), np.zeros(count)
    record.mean[:] = 0.0
    for now in range(steps):
        for j in range(count):
            current[j] += drive[now, j]
        if fresh > 0.0:
            fill_normal(drawn, step_key(key, now), 0, count)
            for j in range(count):
                current[j] += fresh * drawn[j]
        for k in range(channels):
            if outputs[k] > 0.0:
                for j in range(count):
                    current[j] += wires.feedback[j, k] * outputs[k]
        step(*arguments)
        spikes = 0
        for j in range(count):
            trace[j] *= decay
            if flags[j]:
                spikes += 1
                trace[j] += scale
                for place in range(wires.starts[j], wires.starts[j + 1]):
                    arriving[wires.targets[place]] += wires.weights[place]
        record.spikes[now] = spikes
        for k in range(channels):
            outputs[k] = _weighted_sum(when[k], trace)
            record.outputs[now, k] = outputs[k]
            errors[k] = lesson.target[now, k] - outputs[k]
        if record.states.shape[0] > 0:
            record.states[now] = trace
        if now < lesson.first:
            continue
        for j in range(count):
            record.mean[j] += trace[j]
        if lesson.mode == THREE_FACTOR:
            for k in range(channels):
                is_open = lesson.window[now, k] > 0.0 or outputs[k] > lesson.expected
                if lesson.allowed[k] and is_open:
                    three_factor_update(when[k], trace, errors[k], lesson.rate)
        elif lesson.mode == FORCE and now % lesson.every == 0:
            force_update(when, inverse, trace, errors, gain)
    for j in range(count):
        record.mean[j] /= max(1, steps - lesson.first)

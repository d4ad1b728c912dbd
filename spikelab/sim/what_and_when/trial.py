"""One trial, step by step, in compiled code: neurons, synapses, readout, learning, and the loop back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from spikelab.kernels.generated import load_generated
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


class Work(NamedTuple):
    """Of a trial under way.

    Attributes:
        trace: the readout's state, [neurons].
        drawn: fresh noise, [neurons, up to a multiple of 64].
        outputs: of the last step, [channels].
        errors: of the last step, [channels].
        gain: for FORCE, [neurons].
    """

    trace: np.ndarray
    drawn: np.ndarray
    outputs: np.ndarray
    errors: np.ndarray
    gain: np.ndarray


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
def begin(when: Any, record: Any) -> Any:
    """Work space of a trial; clears what is summed up."""
    channels, count = when.shape
    record.mean[:] = 0.0
    return Work(
        np.zeros(count), np.zeros((count + 63) // 64 * 64), np.zeros(channels), np.zeros(channels), np.zeros(count)
    )


@njit(nogil=True, error_model="numpy")
def send_input(now: Any, current: Any, drive: Any, fresh: Any, key: Any, feedback: Any, work: Any) -> None:
    """Background and cue, fresh noise, and the last outputs as far as they are positive."""
    count = work.trace.size
    for j in range(count):
        current[j] += drive[now, j]
    if fresh > 0.0:
        fill_normal(work.drawn, step_key(key, now), 0, count)
        for j in range(count):
            current[j] += fresh * work.drawn[j]
    for k in range(work.outputs.size):
        if work.outputs[k] > 0.0:
            for j in range(count):
                current[j] += feedback[j, k] * work.outputs[k]


@njit(nogil=True, error_model="numpy")
def send_spikes(
    now: Any, flags: Any, arriving: Any, wires: Any, decay: Any, scale: Any, work: Any, record: Any
) -> None:
    """Spikes go to the readout's trace at once, and along synapses for the next step."""
    spikes = 0
    for j in range(work.trace.size):
        work.trace[j] *= decay
        if flags[j]:
            spikes += 1
            work.trace[j] += scale
            for place in range(wires.starts[j], wires.starts[j + 1]):
                arriving[wires.targets[place]] += wires.weights[place]
    record.spikes[now] = spikes


@njit(nogil=True, error_model="numpy")
def read_out(now: Any, when: Any, inverse: Any, lesson: Any, work: Any, record: Any) -> None:
    """Outputs, and what is learned from them."""
    trace, outputs, errors = work.trace, work.outputs, work.errors
    for k in range(outputs.size):
        outputs[k] = _weighted_sum(when[k], trace)
        record.outputs[now, k] = outputs[k]
        errors[k] = lesson.target[now, k] - outputs[k]
    if record.states.shape[0] > 0:
        record.states[now] = trace
    if now < lesson.first:
        return
    for j in range(trace.size):
        record.mean[j] += trace[j] / (record.spikes.size - lesson.first)
    if lesson.mode == THREE_FACTOR:
        for k in range(outputs.size):
            is_open = lesson.window[now, k] > 0.0 or outputs[k] > lesson.expected
            if lesson.allowed[k] and is_open:
                three_factor_update(when[k], trace, errors[k], lesson.rate)
    elif lesson.mode == FORCE and now % lesson.every == 0:
        force_update(when, inverse, trace, errors, work.gain)


#: Numba keeps no function on disk that is given another, so the loop is made for its kind of neuron.
_SOURCE = '''"""Generated by spikelab: a trial of what and when, with the step of {module}. Changes are overwritten."""
from numba import njit

from {module} import {function} as step
from spikelab.sim.what_and_when.trial import begin, read_out, send_input, send_spikes


@njit(nogil=True, error_model="numpy", cache=True)
def run(arguments, flags, current, arriving, wires, drive, fresh, key, decay, scale, when, inverse, lesson, record):
    work = begin(when, record)
    for now in range(drive.shape[0]):
        send_input(now, current, drive, fresh, key, wires.feedback, work)
        step(*arguments)
        send_spikes(now, flags, arriving, wires, decay, scale, work, record)
        read_out(now, when, inverse, lesson, work, record)
'''


def compiled_trial(step: Any) -> Any:
    """The loop that runs a trial from the present state of the neurons.

    Args:
        step: of the neurons, as the simulator's engine generates it: see ``PopulationState.step_for_own_loop``.

    Returns:
        ``run(arguments, flags, current, arriving, wires, drive, fresh, key, decay, scale, when, inverse, lesson,
        record)``: ``arguments`` of the step, ``flags``, ``current``, ``arriving`` and ``drive`` as in ``Reservoir``;
        ``fresh``, standard deviation of the fresh noise, and the ``key`` of its random numbers; ``decay`` of the
        readout's trace in a step and ``scale``, by which a spike makes it grow; ``when`` [channels, neurons] and
        ``inverse`` [neurons, neurons], [0, 0] without FORCE, which learn.
    """
    function = step.py_func
    source = _SOURCE.format(module=function.__module__, function=function.__name__)
    return load_generated(source, "the trial of what and when").run

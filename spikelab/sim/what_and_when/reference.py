"""The same trial in plain NumPy, written by hand from the equations: what the compiled loop is compared with."""

from __future__ import annotations

import math

import numpy as np

from spikelab.sim.random_numbers import fill_normal, step_key
from spikelab.sim.what_and_when.reservoir import Reservoir
from spikelab.sim.what_and_when.trial import FORCE, THREE_FACTOR, Lesson, Record


def run_trial_plainly(
    reservoir: Reservoir,
    key: np.uint64,
    decay: float,
    scale: float,
    when: np.ndarray,
    inverse: np.ndarray,
    lesson: Lesson,
    record: Record,
) -> None:
    """As ``compiled_trial`` does it, step by step over arrays, from where every trial begins.

    Args:
        reservoir: its arrays are only read.
        key: of the fresh noise.
        decay: of the readout's trace in a step.
        scale: by which a spike makes the trace grow.
        when: the timing readout, [channels, neurons]; learns.
        inverse: of FORCE, [neurons, neurons]; learns.
        lesson: how to learn.
        record: where results go.
    """
    cells = reservoir.network.populations["cells"]
    a, b, c, d = (np.broadcast_to(cells.parameters[name], cells.size) for name in "abcd")
    v, current = np.full(cells.size, -65.0), np.zeros(cells.size)
    u = b * -65.0
    # forward Euler, as the method "half_step_euler" takes all states but the membrane
    fading = 1 - 1e-3 / reservoir.parameters.tau_synapse
    trace, outputs = np.zeros(cells.size), np.zeros(len(when))
    drawn = np.zeros(-(-cells.size // 64) * 64)
    senders = np.repeat(np.arange(cells.size), np.diff(reservoir.starts))
    matrix = np.zeros((cells.size, cells.size))
    np.add.at(matrix, (senders, reservoir.targets), reservoir.weights)
    arriving = np.zeros(cells.size)
    record.mean[:] = 0.0
    for now, driven in enumerate(reservoir.drive):
        total = driven + reservoir.feedback @ np.maximum(outputs, 0.0)
        if reservoir.parameters.fresh_noise:
            fill_normal(drawn, step_key(key, now), 0, cells.size)
            total = total + reservoir.parameters.fresh_noise * drawn[: cells.size]
        for _ in range(2):
            v = v + 0.5 * (0.04 * v * v + 5 * v + 140 - u + current + total)
        u = u + a * (b * v - u)
        current = current * fading + arriving
        spiked = v > 30
        v, u = np.where(spiked, c, v), np.where(spiked, u + d, u)
        arriving = matrix[spiked].sum(axis=0)
        trace = trace * decay + scale * spiked
        outputs = when @ trace
        errors = lesson.target[now] - outputs
        record.spikes[now], record.outputs[now] = spiked.sum(), outputs
        if len(record.states):
            record.states[now] = trace
        if now < lesson.first:
            continue
        record.mean[:] += trace / (len(reservoir.drive) - lesson.first)
        if lesson.mode == THREE_FACTOR:
            is_open = (lesson.window[now] > 0) | (outputs > lesson.expected)
            when += lesson.rate * np.outer(errors * is_open * lesson.allowed, trace)
        elif lesson.mode == FORCE and now % lesson.every == 0:
            gain = inverse @ trace
            gain /= math.sqrt(1 + trace @ gain)
            when += np.outer(errors, gain) / math.sqrt(1 + trace @ inverse @ trace)
            inverse -= np.outer(gain, gain)

"""Samples of states at regular times, by carrying a copy of the state there: what is recorded changes nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from spikelab.sim.event_driven.advance import mode_of
from spikelab.sim.event_driven.cells import (
    HERE,
    LAST,
    scratch_of,
    state_of,
)
from spikelab.sim.event_driven.solution import state_after

#: Columns of ``table``: steps between two samples, first cell, number of cells, which of their states, step of the next
#: sample, where it goes in ``values``.
EVERY, FIRST, SIZE, WHICH, STEP, PLACE, COLUMNS = range(7)


class Samples(NamedTuple):
    """What to sample; one row for each state of each monitor.

    Attributes:
        table: int64 [rows, COLUMNS].
        last: step before which samples are taken, int64 [1].
        dt: seconds, float64 [1].
        values: float64.
    """

    table: np.ndarray
    last: np.ndarray
    dt: np.ndarray
    values: np.ndarray


@njit
def next_sample(samples: Any) -> float:
    """When the next sample is due, in seconds, or inf."""
    step = samples.last[0]
    for row in range(samples.table.shape[0]):
        step = min(step, samples.table[row, STEP])
    return step * samples.dt[0] if step < samples.last[0] else np.inf


@njit(error_model="numpy")
def take_samples(cells: int, samples: Any, time: float) -> None:
    """Takes the samples that are due."""
    table = samples.table
    for row in range(table.shape[0]):
        if table[row, STEP] * samples.dt[0] != time:
            continue
        for i in range(table[row, SIZE]):
            cell = table[row, FIRST] + i
            state_after(cells, cell, mode_of(cells, cell), time - state_of(cells)[cell, LAST])
            samples.values[table[row, PLACE] + i] = scratch_of(cells)[HERE, table[row, WHICH]]
        table[row, PLACE] += table[row, SIZE]
        table[row, STEP] += table[row, EVERY]

"""Poisson trains in continuous time: intervals drawn as functions of seed, stream, neuron and number of the spike."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from spikelab.sim.event_driven.source_number import source_number
from spikelab.sim.random_numbers import uniform

#: Columns of ``table``: first train; where its rates begin and from one train's to the next one's (0 where all share
#: them); bins of a time course, 0 for rates that stay; for a source, its first neuron's number, else -1; for an input,
#: its first cell, its receptor, and where its weights begin with their stride.
FIRST, RATES_AT, RATE_STRIDE, BINS, EMITTER, TARGET, RECEPTOR, WEIGHTS_AT, WEIGHT_STRIDE = range(9)


class Trains(NamedTuple):
    """Poisson trains, those of sources and those that are inputs. A *stream* is one source or one input.

    Attributes:
        table: int64 [streams, 9].
        stream: of each train, int32 [trains].
        keys: of each stream's random numbers, uint64 [streams].
        widths: of the bins of each stream's time course, seconds, float64 [streams].
        rates: Hz, float64; a train's time course lies in one piece.
        weights: float64.
        next: time of each train's next spike, float64 [trains].
        drawn: intervals drawn so far, int64 [trains].
    """

    table: np.ndarray
    stream: np.ndarray
    keys: np.ndarray
    widths: np.ndarray
    rates: np.ndarray
    weights: np.ndarray
    next: np.ndarray
    drawn: np.ndarray


@njit(error_model="numpy")
def draw_next(trains: Any, train: int) -> None:
    """Moves a train to its next spike.

    A waiting time of mean 1 is used up at the train's rate, also where that changes; exact for any time course.
    """
    stream = trains.stream[train]
    item = train - trains.table[stream, FIRST]
    waiting = -math.log(uniform(trains.keys[stream], item, trains.drawn[train]))
    trains.drawn[train] += 1
    first = trains.table[stream, RATES_AT] + item * trains.table[stream, RATE_STRIDE]
    bins, time = trains.table[stream, BINS], trains.next[train]
    trains.next[train] = np.inf
    if bins == 0:
        if trains.rates[first] > 0.0:
            trains.next[train] = time + waiting / trains.rates[first]
        return
    width = trains.widths[stream]
    for place in range(int(time / width), bins):
        end = (place + 1) * width
        if end <= time:
            continue
        rate = trains.rates[first + place]
        if waiting < rate * (end - time):
            trains.next[train] = time + waiting / rate
            return
        waiting -= rate * (end - time)
        time = end


def _entry(sources: int) -> Any:
    """``draw_first`` as Numba keeps it on disk: under the number of the sources."""

    @njit(cache=True)
    def draw_first(trains: Any) -> int:
        """Moves all trains to their first spikes; returns the number of the sources that it was compiled from."""
        for train in range(trains.next.size):
            draw_next(trains, train)
        return sources

    return draw_first


draw_first = _entry(source_number())

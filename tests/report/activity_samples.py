"""Recordings for the tests of activity."""

import numpy as np

from spikelab.report.activity import SpikeTrains


def poisson_trains(neurons=50, rate=20.0, duration=4.0, seed=0, common=0.0):
    """Independent Poisson neurons on a grid of 0.1 ms; a part of each train may be common to all."""
    random = np.random.default_rng(seed)
    shared = random.uniform(0, duration, random.poisson(rate * common * duration))
    trains = []
    for _ in range(neurons):
        own = random.uniform(0, duration, random.poisson(rate * (1 - common) * duration))
        steps = np.unique(np.ceil(np.concatenate([own, shared]) * 1e4).astype(int))
        trains.append(steps[steps > 0] * 1e-4)
    return SpikeTrains.from_lists(trains, stop=duration)


def clocks(neurons=3, interval=0.01, duration=1.0):
    """Neurons that spike at regular intervals, one step after the other."""
    return SpikeTrains.from_lists(
        [np.arange(1, round(duration / interval)) * interval + 1e-4 * n for n in range(neurons)], stop=duration
    )

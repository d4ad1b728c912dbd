"""Does the size of a prediction follow the probability of its event?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikelab.sim.what_and_when.parameters import Block, LearningParameters, TaskParameters
from spikelab.sim.what_and_when.reservoir import Reservoir
from spikelab.sim.what_and_when.session import Session

#: Probabilities of A [paper: 11 levels].
LEVELS = tuple(round(0.1 * level, 1) for level in range(11))


@dataclass(eq=False)
class SweepResult:
    """What a sweep found.

    Attributes:
        probabilities: of A, [levels].
        amplitudes: largest prediction of each event after learning, [levels, channels].
        shares: of the trials, that each event had: what could be learned at best, [levels, channels].
    """

    probabilities: np.ndarray
    amplitudes: np.ndarray
    shares: np.ndarray

    def correlations(self) -> tuple[float, float]:
        """Pearson's r of the probability of A with the amplitude of A, and with that of B."""
        first, second = (correlation(self.probabilities, self.amplitudes[:, k]) for k in range(2))
        return first, second


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's r; 0 where either does not vary."""
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) and np.ptp(b) else 0.0


def probability_sweep(
    reservoir: Reservoir,
    *,
    rule: str = "three_factor",
    trials: int = 100,
    latencies: tuple[float, float] = (0.2, 0.35),
    levels: tuple[float, ...] = LEVELS,
    task: TaskParameters | None = None,
    learning: LearningParameters | None = None,
    on_trial: Callable[[], Any] | None = None,
) -> SweepResult:
    """Learns from nothing at each probability, with events of its own, and tests once.

    Args:
        reservoir: one for all levels.
        rule: name in ``RULES``.
        trials: at each level.
        latencies: of A and B after the cue, s.
        levels: probabilities of A.
        task: the trial.
        learning: the readouts' numbers.
        on_trial: called after each trial.
    """
    amplitudes, shares = [], []
    for draw, level in enumerate(levels):
        session = Session(rule, reservoir, task, learning, draw=draw)
        block = Block(trials=trials, probability=level, latencies=latencies)
        events = []
        for _ in range(trials):
            events.append(session.learn(block))
            if on_trial is not None:
                on_trial()
        amplitudes.append(session.test().max(axis=0))
        shares.append(np.bincount(events, minlength=2) / trials)
    return SweepResult(np.array(levels), np.array(amplitudes), np.array(shares))

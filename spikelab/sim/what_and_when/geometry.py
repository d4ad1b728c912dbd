"""Do identity and timing occupy different directions of the reservoir's state?

Two random directions of a space of N dimensions are nearly orthogonal anyway, so an angle means nothing by itself: it
is judged by a control, in which the neurons of one of the two are shuffled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from spikelab.sim.what_and_when.parameters import Block, LearningParameters, TaskParameters
from spikelab.sim.what_and_when.probability_sweep import correlation
from spikelab.sim.what_and_when.reservoir import Reservoir
from spikelab.sim.what_and_when.session import Session

PROBABILITIES = (0.1, 0.3, 0.5, 0.7, 0.9)
#: Of A, s. Closer than the bumps are wide: timing weights of latencies far apart have nothing in common, so that no
#: single component could order them.
LATENCIES = (0.2, 0.225, 0.25, 0.275)


@dataclass(eq=False)
class GeometryResult:
    """What the readouts of many conditions look like.

    Attributes:
        probabilities: of A, [conditions].
        latencies: of A, s, [conditions].
        scores: of the conditions on the first two principal components of all weights of channel A, [conditions, 2].
        variance: share of the variance that these two carry, [2].
        orders_probability: |r| of each component's score with the probability, [2].
        orders_latency: |r| with the latency, [2].
        cosine: mean |cosine| of a condition's identity row with its timing row.
        cosine_shuffled: the same with shuffled neurons: mean, and the 95th percentile over shuffles.
        overlap: share of the identity rows' variation over conditions that lies in the subspace of the timing rows'.
        overlap_shuffled: the same with shuffled neurons: mean, 95th percentile.
    """

    probabilities: np.ndarray
    latencies: np.ndarray
    scores: np.ndarray
    variance: np.ndarray
    orders_probability: np.ndarray
    orders_latency: np.ndarray
    cosine: float
    cosine_shuffled: tuple[float, float]
    overlap: float
    overlap_shuffled: tuple[float, float]


def readout_geometry(
    reservoir: Reservoir,
    *,
    rule: str = "three_factor",
    trials: int = 60,
    shuffles: int = 1000,
    task: TaskParameters | None = None,
    learning: LearningParameters | None = None,
    on_trial: Callable[[], Any] | None = None,
) -> GeometryResult:
    """Learns each combination of a probability and a latency of A from nothing, and compares the weights.

    B follows 100 ms later than A; only the weights of A are looked at.

    Args:
        reservoir: one for all conditions.
        rule: name in ``RULES``.
        trials: in each condition.
        shuffles: of the control.
        task: the trial.
        learning: the readouts' numbers.
        on_trial: called after each trial.
    """
    conditions = list(product(PROBABILITIES, LATENCIES))
    what, when = [], []
    for draw, (probability, latency) in enumerate(conditions):
        session = Session(rule, reservoir, task, learning, draw=100 + draw)
        block = Block(trials=trials, probability=probability, latencies=(latency, latency + 0.1))
        for _ in range(trials):
            session.learn(block)
            if on_trial is not None:
                on_trial()
        what.append(session.readout.what[0].copy())
        when.append(session.readout.when[0].copy())
    return compare_readouts(np.array(what), np.array(when), np.array(conditions), shuffles, reservoir.parameters.seed)


def compare_readouts(
    what: np.ndarray, when: np.ndarray, conditions: np.ndarray, shuffles: int, seed: int
) -> GeometryResult:
    """The measures.

    Args:
        what: identity rows, [conditions, neurons].
        when: timing rows, [conditions, neurons].
        conditions: probability and latency of each, [conditions, 2].
        shuffles: of the control.
        seed: of the shuffles.
    """
    # each readout to the same total variance, since their units differ
    both = np.concatenate([_standardised(what), _standardised(when)], axis=1)
    left, sizes, _ = np.linalg.svd(both, full_matrices=False)
    scores = left[:, :2] * sizes[:2]
    columns = [conditions[:, 0], conditions[:, 1]]
    ordered = np.array([[abs(correlation(scores[:, k], each)) for k in range(2)] for each in columns])
    basis = _directions(when)
    varied = what - what.mean(axis=0)
    random = np.random.default_rng([seed, shuffles])
    cosines, overlaps = [], []
    for _ in range(shuffles):
        order = random.permutation(what.shape[1])
        cosines.append(_cosine(what, when[:, order]))
        overlaps.append(_share(varied, basis[:, order]))
    return GeometryResult(
        probabilities=conditions[:, 0],
        latencies=conditions[:, 1],
        scores=scores,
        variance=(sizes**2 / (sizes**2).sum())[:2],
        orders_probability=ordered[0],
        orders_latency=ordered[1],
        cosine=_cosine(what, when),
        cosine_shuffled=(float(np.mean(cosines)), float(np.quantile(cosines, 0.95))),
        overlap=_share(varied, basis),
        overlap_shuffled=(float(np.mean(overlaps)), float(np.quantile(overlaps, 0.95))),
    )


def _standardised(rows: np.ndarray) -> np.ndarray:
    varied = rows - rows.mean(axis=0)
    size = float(np.linalg.norm(varied))
    return varied / size if size else varied


def _directions(rows: np.ndarray) -> np.ndarray:
    """Orthonormal directions that carry 95 percent of the rows' variation, [directions, neurons]."""
    _, sizes, directions = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    carried = np.cumsum(sizes**2) / max(float((sizes**2).sum()), 1e-300)
    return directions[: int(np.searchsorted(carried, 0.95)) + 1]


def _share(varied: np.ndarray, basis: np.ndarray) -> float:
    """Share of the variation that lies in a subspace."""
    return float(np.square(varied @ basis.T).sum() / max(float(np.square(varied).sum()), 1e-300))


def _cosine(what: np.ndarray, when: np.ndarray) -> float:
    lengths = np.linalg.norm(what, axis=1) * np.linalg.norm(when, axis=1)
    return float(np.mean(np.abs((what * when).sum(axis=1)) / np.maximum(lengths, 1e-300)))

"""Whether two simulators do the same: which measures differ by more than other seeds of one simulator do.

The test is Welch's, two-sided, on the values of a measure over seeds, with Holm's correction over all comparisons:

* Each value is an average over thousands of neurons, so the normal distribution that Welch's test assumes is near;
  equal variances, which Student's assumes, are not given.
* Tests by ranks or permutations assume less, but five values against five give no p below 2 / 252 = 0.008. Corrected
  for a hundred comparisons none could ever reject: a test that cannot fail.
* Holm's correction holds whatever the correlation between comparisons, and measures of one run are correlated.

Not to differ is not to be equal. So the difference is given in standard deviations between the peer's seeds, and so is
the smallest one that could have been seen (``detectable``). And as the correction hides small differences that are
everywhere, the number of comparisons with an uncorrected p below 0.05 is counted too: of equals it is one in twenty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, sqrt
from statistics import mean, stdev
from typing import Any

import numpy as np
from scipy import stats

LEVEL = 0.05
#: What is not compared: (simulator, start of the network's name, start of the measure's). NEST's delay lies between
#: synapse and soma. Where many spikes fall into one step of 1 ms its pairs are other pairs.
NOT_COMPARED = (("nest", "izhikevich", "weight"),)


@dataclass
class Comparison:
    """One measure of one network in two simulators.

    Attributes:
        network: its name.
        measure: its name.
        first: simulator.
        second: simulator, whose spread is the measure of the difference.
        means: of both.
        deviations: standard deviations between seeds of both.
        effect: difference of the means in standard deviations of the second.
        p: of Welch's test.
        corrected: p after Holm's correction.
    """

    network: str
    measure: str
    first: str
    second: str
    means: tuple[float, float]
    deviations: tuple[float, float]
    effect: float
    p: float
    corrected: float = 1.0

    @property
    def differs(self) -> bool:
        """Whether the two differ by more than seeds do."""
        return self.corrected < LEVEL


def compare(runs: Sequence[Mapping[str, Any]], pairs: Sequence[tuple[str, str]]) -> list[Comparison]:
    """Compares pairs of simulators in every network and measure that both have at least twice.

    Args:
        runs: as ``collect.collect`` gives them.
        pairs: names of simulators.

    Returns:
        Comparisons in the order of the runs, corrected together.
    """
    values = by_measure(runs)
    found = []
    for (network, measure), of in values.items():
        for first, second in pairs:
            if any((s, network[: len(n)], measure[: len(m)]) in NOT_COMPARED for s, n, m in _prefixes(first, second)):
                continue
            a, b = of.get(first, []), of.get(second, [])
            if len(a) > 1 and len(b) > 1:
                found.append(_welch(network, measure, first, second, a, b))
    for comparison, corrected in zip(found, holm([c.p for c in found]), strict=True):
        comparison.corrected = corrected
    return found


def _prefixes(first: str, second: str) -> list[tuple[str, str, str]]:
    return [(name, network, measure) for name, network, measure in NOT_COMPARED if name in (first, second)]


def by_measure(runs: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, list[float]]]:
    """(network, measure) -> simulator -> its values over seeds; what is not a number is left out."""
    values: dict[tuple[str, str], dict[str, list[float]]] = {}
    for run in runs:
        for measure, value in run["measures"].items():
            if not isnan(value):
                values.setdefault((run["network"], measure), {}).setdefault(run["simulator"], []).append(value)
    return values


def _welch(network: str, measure: str, first: str, second: str, a: Sequence[float], b: Sequence[float]) -> Comparison:
    means, deviations = (mean(a), mean(b)), (stdev(a), stdev(b))
    difference = means[0] - means[1]
    if deviations == (0.0, 0.0):
        p = 1.0 if difference == 0 else 0.0
    else:
        p = float(stats.ttest_ind(a, b, equal_var=False).pvalue)
    effect = (
        difference / deviations[1] if deviations[1] else float(np.copysign(np.inf, difference)) if difference else 0.0
    )
    return Comparison(network, measure, first, second, means, deviations, effect, p)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction: the p values, each such that it may be compared with the level itself."""
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    largest = 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - place) * p[index]))
        corrected[index] = largest
    return [float(value) for value in corrected]


def detectable(seeds: int, comparisons: int) -> float:
    """The smallest difference, in standard deviations, that is found to differ where both spread alike.

    It has to stand against the whole correction, as the first one rejected does.
    """
    limit = stats.t.isf(LEVEL / max(1, comparisons) / 2, 2 * seeds - 2)
    return float(limit) * sqrt(2 / seeds)

"""How spike counts vary: from window to window, together from neuron to neuron, and of the population as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikelab.report.activity.binning import neuron_counts, number_of_bins
from spikelab.report.activity.spike_trains import SpikeTrains

#: Up to which ratio steps of pair correlations are about the same.
_ALIKE = 1.3


def fano_factors(trains: SpikeTrains, window: float = 0.1) -> np.ndarray:
    """Variance over mean of each neuron's spike counts in windows of the recording, float64 [size].

    1 for a Poisson process, 0 for a clock; NaN for a neuron without spikes. Divided by n, not n - 1, as elephant does.

    Args:
        trains: the recording.
        window: seconds; at least two must fit.

    Source: Fano 1947, Physical Review 72.
    """
    windows = number_of_bins(trains, window, fewest=2)
    mean, variance = _moments(neuron_counts(trains, window), windows)
    with np.errstate(invalid="ignore", divide="ignore"):
        return variance / mean


@dataclass(frozen=True, eq=False)
class PairCorrelations:
    """Pearson correlations of the spike counts of pairs of neurons.

    Attributes:
        coefficients: of each pair of the neurons that were taken, float64 [n (n - 1) / 2].
        neurons: that were taken, ascending, int64 [n].
        of: how many neurons could have been taken: those whose count varies.
        coincidence_step: by how much one coincidence more raises a coefficient, median over pairs, where it is about
            the same for most; the coefficients then lie in heaps that far apart. 0 where it differs from pair to pair.
    """

    coefficients: np.ndarray
    neurons: np.ndarray
    of: int
    coincidence_step: float


def pair_correlations(trains: SpikeTrains, bin: float = 0.005, neurons: int = 500, seed: int = 0) -> PairCorrelations:
    """Correlation of the spike counts of all pairs among some neurons, drawn at random where there are more.

    Neurons whose count never varies, such as silent ones, have no correlation and are not drawn. The value depends on
    the bin: the wider, the more of a slow common drift is in it.

    Args:
        trains: the recording.
        bin: seconds.
        neurons: how many are drawn; work and memory grow with the square.
        seed: of the draw.

    Source: Cohen and Kohn 2011, Nature Neuroscience 14, on what it means and depends on.
    """
    bins = number_of_bins(trains, bin, fewest=2)
    counts = neuron_counts(trains, bin)
    varying = np.flatnonzero(_moments(counts, bins)[1] > 0)
    chosen = varying
    if varying.size > neurons:
        chosen = np.sort(np.random.default_rng(seed).choice(varying, neurons, replace=False))
    rows = counts[chosen]
    totals = np.asarray(rows.sum(axis=1)).ravel()
    # without subtracting means from every bin, so that mostly empty bins cost neither time nor memory
    covariance = (rows @ rows.T).toarray() - np.outer(totals, totals) / bins
    deviation = np.sqrt(covariance.diagonal())
    upper = np.triu_indices(chosen.size, 1)
    steps = 1 / np.outer(deviation, deviation)[upper]
    return PairCorrelations(covariance[upper] * steps, chosen, int(varying.size), _common_step(steps))


def _common_step(steps: np.ndarray) -> float:
    """Their median, where the middle half of them differs by no more than ``_ALIKE``; else 0."""
    if not steps.size:
        return 0.0
    quarter, median, three = np.quantile(steps, (0.25, 0.5, 0.75))
    return float(median) if three <= _ALIKE * quarter else 0.0


@dataclass(frozen=True)
class Synchrony:
    """How far neurons act together.

    Attributes:
        chi_squared: variance of the mean over neurons, over the mean of the neurons' variances, 0 to 1: 1 when all do
            the same, 1 / size when each is independent (Golomb and Rinzel 1994, Physica D 72; Golomb 2007, Scholarpedia
            2). Its root is the chi of these papers. NaN where nothing varies.
        poisson_ratio: variance over mean of the counts of the whole population: 1 for independent Poisson neurons,
            larger the more fire together. NaN for one without spikes.
        bin: seconds.
    """

    chi_squared: float
    poisson_ratio: float
    bin: float


def synchrony(trains: SpikeTrains, bin: float = 0.005) -> Synchrony:
    """Both measures of the spike counts in bins; the first depends on the bin and on the size.

    Args:
        trains: the recording.
        bin: seconds; at least two must fit.
    """
    bins = number_of_bins(trains, bin, fewest=2)
    counts = neuron_counts(trains, bin)
    population = np.asarray(counts.sum(axis=0)).ravel()
    mean_variance = float(_moments(counts, bins)[1].mean()) if trains.size else 0.0
    chi_squared = float(population.var()) / trains.size**2 / mean_variance if mean_variance > 0 else float("nan")
    mean = float(population.mean())
    return Synchrony(chi_squared, float(population.var()) / mean if mean > 0 else float("nan"), bin)


def state_synchrony(values: npt.ArrayLike) -> float:
    """Golomb and Rinzel's chi squared of a state, as they defined it for the membrane potential.

    Args:
        values: [samples, neurons], such as ``monitor["v"]``.

    Returns:
        Variance over time of the mean over neurons, over the mean of the neurons' variances; NaN where nothing varies.
    """
    samples = np.asarray(values, np.float64)
    if samples.ndim != 2:
        raise ValueError(f"state_synchrony: takes [samples, neurons], not shape {samples.shape}")
    if not np.isfinite(samples).all():
        raise ValueError("state_synchrony: some values are not finite; leave these samples or neurons out")
    each = float(samples.var(axis=0).mean()) if samples.size else 0.0
    return float(samples.mean(axis=1).var()) / each if each > 0 else float("nan")


def _moments(counts: object, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each row of a sparse matrix."""
    mean = np.asarray(counts.sum(axis=1)).ravel() / bins  # type: ignore[attr-defined]
    squares = np.asarray(counts.multiply(counts).sum(axis=1)).ravel() / bins  # type: ignore[attr-defined]
    return mean, np.maximum(squares - mean**2, 0.0)

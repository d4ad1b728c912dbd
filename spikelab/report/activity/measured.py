"""Everything that is said of a group's activity, measured once, for tables and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikelab.report.activity.burst_search import bursts
from spikelab.report.activity.correlograms import Correlogram, auto_correlogram, cross_correlogram
from spikelab.report.activity.rates import first_spike_latencies, mean_rates, silent_share
from spikelab.report.activity.spectrum import RateSpectrum, rate_spectrum
from spikelab.report.activity.spike_intervals import Irregularity, irregularity
from spikelab.report.activity.spike_trains import SpikeTrains
from spikelab.report.activity.variability import PairCorrelations, Synchrony, fano_factors, pair_correlations, synchrony

#: Seconds: bins of counts that are correlated, windows of the Fano factor, bins and reach of correlograms.
COUNT_BIN, FANO_WINDOW, LAG_BIN, LONGEST_LAG = 0.005, 0.1, 0.001, 0.1

#: What the figures of ``Measured.figures`` are.
DEFINITIONS = (
    "Mean rate: spikes over neurons and duration. Silent: neurons without a spike.",
    "CV: standard deviation over mean of a neuron's inter-spike intervals; CV2 and LV compare neighbouring intervals "
    "only, and so do not see slow drifts (Holt 1996, Shinomoto 2003). Means over neurons with enough intervals. 1: "
    "Poisson, 0: clock.",
    f"Fano factor: variance over mean of a neuron's counts in windows of {1e3 * FANO_WINDOW:g} ms; mean over neurons.",
    f"Correlation: Pearson's, of the counts of two neurons in {1e3 * COUNT_BIN:g} ms; mean over pairs of up to 500 "
    "neurons drawn at random among those that fired.",
    f"Synchrony: variance of the mean count in {1e3 * COUNT_BIN:g} ms over the mean of the neurons' variances (Golomb "
    "and Rinzel's chi squared): 1 if all do the same, 1 / neurons if independent. Population variance over Poisson's: "
    "variance over mean of the whole population's counts, 1 for independent Poisson neurons.",
    "Strongest rhythm: the frequency at which the population rate has most power (Welch), or of which that is a "
    "harmonic, and the power there over that of independent Poisson neurons; none where these would show as much by "
    "chance.",
    "In bursts: spikes in runs of at least three, none more than 10 ms after the last.",
    "First spike: median over neurons of the time from the start.",
)


@dataclass(frozen=True, eq=False)
class Measured:
    """Measures of one group; None for what the recording is too short for.

    Attributes:
        figures: name -> number, None where there is none; for tables and JSON.
        irregularity: of each neuron.
        pairs: correlations of pairs of neurons.
        synchrony: of the group.
        spectrum: of its rate.
        auto: correlogram of neurons with themselves.
        cross: correlogram of pairs of different neurons.
    """

    figures: dict[str, float | int | None]
    irregularity: Irregularity
    pairs: PairCorrelations | None
    synchrony: Synchrony | None
    spectrum: RateSpectrum | None
    auto: Correlogram | None
    cross: Correlogram | None


def measure(trains: SpikeTrains, seed: int = 0) -> Measured:
    """Measures a group with the widths that this module names.

    Args:
        trains: its spikes.
        seed: of the draw of neurons whose pairs are correlated.

    Raises:
        ImportError: if scipy or elephant is not installed.
    """
    duration = trains.duration
    irregular = irregularity(trains)
    fano = fano_factors(trains, FANO_WINDOW) if duration >= 2 * FANO_WINDOW else np.empty(0)
    counted = duration >= 2 * COUNT_BIN
    pairs = pair_correlations(trains, COUNT_BIN, seed=seed) if counted else None
    together = synchrony(trains, COUNT_BIN) if counted else None
    spectrum = rate_spectrum(trains) if duration >= 50 * LAG_BIN else None
    lags = duration >= 2 * LONGEST_LAG
    peak = (None, None) if spectrum is None else spectrum.peak
    figures: dict[str, Any] = {
        "neurons": trains.size,
        "spikes": len(trains),
        "mean_rate_hz": _mean(mean_rates(trains)),
        "silent_share": silent_share(trains),
        "cv": _mean(irregular.cv),
        "cv2": _mean(irregular.cv2),
        "lv": _mean(irregular.lv),
        "neurons_with_enough_intervals": irregular.judged,
        "fano_factor": _mean(fano),
        "pair_correlation": None if pairs is None else _mean(pairs.coefficients),
        "synchrony_chi_squared": None if together is None else together.chi_squared,
        "population_variance_over_poisson": None if together is None else together.poisson_ratio,
        "peak_frequency_hz": peak[0],
        "peak_power_over_poisson": peak[1],
        "share_in_bursts": bursts(trains).share,
        "first_spike_median_s": _median(first_spike_latencies(trains)),
    }
    return Measured(
        {name: _known(value) for name, value in figures.items()},
        irregular,
        pairs,
        together,
        spectrum,
        auto_correlogram(trains, LAG_BIN, LONGEST_LAG) if lags else None,
        cross_correlogram(trains, None, LAG_BIN, LONGEST_LAG) if lags else None,
    )


def _median(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")


def _mean(values: np.ndarray) -> float:
    """Mean of those that are known; NaN if none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _known(value: Any) -> float | int | None:
    """JSON has no NaN."""
    if value is None or isinstance(value, int):
        return value
    return float(value) if np.isfinite(value) else None

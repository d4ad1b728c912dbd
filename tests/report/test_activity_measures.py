import dataclasses
import sys

import numpy as np
import pytest
from activity_samples import clocks, poisson_trains

from spikelab.report.activity import (
    RateSpectrum,
    SpikeTrains,
    auto_correlogram,
    bin_edges,
    bursts,
    cross_correlogram,
    fano_factors,
    first_spike_latencies,
    intervals,
    irregularity,
    mean_rates,
    neuron_counts,
    pair_correlations,
    population_counts,
    population_rate,
    rate_spectrum,
    silent_share,
    state_synchrony,
    synchrony,
)
from spikelab.sim.monitors import RateMonitor
from spikelab.sim.population import Group, Population

SILENT = SpikeTrains(np.empty(0), np.empty(0, int), 3, 0.0, 1.0)
NOBODY = SpikeTrains(np.empty(0), np.empty(0, int), 0, 0.0, 1.0)


def lists(*trains, stop=1.0):
    return SpikeTrains.from_lists([np.array(train, float) for train in trains], stop=stop)


# ------------------------------------------------------------------------------------------------------ rates and bins


def test_rates_and_silent_neurons():
    found = lists([0.1, 0.2], [], [0.5], stop=2.0)
    np.testing.assert_allclose(mean_rates(found), [1.0, 0.0, 0.5])
    assert silent_share(found) == pytest.approx(1 / 3)
    assert np.isnan(silent_share(NOBODY))


def test_bins_hold_the_steps_that_end_in_them():
    dt, steps = 1e-4, np.arange(1, 101)
    found = SpikeTrains(steps * dt, np.zeros(100, int), 1, 0.0, 100 * dt)
    # every step of 0.1 ms, so ten in each bin of 1 ms, whatever the roundings of k * dt
    assert population_counts(found, 1e-3).tolist() == [10] * 10
    assert neuron_counts(found, 1e-3).toarray().tolist() == [[10] * 10]
    np.testing.assert_allclose(bin_edges(found, 1e-3), np.arange(11) * 1e-3)


def test_bins_are_those_of_the_rate_monitor():
    found = poisson_trains(neurons=20, duration=0.5)
    monitor = RateMonitor(Group(Population("cells", 20), 0, 20), 10, 1e-4)
    monitor.append(0, np.bincount(np.rint(found.times * 1e4).astype(int) - 1, minlength=5000))
    np.testing.assert_allclose(population_rate(found, 1e-3), monitor.rates)


def test_a_spike_at_the_very_start_and_the_rest_after_the_last_bin():
    found = SpikeTrains(np.array([2.0, 2.5, 2.95]), np.zeros(3, int), 1, 2.0, 3.0)
    assert population_counts(found, 0.3).tolist() == [1, 1, 0]


@pytest.mark.parametrize("bin", [0.0, -1.0, np.nan, np.inf])
def test_bins_without_width(bin):
    with pytest.raises(ValueError, match=r"must be a duration > 0"):
        population_counts(SILENT, bin)


def test_bins_longer_than_the_recording():
    with pytest.raises(ValueError, match=r"holds 0 of them and 1 are needed; record longer"):
        population_counts(SILENT, 2.0)


def test_latency_of_the_first_spike_after_an_onset():
    found = lists([0.1, 0.6], [0.4], [], [0.5])
    np.testing.assert_allclose(first_spike_latencies(found), [0.1, 0.4, np.nan, 0.5])
    np.testing.assert_allclose(first_spike_latencies(found, 0.5), [0.1, np.nan, np.nan, 0.0], atol=1e-12)
    with pytest.raises(ValueError, match="onset = 3 s lies outside"):
        first_spike_latencies(found, 3.0)


# --------------------------------------------------------------------------------------------------------- intervals


def test_intervals_stay_within_neurons():
    found = intervals(lists([0.1, 0.3, 0.6], [], [0.2], [0.5, 0.9]))
    np.testing.assert_allclose(found.values, [0.2, 0.3, 0.4])
    assert found.neurons.tolist() == [0, 0, 3]


def test_irregularity_agrees_with_elephant():
    elephant = pytest.importorskip("elephant.statistics")
    found = poisson_trains(neurons=40, rate=8.0)
    measured = irregularity(found)
    for name, reference in (("cv", elephant.cv), ("cv2", elephant.cv2), ("lv", elephant.lv)):
        expected = [reference(np.diff(t)) if t.size > 3 else np.nan for t in found.trains()]
        np.testing.assert_allclose(getattr(measured, name), expected, rtol=1e-9)
    assert 0.8 < np.nanmean(measured.cv) < 1.1


def test_irregularity_of_clocks_and_of_too_few_intervals():
    pytest.importorskip("elephant")
    measured = irregularity(clocks())
    for values in (measured.cv, measured.cv2, measured.lv):
        np.testing.assert_allclose(values, 0, atol=1e-9)
    few = irregularity(lists([0.1, 0.2, 0.4], [0.1, 0.2, 0.4, 0.8], [0.5], []))
    assert np.isfinite(few.cv).tolist() == [False, True, False, False]
    assert (few.judged, few.fewest_intervals) == (1, 3)
    assert irregularity(lists([0.1, 0.2, 0.4]), fewest_intervals=2).judged == 1
    with pytest.raises(ValueError, match="must be at least 2"):
        irregularity(SILENT, fewest_intervals=1)


@pytest.mark.filterwarnings("error")
def test_spikes_at_one_time_have_no_ratio_and_raise_no_warning():
    pytest.importorskip("elephant")
    measured = irregularity(lists([0.5] * 6, [0.1, 0.2, 0.3, 0.4]))
    assert np.isnan([measured.cv[0], measured.cv2[0], measured.lv[0]]).all()
    assert measured.cv[1] == pytest.approx(0, abs=1e-9)
    assert irregularity(SILENT).judged == irregularity(NOBODY).judged == 0


def test_a_missing_library_is_an_error_that_says_what_to_install(monkeypatch):
    for name in [each for each in sys.modules if each.split(".")[0] == "elephant"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Refusing(), *sys.meta_path])
    with pytest.raises(ImportError, match=r"needs elephant.*pip install 'spikelab\[analysis\]'"):
        irregularity(clocks())


class _Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "elephant":
            raise ImportError(f"No module named {name!r}")


def test_bursts():
    found = bursts(lists([0.100, 0.105, 0.109, 0.300, 0.305, 0.500, 0.510, 0.520, 0.530], [0.2], []))
    np.testing.assert_allclose(found.starts, [0.1, 0.5])
    np.testing.assert_allclose(found.stops, [0.109, 0.53])
    assert found.counts.tolist() == [3, 4]
    assert found.neurons.tolist() == [0, 0]
    assert found.share == pytest.approx(0.7)
    assert bursts(lists([0.1, 0.105], [0.106, 0.108])).counts.size == 0  # spikes of two neurons are no burst
    assert bursts(lists([0.1, 0.105]), fewest_spikes=2).counts.tolist() == [2]
    assert np.isnan(bursts(SILENT).share)
    with pytest.raises(ValueError, match="longest_interval = 0 s"):
        bursts(SILENT, longest_interval=0)


# --------------------------------------------------------------------------------------------------- counts together


def test_fano_factor_agrees_with_elephant():
    elephant = pytest.importorskip("elephant.statistics")
    found = poisson_trains(neurons=10, duration=3.0)
    measured = fano_factors(found, 0.2)
    for neuron, train in enumerate(found.trains()):
        windows = [train[(train > k * 0.2 + 1e-7) & (train <= (k + 1) * 0.2 + 1e-7)] for k in range(15)]
        assert measured[neuron] == pytest.approx(elephant.fanofactor(windows))


def test_fano_factor_of_clocks_silence_and_short_recordings():
    np.testing.assert_allclose(fano_factors(clocks().between(0.1, 0.9)), 0, atol=1e-9)
    assert np.isnan(fano_factors(SILENT)).all()
    assert fano_factors(NOBODY).size == 0
    with pytest.raises(ValueError, match="2 are needed"):
        fano_factors(SILENT, 0.8)


def test_pair_correlations_agree_with_elephant():
    elephant = pytest.importorskip("elephant.spike_train_correlation")
    conversion, pq = pytest.importorskip("elephant.conversion"), pytest.importorskip("quantities")
    found = poisson_trains(neurons=12, common=0.3)
    # elephant's bins begin with their left edge: half a step later no spike lies on an edge
    middle = SpikeTrains(found.times - 0.5e-4, found.neurons, 12, 0.0, found.stop)
    binned = conversion.BinnedSpikeTrain(middle.to_neo(), bin_size=5 * pq.ms)
    expected = elephant.correlation_coefficient(binned)
    measured = pair_correlations(found)
    np.testing.assert_allclose(measured.coefficients, expected[np.triu_indices(12, 1)], rtol=1e-9)
    assert 0.2 < measured.coefficients.mean() < 0.4
    np.testing.assert_array_equal(neuron_counts(found, 0.005).toarray(), binned.to_array())


def test_pairs_are_drawn_by_seed_among_neurons_that_fired():
    found = poisson_trains(neurons=40)
    with_silent = SpikeTrains(found.times, 2 * found.neurons, 80, found.start, found.stop)
    one, same, other = (pair_correlations(with_silent, neurons=10, seed=seed) for seed in (1, 1, 2))
    assert one.coefficients.size == 45
    assert one.of == 40
    assert (one.neurons % 2 == 0).all()
    np.testing.assert_array_equal(one.neurons, same.neurons)
    assert one.neurons.tolist() != other.neurons.tolist()
    assert pair_correlations(SILENT).coefficients.size == 0
    assert pair_correlations(lists([0.5])).coefficients.size == 0


def test_synchrony_of_independent_and_of_equal_neurons():
    independent = synchrony(poisson_trains(neurons=100, duration=20.0))
    assert independent.chi_squared == pytest.approx(1 / 100, rel=0.15)
    assert independent.poisson_ratio == pytest.approx(1, rel=0.15)
    train = poisson_trains(neurons=1).times
    equal = synchrony(SpikeTrains.from_lists([train] * 25, stop=4.0))
    assert equal.chi_squared == pytest.approx(1)
    assert equal.poisson_ratio == pytest.approx(25 * synchrony(SpikeTrains.from_lists([train], stop=4.0)).poisson_ratio)


def test_synchrony_of_nothing():
    for nothing in (SILENT, NOBODY):
        assert np.isnan([synchrony(nothing).chi_squared, synchrony(nothing).poisson_ratio]).all()


def test_synchrony_of_states():
    phase = np.linspace(0, 40, 2000)
    wave = np.sin(phase)
    assert state_synchrony(np.stack([wave, 2 * wave], axis=1)) == pytest.approx(0.9)  # (1.5)^2 / mean(1, 4)
    assert state_synchrony(np.stack([wave, -wave], axis=1)) == pytest.approx(0, abs=1e-12)
    assert np.isnan(state_synchrony(np.ones((5, 2))))
    assert np.isnan(state_synchrony(np.ones((5, 0))))
    with pytest.raises(ValueError, match=r"takes \[samples, neurons\]"):
        state_synchrony(wave)
    with pytest.raises(ValueError, match="not finite"):
        state_synchrony([[np.nan, 1.0]])


# ------------------------------------------------------------------------------------------- correlograms and spectrum


def pairs_by_hand(found, reach, same_neuron, others=None):
    """Counts of lags in bins of 1 ms, spike by spike."""
    other = found if others is None else others
    bins = [np.ceil(train * 1e3 - 1e-6).astype(int) for train in found.trains()]
    bins_of_others = [np.ceil(train * 1e3 - 1e-6).astype(int) for train in other.trains()]
    counts = np.zeros(2 * reach + 1)
    for i, a in enumerate(bins):
        for j, b in enumerate(bins_of_others):
            if others is None and (i == j) != same_neuron:
                continue
            lags = (b[None, :] - a[:, None]).astype(float)
            if others is None and same_neuron:
                np.fill_diagonal(lags, np.nan)
            near = lags[np.abs(lags) <= reach].astype(int)
            counts += np.bincount(near + reach, minlength=2 * reach + 1)
    return counts


def rates_by_hand(counts, references, duration, reach):
    seen = 1 - np.abs(np.arange(-reach, reach + 1)) / round(duration * 1e3)
    return counts / (references * 1e-3 * seen)


def test_auto_correlogram_against_counting_by_hand():
    found = poisson_trains(neurons=4, rate=60.0, duration=2.0)
    measured = auto_correlogram(found, longest=0.03)
    expected = rates_by_hand(pairs_by_hand(found, 30, True), len(found), 2.0, 30)
    np.testing.assert_allclose(measured.rates, expected, rtol=1e-12)
    np.testing.assert_allclose(measured.lags, np.arange(-30, 31) * 1e-3)
    assert measured.expected == pytest.approx((found.counts**2).sum() / found.counts.sum() / 2.0)


def test_cross_correlogram_against_counting_by_hand():
    found, others = poisson_trains(neurons=4, rate=60.0, duration=2.0), poisson_trains(neurons=3, duration=2.0, seed=1)
    within = cross_correlogram(found, longest=0.03)
    expected = rates_by_hand(pairs_by_hand(found, 30, False), 3 * len(found), 2.0, 30)
    np.testing.assert_allclose(within.rates, expected, rtol=1e-9)
    between = cross_correlogram(found, others, longest=0.03)
    expected = rates_by_hand(pairs_by_hand(found, 30, False, others), 3 * len(found), 2.0, 30)
    np.testing.assert_allclose(between.rates, expected, rtol=1e-9)
    assert between.expected == pytest.approx(mean_rates(others).mean())


def test_correlogram_of_one_pair_agrees_with_elephant():
    elephant = pytest.importorskip("elephant.spike_train_correlation")
    conversion, pq = pytest.importorskip("elephant.conversion"), pytest.importorskip("quantities")
    found = poisson_trains(neurons=2, rate=50.0)
    middle = SpikeTrains(found.times - 0.5e-4, found.neurons, 2, 0.0, found.stop)
    one, other = (conversion.BinnedSpikeTrain(train, bin_size=1 * pq.ms) for train in middle.to_neo())
    histogram, _ = elephant.cross_correlation_histogram(one, other, window=[-20, 20])
    measured = cross_correlogram(found.select([0]), found.select([1]), longest=0.02)
    seen = 1 - np.abs(np.arange(-20, 21)) / 4000
    counts = measured.rates * seen * found.counts[0] * 1e-3
    np.testing.assert_allclose(counts, histogram.magnitude.ravel(), atol=1e-9)


def test_a_lag_is_positive_where_the_other_group_follows():
    first = poisson_trains(neurons=5, duration=2.0)
    late = SpikeTrains(first.times + 0.01, first.neurons, 5, 0.0, 2.01).between(0.0, 2.0)
    measured = cross_correlogram(first, late, longest=0.05)
    assert measured.lags[np.argmax(measured.rates)] == pytest.approx(0.01)
    with pytest.raises(ValueError, match="take the common span"):
        cross_correlogram(first, late.between(0.0, 1.0))


def test_correlograms_of_too_little():
    for nothing in (SILENT, NOBODY, lists([0.5])):
        assert np.isnan(cross_correlogram(nothing).rates).all()
    assert np.isnan(auto_correlogram(SILENT).rates).all()
    assert (auto_correlogram(lists([0.5])).rates == 0).all()
    with pytest.raises(ValueError, match="longest = 2 s"):
        auto_correlogram(SILENT, longest=2.0)


def test_spectrum_of_poisson_neurons_is_flat_at_the_expected_height():
    found = rate_spectrum(poisson_trains(neurons=100, duration=40.0))
    assert found.poisson == pytest.approx(2 * 20 / 100, rel=0.1)
    assert found.density.mean() / found.poisson == pytest.approx(1, rel=0.05)
    assert found.frequencies[[0, -1]].tolist() == [2.0, 500.0]
    assert np.isnan(found.peak).all()


def test_chance_of_a_peak_where_there_is_none():
    peaks = [rate_spectrum(poisson_trains(neurons=10, rate=100.0, seed=seed)).peak[0] for seed in range(60)]
    assert np.isfinite(peaks).sum() <= 4  # 0.6 expected; more than 4 in one of 2000 draws


def test_spectrum_finds_an_oscillation():
    random = np.random.default_rng(3)
    found = poisson_trains(neurons=200, rate=10.0, duration=10.0)
    kept = random.uniform(size=len(found)) < 0.5 + 0.25 * np.sin(2 * np.pi * 40 * found.times)
    frequency, ratio = rate_spectrum(SpikeTrains(found.times[kept], found.neurons[kept], 200, 0.0, 10.0)).peak
    assert frequency == 40
    assert ratio > 10


def volleys(frequency, width=1e-3, neurons=100, duration=6.0):
    """Every neuron fires in every second volley, on average, within a few times ``width`` seconds of it."""
    random = np.random.default_rng(5)
    times = np.arange(0.05, duration - 0.05, 1 / frequency)
    trains = [np.sort(times[random.uniform(size=times.size) < 0.5]) for _ in range(neurons)]
    return SpikeTrains.from_lists([each + random.normal(0, width, each.size) for each in trains], stop=duration)


@pytest.mark.parametrize("frequency", [10.0, 14.0, 25.0, 31.0, 60.0])
def test_peak_is_the_base_of_a_rhythm_and_not_the_strongest_harmonic(frequency):
    found = rate_spectrum(volleys(frequency))
    assert found.peak[0] == pytest.approx(frequency, abs=found.resolution)
    # the fourth harmonic stronger than the base
    density = found.density.copy()
    fourth = np.argmin(np.abs(found.frequencies - 4 * frequency))
    density[fourth - 1 : fourth + 2] *= 3 * density.max() / density[fourth]
    assert found.frequencies[np.argmax(density)] > 3 * frequency
    base, ratio = dataclasses.replace(found, density=density).peak
    assert base == found.peak[0]
    assert ratio == found.peak[1]


def test_two_rhythms_without_common_base():
    density = np.ones(250)
    density[[19, 52]] = 100.0, 200.0  # 40 and 106 Hz: 106 / 3 is near, 106 / 2 is not there
    assert RateSpectrum(2.0 * np.arange(1, 251), density, 1.0, 2.0, 7, 5.0).peak == (106.0, 200.0)


def test_spectrum_agrees_with_elephant():
    spectral, pq = pytest.importorskip("elephant.spectral"), pytest.importorskip("quantities")
    found = poisson_trains(duration=3.0)
    signal = population_rate(found, 1e-3)
    frequencies, density = spectral.welch_psd(signal, len_segment=500, fs=1000.0 * pq.Hz, overlap=0.5)
    measured = rate_spectrum(found)
    np.testing.assert_allclose(measured.frequencies, np.asarray(frequencies).ravel()[1:])
    np.testing.assert_allclose(measured.density, np.asarray(density).ravel()[1:], rtol=1e-9)


def test_spectrum_of_silence_and_of_short_recordings():
    assert np.isnan(rate_spectrum(SILENT).peak).all()
    assert np.isnan(rate_spectrum(NOBODY).peak).all()
    short = rate_spectrum(SILENT.between(0.0, 0.1))
    assert short.resolution == pytest.approx(10.0)
    with pytest.raises(ValueError, match="8 are needed"):
        rate_spectrum(SILENT.between(0.0, 0.004))
    with pytest.raises(ValueError, match="resolution = 0 Hz"):
        rate_spectrum(SILENT, resolution=0)

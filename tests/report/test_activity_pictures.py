import numpy as np
import pytest
from activity_samples import clocks, poisson_trains

from spikelab.report.activity import (
    SpikeTrains,
    auto_correlogram,
    cross_correlogram,
    draw_correlograms,
    draw_histograms,
    draw_pair_correlations,
    draw_raster,
    draw_rates,
    draw_spectrum,
    draw_states,
    draw_weight_matrix,
    draw_weights,
    pair_correlations,
    rate_spectrum,
)
from spikelab.report.activity.raster import round_width

SILENT = SpikeTrains(np.empty(0), np.empty(0, int), 3, 0.0, 1.0)
NOBODY = SpikeTrains(np.empty(0), np.empty(0, int), 0, 0.0, 1.0)
ONE_SPIKE = SpikeTrains(np.array([0.5]), np.array([0]), 1, 0.0, 1.0)


def said(figure):
    """All text of a figure."""
    figure.canvas.draw()
    texts = [figure._supxlabel, figure._suptitle]
    for axes in figure.axes:
        texts += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
    return " ".join(text.get_text().replace("\n", " ") for text in texts if text is not None)


def test_small_raster_shows_every_spike(tmp_path):
    groups = {"one": poisson_trains(neurons=5), "two": poisson_trains(neurons=3, seed=1)}
    figure = draw_raster(groups, tmp_path / "raster.png")
    dots = [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    assert [line.get_xdata().size for line in dots] == [len(each) for each in groups.values()]
    np.testing.assert_array_equal(dots[1].get_ydata(), 5 + groups["two"].neurons)
    assert "Shown are" not in said(figure)
    assert (tmp_path / "raster.png").read_bytes().startswith(b"\x89PNG")


def test_large_raster_thins_neurons_and_says_so():
    groups = {"many": poisson_trains(neurons=900, duration=1.0), "few": poisson_trains(neurons=30, duration=1.0)}
    figure = draw_raster(groups, most_rows=100)
    dots = [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]
    rows = sorted({int(row) for line in dots for row in line.get_ydata()})
    assert len(rows) <= 97 + 20
    assert rows[-1] <= 116
    drawn = sum(line.get_xdata().size for line in dots)
    total = sum(map(len, groups.values()))
    expected = f"97 of 900 many, 20 of 30 few; {drawn:,} of {total:,} spikes".replace(",", " ").replace(
        "many ", "many,"
    )
    assert expected in said(figure)
    spikes = draw_raster(groups, most_spikes=2000)
    assert sum(line.get_xdata().size for line in spikes.axes[0].lines if line.get_linestyle() == "None") < 3000


def test_rates_below_a_thinned_raster_are_those_of_all_neurons():
    trains = poisson_trains(neurons=500, duration=1.0)
    figure = draw_raster(trains, most_rows=20, bin=0.5)
    counts = figure.axes[1].patches[0].get_data().values * 500 * 0.5
    assert counts.sum() == pytest.approx(len(trains))
    assert "bins of 500 ms" in said(figure)


@pytest.mark.parametrize(
    ("order", "expected"), [("number", [0, 1, 2]), ("rate", [2, 0, 1]), ("first spike", [1, 2, 0])]
)
def test_order_of_a_raster(order, expected):
    trains = SpikeTrains.from_lists([[0.3, 0.4], [0.1], [0.2, 0.5, 0.6]], stop=1.0)
    figure = draw_raster(trains, order=order)
    rows = dict(zip(figure.axes[0].lines[0].get_xdata(), figure.axes[0].lines[0].get_ydata(), strict=True))
    assert [rows[time] for time in (0.3, 0.1, 0.2)] == [expected.index(neuron) for neuron in range(3)]


def test_bad_rasters():
    with pytest.raises(ValueError, match="order = 'height'"):
        draw_raster(clocks(), order="height")
    with pytest.raises(ValueError, match="not watched over the same time"):
        draw_raster({"a": clocks(), "b": clocks(duration=2.0)})
    with pytest.raises(ValueError, match="no group of neurons"):
        draw_raster({})
    with pytest.raises(TypeError, match="a: takes SpikeTrains"):
        draw_raster({"a": [0.1, 0.2]})


def test_unknown_format(tmp_path):
    with pytest.raises(ValueError, match=r"unknown picture format 'jpegg'; use one of .*png"):
        draw_raster(clocks(), tmp_path / "raster.jpegg")


@pytest.mark.parametrize(("seconds", "expected"), [(0.0013, 0.002), (0.005, 0.005), (0.3, 0.5), (7, 10), (0, 1e-4)])
def test_round_widths(seconds, expected):
    assert round_width(seconds) == pytest.approx(expected)


@pytest.mark.filterwarnings("error::UserWarning", "error::RuntimeWarning")
@pytest.mark.parametrize("trains", [SILENT, NOBODY, ONE_SPIKE, clocks(neurons=1)])
def test_every_picture_of_next_to_nothing(trains, tmp_path):
    pytest.importorskip("elephant")
    figures = [
        draw_raster(trains, tmp_path / "a.png"),
        draw_histograms(trains, tmp_path / "b.png"),
        draw_correlograms({"x": auto_correlogram(trains)}, {"x": cross_correlogram(trains)}, tmp_path / "c.png"),
        draw_spectrum({"x": rate_spectrum(trains)}, tmp_path / "d.png"),
        draw_pair_correlations({"x": pair_correlations(trains)}, 0.005, tmp_path / "e.png"),
    ]
    words = [said(figure) for figure in figures]
    assert ("no spikes" in words[0]) == (len(trains) == 0)
    assert ("no neuron has two spikes" in words[1]) == (len(trains) < 2)
    assert ("no spikes" in words[3]) == (len(trains) == 0)
    assert "fewer than two neurons" in words[4]
    assert len(list(tmp_path.glob("*.png"))) == 5


def test_histograms_hold_all_neurons_and_intervals():
    pytest.importorskip("elephant")
    figure = draw_histograms({"a": poisson_trains(), "b": clocks(duration=4.0)})
    for axes in figure.axes:
        low, high = axes.get_ylim()
        for patch in axes.patches:
            shares = patch.get_data().values
            assert shares.sum() == pytest.approx(100)
            assert low == 0
            assert shares.max() < high
            assert patch.get_data().edges[-1] <= axes.get_xlim()[1] + 1e-9
    assert "50 of 50 a, 3 of 3 b" in said(figure)
    assert "Silent: 0.0 % of a, 0.0 % of b" in said(figure)


def test_one_fast_neuron_among_many_is_drawn_and_bins_stay_as_narrow():
    pytest.importorskip("elephant")
    trains = [*poisson_trains(neurons=2000, rate=5.0).trains(), np.arange(1, 2000) * 2e-3]
    shares = draw_histograms(SpikeTrains.from_lists(trains, stop=4.0)).axes[0].patches[0].get_data()
    assert shares.values[-2:].sum() == pytest.approx(100 / 2001)
    assert shares.edges[-1] > 499.75 > shares.edges[-3]
    assert shares.edges[1] - shares.edges[0] == pytest.approx(0.25)  # one spike in 4 s


def test_pair_correlations_of_neurons_with_alike_counts_are_no_comb():
    random = np.random.default_rng(4)
    bins = [np.sort(random.choice(400, 30, replace=False)) for _ in range(60)]
    found = pair_correlations(SpikeTrains.from_lists([5e-3 * (each + 1) for each in bins], stop=2.0))
    assert found.coincidence_step == pytest.approx(1 / (30 - 30**2 / 400))
    heaps = np.unique(np.round(found.coefficients, 9))
    np.testing.assert_allclose(np.diff(heaps), found.coincidence_step, atol=1e-8)
    shares = draw_pair_correlations({"cells": found}, 0.005).axes[0].patches[0].get_data()
    assert shares.values.sum() == pytest.approx(100)
    assert np.count_nonzero(shares.values) == heaps.size
    assert np.all(np.diff(np.flatnonzero(shares.values)) == 1)  # no empty bin between heaps
    assert pair_correlations(poisson_trains(neurons=20, rate=2.0)).coincidence_step == 0


def test_histogram_of_rates_has_as_many_counts_in_each_bin():
    pytest.importorskip("elephant")
    trains = poisson_trains(neurons=400, rate=100.0, duration=2.0)
    edges = draw_histograms(trains).axes[0].patches[0].get_data().edges * 2.0
    np.testing.assert_allclose(np.diff(edges), round(edges[1] - edges[0]))
    np.testing.assert_allclose(edges % 1, 0.5)


def test_spectrum_says_what_is_beyond_chance():
    assert "Strongest rhythm beyond chance: none" in said(draw_spectrum({"cells": rate_spectrum(poisson_trains())}))
    assert "Strongest rhythm beyond chance: cells 100 Hz" in said(draw_spectrum({"cells": rate_spectrum(clocks())}))


def test_states_mark_the_spikes_of_their_neuron():
    times = np.arange(100) * 1e-2
    values = np.linspace(-0.07, -0.05, 100)[:, None] + np.zeros(3)
    spikes = SpikeTrains.from_lists([[0.2], [], [0.5, 0.6]], stop=1.0)
    figure = draw_states(times, {"v": values}, neurons=(2, 1), spikes=spikes, units={"v": "V"})
    first, second = figure.axes
    marks, line = first.lines
    assert marks.get_xdata().tolist() == [0.5, 0.6]
    np.testing.assert_allclose(line.get_ydata(), 1e3 * values[:, 2])
    assert len(second.lines) == 1
    assert "v, mV" in said(figure)
    assert "neuron 2" in said(figure)
    assert "no samples" in said(draw_states([], {"v": np.empty((0, 3))}))


def test_bad_states():
    with pytest.raises(ValueError, match=r"state 'v' of shape \(3,\)"):
        draw_states([0, 1, 2], {"v": [1, 2, 3]})
    with pytest.raises(ValueError, match=r"neurons \[0, 5\]; 2 were recorded"):
        draw_states([0], {"v": [[1, 2]]}, neurons=[0, 5])
    with pytest.raises(ValueError, match="at least one state"):
        draw_states([0], {})


def test_weights_before_and_after():
    random = np.random.default_rng(0)
    after = random.normal(2e-12, 1e-13, 500)
    course = np.linspace(1e-12, after, 5)
    figure = draw_weights({"before": 1e-12, "after": after}, course=(np.arange(5), course), unit="A")
    assert "before 1 pA (1 synapses)" in said(figure)
    assert f"after {1e12 * after.mean():.4g} pA (500 synapses)" in said(figure)
    assert figure.axes[0].lines[0].get_xdata() == pytest.approx([1.0, 1.0])  # all alike: a line, no histogram
    assert figure.axes[0].patches[0].get_data().values.sum() == pytest.approx(100)
    np.testing.assert_allclose(figure.axes[1].lines[1].get_ydata(), 1e12 * course.mean(axis=1))
    assert "no synapses" in said(draw_weights({"none": []}))


def test_bad_weights():
    with pytest.raises(ValueError, match="weights 'after': 1 of 2 are not finite"):
        draw_weights({"after": [1.0, np.nan]})
    with pytest.raises(ValueError, match="3 times and weights of shape"):
        draw_weights({"after": [1.0]}, course=([0, 1, 2], np.ones((2, 4))))


def test_rates_over_time():
    figure = draw_rates({"cells": ([0.0, 0.1, 0.2], [5.0, 6.0, 7.0])})
    np.testing.assert_allclose(figure.axes[0].patches[0].get_data().edges, [0, 0.1, 0.2, 0.3])
    assert "fewer than two bins" in said(draw_rates({"cells": ([], [])}))
    with pytest.raises(ValueError, match="rates of cells"):
        draw_rates({"cells": ([0.0, 0.1], [5.0])})


def test_weight_matrix_pictures():
    matrix = np.array([[np.nan, 2.0], [-1.0, np.nan]])
    image = draw_weight_matrix(matrix, borders=(1,)).axes[0].images[0]
    assert image.get_clim() == (-2.0, 2.0)
    assert "no synapses" in said(draw_weight_matrix(np.full((2, 2), np.nan)))
    with pytest.raises(ValueError, match=r"takes \[senders, targets\]"):
        draw_weight_matrix(np.ones(3))

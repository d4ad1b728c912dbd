import math

import numpy as np
import pytest
from scipy import stats

from spikelab.sim.random_numbers import stream_key
from spikelab.sim.units import mm, um
from spikelab.sim.wiring import DistanceDependent

KEY = stream_key(31, 1)
RARE = 1e-4

PROFILES = {
    "gaussian": lambda d, length: np.exp(-(d**2) / (2 * length**2)),
    "exponential": lambda d, length: np.exp(-d / length),
    "linear": lambda d, length: np.maximum(0, 1 - d / length),
    "constant": lambda d, length: (d <= length).astype(float),
}


def _places(size, dimensions, seed):
    return np.random.default_rng(seed).random((size, dimensions)) * np.arange(1, dimensions + 1)


def _distances(sources, targets, period=None):
    away = np.abs(sources[:, None] - targets[None])
    if period is not None:
        away = np.minimum(away % period, period - away % period)
    return np.sqrt((away**2).sum(-1))


def _table(rule, sources, targets, key=KEY, **options):
    made = rule.connect(len(sources), len(targets), key, source_positions=sources, target_positions=targets, **options)
    table = np.zeros((len(sources), len(targets)), int)
    np.add.at(table, (made.senders(), made.targets), 1)
    assert not table.size or table.max() <= 1
    return table


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("kernel", PROFILES)
def test_pairs_are_connected_with_the_probability_of_their_distance(kernel, periodic, dimensions):
    sources, targets = _places(900, dimensions, 1), _places(700, dimensions, 2)
    period = np.arange(1, dimensions + 1) * 1.0 if periodic else None
    p, length = 0.7, 0.3 if dimensions < 3 else 0.7
    rule = DistanceDependent(kernel, length, p=p, period=period)
    table = _table(rule, sources, targets)
    distance = _distances(sources, targets, period)
    expected = p * PROFILES[kernel](distance, length)
    assert not table[expected == 0].any()
    bins = np.digitize(distance, np.linspace(0, distance.max(), 40))
    chi, classes = 0.0, 0
    for number in np.unique(bins):
        inside = bins == number
        mean, variance = expected[inside].sum(), (expected[inside] * (1 - expected[inside])).sum()
        if variance > 10:
            chi += (table[inside].sum() - mean) ** 2 / variance
            classes += 1
    assert classes >= 3
    assert stats.chi2.sf(chi, classes) > RARE
    # each sender and each target by itself
    for axis in (0, 1):
        mean, variance = expected.sum(axis), (expected * (1 - expected)).sum(axis)
        used = variance > 5
        score = ((table.sum(axis) - mean)[used] ** 2 / variance[used]).sum()
        assert RARE < stats.chi2.sf(score, used.sum()) < 1 - RARE


def test_certain_connections_are_all_made():
    sources, targets = _places(300, 2, 1), _places(200, 2, 2)
    table = _table(DistanceDependent("constant", 0.4), sources, targets)
    np.testing.assert_array_equal(table, _distances(sources, targets) <= 0.4)


def test_nothing_beyond_the_cutoff():
    sources, targets = _places(300, 2, 1), _places(200, 2, 2)
    distance = _distances(sources, targets)
    table = _table(DistanceDependent("gaussian", 5.0, cutoff=0.5), sources, targets)
    assert not table[distance > 0.5].any()
    assert table[distance <= 0.5].mean() > 0.99


def test_probability_zero_makes_nothing():
    sources = _places(300, 2, 1)
    assert not _table(DistanceDependent("gaussian", 5.0, p=0), sources, sources).any()


def test_neurons_at_one_place_and_in_a_row():
    for places in (np.zeros((100, 2)), np.linspace(0, 1, 100)[:, None] * [1, 0]):
        assert _table(DistanceDependent("constant", 2.0), places, places).all()


def test_a_neuron_leaves_itself_out():
    places = _places(100, 2, 1)
    table = _table(DistanceDependent("constant", 9.0, allow_autapses=False), places, places, same=True)
    np.testing.assert_array_equal(table, 1 - np.eye(100, dtype=int))


def test_quantities_are_read():
    assert DistanceDependent("gaussian", 100 * um, cutoff="1 mm", period=[2 * mm, 0.003]) == DistanceDependent(
        "gaussian", 1e-4, cutoff=1e-3, period=(0.002, 0.003)
    )
    assert hash(DistanceDependent("linear", 1, period=[1, 2])) == hash(DistanceDependent("linear", 1.0, period=(1, 2)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel": "square"}, "kernel 'square': takes one of gaussian, exponential, linear, constant"),
        ({"length": 0}, "length = 0 must be above 0"),
        ({"length": -1 * um}, "length = -1.0 .m must be above 0"),
        ({"length": [1, 2]}, "length = "),
        ({"length": "3 mV"}, "length = '3 mV' must be a quantity in m"),
        ({"length": math.nan}, "finite"),
        ({"p": 1.5}, "p = 1.5 must be a probability"),
        ({"cutoff": 0}, "cutoff = 0 must be above 0"),
        ({"period": [1, 0]}, "period = "),
    ],
)
def test_bad_rules_are_refused(arguments, message):
    with pytest.raises(ValueError, match="DistanceDependent: .*" + message):
        DistanceDependent(**{"kernel": "gaussian", "length": 1.0, **arguments})


@pytest.mark.parametrize(
    ("sources", "targets", "message"),
    [
        (None, np.zeros((3, 2)), "needs positions of the source group"),
        (np.zeros((3, 2)), None, "needs positions of the target group"),
        (np.zeros((4, 2)), np.zeros((3, 2)), r"source group must be finite and of shape \[3"),
        (np.zeros((3, 2)), np.zeros((3, 4)), r"target group .* got \[3, 4\]"),
        (np.full((3, 2), np.nan), np.zeros((3, 2)), "must be finite"),
        (np.zeros((3, 2)), np.zeros((3, 3)), "2 and 3 dimensions"),
    ],
)
def test_bad_positions_are_refused(sources, targets, message):
    with pytest.raises(ValueError, match=message):
        DistanceDependent("gaussian", 1.0).connect(3, 3, KEY, source_positions=sources, target_positions=targets)


def test_period_of_another_number_of_directions_is_refused():
    places = np.zeros((3, 2))
    with pytest.raises(ValueError, match="period takes one length, or 2"):
        DistanceDependent("gaussian", 1.0, period=[1, 1, 1]).connect(
            3, 3, KEY, source_positions=places, target_positions=places
        )

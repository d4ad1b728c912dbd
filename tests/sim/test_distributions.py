import dataclasses
import math
import pickle

import numpy as np
import pytest
from scipy import stats

from spikelab.sim.distributions import (
    Choice,
    Exponential,
    LogNormal,
    Normal,
    TruncatedNormal,
    Uniform,
    values,
)
from spikelab.sim.random_numbers import stream_key
from spikelab.sim.units import ms, mV, pA

KEY = stream_key(1, 2)
COUNT = 200_000
RARE = 1e-4

CONTINUOUS = {
    Uniform(-2, 5): stats.uniform(-2, 7),
    Normal(3, 0.5): stats.norm(3, 0.5),
    Exponential(4): stats.expon(scale=4),
    LogNormal(2, 0.3): stats.lognorm(0.3, scale=2),
    TruncatedNormal(1, 2, low=0, high=2): stats.truncnorm(-0.5, 0.5, 1, 2),
    TruncatedNormal(0, 1, low=2): stats.truncnorm(2, math.inf),
    TruncatedNormal(0, 1, high=-2.5): stats.truncnorm(-math.inf, -2.5),
    TruncatedNormal(3, 0.5): stats.norm(3, 0.5),
}
ALL = [*CONTINUOUS, TruncatedNormal(0, 1, -1, 1, method="clip"), Choice([1, 2, 4]), Choice([1, 2], [0.25, 0.75])]


@pytest.mark.parametrize("distribution", CONTINUOUS, ids=str)
def test_draws_have_the_distribution(distribution):
    assert stats.kstest(distribution.draw(KEY, COUNT), CONTINUOUS[distribution].cdf).pvalue > RARE


def test_clipped_draws_are_those_of_the_normal_moved_to_the_limits():
    clipped = TruncatedNormal(1, 2, low=0, high=2, method="clip").draw(KEY, COUNT)
    np.testing.assert_array_equal(clipped, np.clip(Normal(1, 2).draw(KEY, COUNT), 0, 2))


def test_choices_have_their_probabilities():
    draws = Choice([1, 2, 4, 8], [0.1, 0, 0.3, 0.6]).draw(KEY, COUNT)
    found = [(draws == value).sum() for value in (1, 2, 4, 8)]
    assert found[1] == 0
    assert stats.chisquare([found[0], found[2], found[3]], np.array([0.1, 0.3, 0.6]) * COUNT).pvalue > RARE
    assert set(Choice([-1.0, 3.0]).draw(KEY, 100)) == {-1.0, 3.0}


@pytest.mark.parametrize("distribution", ALL, ids=str)
class TestEvery:
    def test_the_value_of_an_item_depends_on_the_key_and_its_number_only(self, distribution):
        many = distribution.draw(KEY, 1000)
        np.testing.assert_array_equal(distribution.draw(KEY, 100), many[:100])
        assert (distribution.draw(stream_key(1, 3), 1000) != many).any()

    def test_types(self, distribution):
        single = distribution.draw(KEY, 1000, np.float32)
        assert single.dtype == np.float32
        np.testing.assert_array_equal(single, distribution.draw(KEY, 1000).astype(np.float32))
        np.testing.assert_array_equal(distribution.draw(int(KEY), 1000), distribution.draw(KEY, 1000))

    def test_no_items(self, distribution):
        assert distribution.draw(KEY, 0).shape == (0,)

    def test_is_plain_data(self, distribution):
        assert pickle.loads(pickle.dumps(distribution)) == distribution
        assert (
            type(distribution)(**{f.name: getattr(distribution, f.name) for f in dataclasses.fields(distribution)})
            == distribution
        )
        with pytest.raises(dataclasses.FrozenInstanceError):
            distribution.low = 3


class TestQuantities:
    @pytest.mark.parametrize(
        ("distribution", "plain", "unit"),
        [
            (Uniform(-60 * mV, "-50 mV"), Uniform(-0.06, -0.05), "V"),
            (Normal(1.5 * ms, 750e-6), Normal(1.5e-3, 0.75e-3), "s"),
            (Exponential(20 * ms), Exponential(0.02), "s"),
            (LogNormal(3 * pA, 0.5), LogNormal(3e-12, 0.5), "A"),
            (TruncatedNormal(1 * ms, 1 * ms, low=0.1 * ms), TruncatedNormal(1e-3, 1e-3, low=1e-4), "s"),
            (Choice([1 * ms, 0.002]), Choice([1e-3, 2e-3]), "s"),
            (Choice(np.array([1, 2]) * ms), Choice([1e-3, 2e-3]), "s"),
        ],
    )
    def test_are_converted_when_drawn(self, distribution, plain, unit):
        np.testing.assert_array_equal(distribution.draw(KEY, 100, unit=unit), plain.draw(KEY, 100))

    def test_of_equal_value_make_equal_records_that_can_be_pickled(self):
        record = Uniform(-60 * mV, -50 * mV)
        assert record == Uniform("-60 mV", "-50.0 mV")
        assert hash(record) == hash(pickle.loads(pickle.dumps(record)))

    @pytest.mark.parametrize(
        "distribution",
        [Uniform(1 * ms, 2), Normal(1, 2 * pA), Exponential(1 * ms), LogNormal(1 * ms, 1), Choice([1 * ms])],
    )
    def test_of_another_unit_are_refused(self, distribution):
        with pytest.raises(ValueError, match=r"cells: v: .* must be a quantity in V"):
            distribution.draw(KEY, 10, unit="V", what="cells: v")
        with pytest.raises(ValueError, match="without a unit"):
            distribution.draw(KEY, 10)


@pytest.mark.parametrize(
    ("distribution", "message"),
    [
        (Uniform(2, 1), "low of .* is above high; swap"),
        (Normal(0, -1), "standard_deviation = -1 .* must not be below 0"),
        (LogNormal(0, 1), "median of .* must be above 0"),
        (LogNormal(1, -1), "sigma = -1"),
        (LogNormal(1, 1 * ms), "without a unit"),
        (TruncatedNormal(0, 1, low=2, high=1), "swap them"),
        (TruncatedNormal(0, 1, low=6), "only 9.*e-10 of the normal draws .* lie between its limits"),
        (TruncatedNormal(0, 0, low=6), "only 0 of the normal draws"),
        (Uniform(math.nan, 1), "must be finite"),
        (Uniform([1, 2], 3), "takes one number, not 2"),
        (Choice([]), "at least one number"),
        (Choice([1, 2], [1]), "one probability for each value"),
        (Choice([1, 2], [0.5, 0.6]), "summing to 1"),
        (Choice([1, 2], [1.5, -0.5]), "none negative"),
    ],
)
def test_what_makes_no_distribution_is_refused(distribution, message):
    with pytest.raises(ValueError, match=r"cells: v.*" + message):
        distribution.draw(KEY, 10, what="cells: v")


def test_unknown_method_of_truncation_is_refused():
    with pytest.raises(ValueError, match="method 'fold': takes 'redraw' or 'clip'"):
        TruncatedNormal(0, 1, method="fold")


class TestValues:
    def test_one_for_all(self):
        for value in (0.02, 20 * ms, "20 ms", np.float32(0.5)):
            assert isinstance(values(value, "s", 10, KEY, "x"), float)

    def test_one_for_each(self):
        for value in ([1, 2, 3], np.array([1, 2, 3]), np.array([1, 2, 3]) * mV * 1000, ["1 V", 2, "3000 mV"]):
            result = values(value, "V", 3, KEY, "x")
            assert result.dtype == np.float64
            np.testing.assert_array_equal(result, [1, 2, 3])

    def test_drawn(self):
        np.testing.assert_array_equal(values(Uniform(0 * mV, 1), "V", 5, KEY, "x"), Uniform(0, 1).draw(KEY, 5))

    @pytest.mark.parametrize("value", [[1, 2], np.ones((3, 1)), [], np.ones(4)])
    def test_of_another_number_are_refused(self, value):
        with pytest.raises(ValueError, match="cells: tau: takes one value, or 3; got an array of shape"):
            values(value, "s", 3, KEY, "cells: tau")

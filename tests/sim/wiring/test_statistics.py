"""What the random rules draw, against the distributions that they stand for."""

import numpy as np
import pytest
from scipy import stats

from spikelab.sim.random_numbers import stream_key
from spikelab.sim.wiring import FixedInDegree, FixedOutDegree, FixedProbability, FixedTotalNumber

KEY = stream_key(21, 1)
RARE = 1e-4
N, M = 800, 1200


def _dispersion(counts, expected, variance):
    """P-value of counts whose squared distances from the expectation should have this variance, both sides."""
    chi = ((counts - expected) ** 2).sum() / variance
    return 2 * min(stats.chi2.cdf(chi, counts.size), stats.chi2.sf(chi, counts.size))


def _pairs(connectivity):
    table = np.zeros((connectivity.source_size, connectivity.target_size), int)
    np.add.at(table, (connectivity.senders(), connectivity.targets), 1)
    return table


@pytest.mark.parametrize("p", [0.001, 0.02, 0.1, 0.19, 0.2, 0.5, 0.95])
def test_fixed_probability_is_binomial_everywhere(p):
    connectivity = FixedProbability(p).connect(N, M, stream_key(21, int(p * 1000)))
    assert stats.binomtest(len(connectivity), N * M, p).pvalue > RARE
    assert _dispersion(connectivity.in_degrees(), N * p, N * p * (1 - p)) > RARE
    assert _dispersion(connectivity.out_degrees(), M * p, M * p * (1 - p)) > RARE
    assert _pairs(connectivity).max() == 1


@pytest.mark.parametrize("p", [0.05, 0.6])
def test_fixed_probability_joins_neighbours_independently(p):
    table = _pairs(FixedProbability(p).connect(N, M, stream_key(21, 2)))
    variance = p * (1 - p)
    for first, second in (
        (table[1:], table[:-1]),
        (table[:, 1:], table[:, :-1]),
        (table[2:], table[:-2]),
        (table[: M // 2, : N // 2], table[: M // 2, : N // 2].T[: N // 2]),
    ):
        rows, columns = min(first.shape[0], second.shape[0]), min(first.shape[1], second.shape[1])
        x, y = first[:rows, :columns] - p, second[:rows, :columns] - p
        off = np.arange(rows)[:, None] != np.arange(columns)
        score = (x * y)[off].sum() / np.sqrt(off.sum()) / variance
        assert abs(score) < 6


def test_probability_zero_and_one():
    assert len(FixedProbability(0).connect(N, M, KEY)) == 0
    assert len(FixedProbability(1).connect(N, M, KEY)) == N * M
    assert len(FixedProbability(1e-300).connect(N, M, KEY)) == 0
    assert len(FixedProbability(1 - 1e-12).connect(N, M, KEY)) == N * M


@pytest.mark.parametrize("multapses", [True, False])
@pytest.mark.parametrize("degree", [0, 1, 30, 399, 401, 790, 800])
def test_fixed_in_degree(degree, multapses):
    connectivity = FixedInDegree(degree, allow_multapses=multapses).connect(N, M, KEY)
    assert (connectivity.in_degrees() == degree).all()
    share = degree / N
    variance = M * (share * (1 - 1 / N) if multapses else share * (1 - share))
    if variance:
        assert _dispersion(connectivity.out_degrees(), M * share, variance * (N - 1) / N) > RARE
    if not multapses:
        assert _pairs(connectivity).max() <= 1


@pytest.mark.parametrize("multapses", [True, False])
@pytest.mark.parametrize("degree", [0, 1, 30, 599, 601, 1200])
def test_fixed_out_degree(degree, multapses):
    connectivity = FixedOutDegree(degree, allow_multapses=multapses).connect(N, M, KEY)
    assert (connectivity.out_degrees() == degree).all()
    share = degree / M
    variance = N * (share * (1 - 1 / M) if multapses else share * (1 - share))
    if variance:
        assert _dispersion(connectivity.in_degrees(), N * share, variance * (M - 1) / M) > RARE
    if not multapses:
        assert _pairs(connectivity).max() <= 1


def test_repeated_pairs_come_as_often_as_chance_has_it():
    table = _pairs(FixedInDegree(400).connect(N, M, KEY))
    found = np.bincount(table.ravel(), minlength=8)
    expected = stats.binom.pmf(np.arange(8), 400, 1 / N) * N * M
    assert stats.chisquare(found[:5], expected[:5] * found[:5].sum() / expected[:5].sum()).pvalue > RARE


@pytest.mark.parametrize("rule", [FixedInDegree(1, False), FixedInDegree(1, False, False), FixedOutDegree(1, False)])
def test_all_others_are_drawn_alike_where_a_neuron_leaves_itself_out(rule):
    found = np.zeros((6, 6), int)
    for repeat in range(1500):
        found += _pairs(rule.connect(6, 6, stream_key(22, repeat), same=True))
    assert not np.diag(found).any()
    assert stats.chisquare(found[~np.eye(6, dtype=bool)]).pvalue > RARE


@pytest.mark.parametrize("autapses", [True, False])
@pytest.mark.parametrize("multapses", [True, False])
@pytest.mark.parametrize("offset", [0, 2])
def test_fixed_total_number_draws_all_allowed_pairs_alike(autapses, multapses, offset):
    # a small grid, drawn often: unequal numbers of allowed senders must not favour a target
    rule = FixedTotalNumber(8, allow_autapses=autapses, allow_multapses=multapses)
    found, squares, repeats = np.zeros((4, 6)), 0.0, 1500
    for repeat in range(repeats):
        table = _pairs(rule.connect(4, 6, stream_key(23, repeat), same=True, offset=offset))
        assert table.sum() == 8
        assert multapses or table.max() == 1
        found += table
        squares += (table**2).sum()
    allowed = np.ones((4, 6), bool)
    if not autapses:
        for sender in range(4):
            allowed[sender, sender + offset] = False
    pairs = allowed.sum()
    assert not found[~allowed].any()
    share = 8 / pairs
    variance = share * (1 - 1 / pairs) if multapses else share * (1 - share)
    chi = ((found[allowed] - repeats * share) ** 2).sum() / (repeats * variance) * (pairs - 1) / pairs
    assert RARE < stats.chi2.cdf(chi, pairs - 1) < 1 - RARE
    expected = share * (1 - 1 / pairs) + share**2 if multapses else share
    assert squares / repeats / pairs == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize("count", [0, 1, 5000, 400_000, N * M])
def test_fixed_total_number_of_large_groups(count):
    for multapses in (True, False):
        connectivity = FixedTotalNumber(count, allow_multapses=multapses).connect(N, M, KEY)
        assert len(connectivity) == count
        share = count / (N * M)
        if 0 < share < 1 or (share and multapses):
            per_target = N * share * ((1 - 1 / M) if multapses else (1 - share) * (1 - 1 / M))
            assert _dispersion(connectivity.in_degrees(), N * share, per_target) > RARE
            per_sender = M * share * ((1 - 1 / N) if multapses else (1 - share) * (1 - 1 / N))
            assert _dispersion(connectivity.out_degrees(), M * share, per_sender) > RARE


def test_synapses_are_those_of_the_first_release():
    """A change of these values changes the synapses of every seed."""
    assert FixedProbability(0.3).connect(4, 8, stream_key(1, 1)).targets.tolist() == [1, 2, 1, 5, 7, 2, 3, 4, 5, 6]
    assert FixedProbability(0.1).connect(4, 8, stream_key(1, 1)).targets.tolist() == [0, 7, 6]
    assert FixedInDegree(2).connect(4, 5, stream_key(1, 1)).targets.tolist() == [1, 2, 0, 1, 2, 3, 4, 4, 0, 3]
    distinct = FixedOutDegree(3, allow_multapses=False).connect(3, 5, stream_key(1, 1))
    assert distinct.targets.tolist() == [0, 1, 3, 2, 3, 4, 2, 3, 4]
    assert FixedTotalNumber(9).connect(4, 5, stream_key(1, 1)).targets.tolist() == [2, 1, 1, 1, 2, 2, 3, 0, 4]

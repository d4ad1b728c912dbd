import pickle

import numpy as np
import pytest

from spikelab.sim.random_numbers import stream_key
from spikelab.sim.wiring import (
    AllToAll,
    Connectivity,
    DistanceDependent,
    Explicit,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    FixedTotalNumber,
    FromMatrix,
    OneToOne,
    build,
)

KEY = stream_key(11, 3)
RANDOM = [
    FixedProbability(0.03),
    FixedProbability(0.6),
    FixedInDegree(20),
    FixedInDegree(20, allow_multapses=False),
    FixedInDegree(150, allow_autapses=False, allow_multapses=False),
    FixedOutDegree(20),
    FixedOutDegree(20, allow_multapses=False),
    FixedTotalNumber(5000),
    FixedTotalNumber(5000, allow_multapses=False),
    DistanceDependent("gaussian", 0.1, p=0.5),
    DistanceDependent("exponential", 0.1, period=1.0),
]
REGULAR = [OneToOne(), AllToAll(), Explicit([5, 0, 5], [1, 2, 0]), FromMatrix(np.eye(200))]


def _places(size, seed=0):
    return np.random.default_rng(seed).random((size, 2))


def _connect(rule, source_size=200, target_size=200, key=KEY, **options):
    return rule.connect(
        source_size,
        target_size,
        key,
        source_positions=_places(source_size),
        target_positions=_places(target_size, 1),
        **options,
    )


def _assert_sound(connectivity, source_size, target_size):
    starts, targets = connectivity.starts, connectivity.targets
    assert (connectivity.source_size, connectivity.target_size) == (source_size, target_size)
    assert starts.dtype == np.int64
    assert starts.shape == (source_size + 1,)
    assert starts[0] == 0
    assert starts[-1] == targets.size == len(connectivity)
    assert (np.diff(starts) >= 0).all()
    assert targets.dtype == (np.uint16 if target_size <= 65536 else np.uint32)
    assert not targets.size or targets.max() < target_size
    senders = connectivity.senders()
    pair = senders * max(target_size, 1) + targets
    assert (np.diff(pair) >= 0).all(), "rows by sender, and by target within a row"
    np.testing.assert_array_equal(connectivity.out_degrees(), np.bincount(senders, minlength=source_size))
    np.testing.assert_array_equal(connectivity.in_degrees(), np.bincount(targets, minlength=target_size))


@pytest.mark.parametrize("rule", [*RANDOM, *REGULAR], ids=str)
class TestEvery:
    def test_result_is_sorted_and_complete(self, rule):
        _assert_sound(_connect(rule), 200, 200)

    @pytest.mark.parametrize("threads", [2, 3, 7])
    def test_result_does_not_depend_on_threads(self, rule, threads, monkeypatch):
        monkeypatch.setattr(build, "PARALLEL_FROM", 1)
        one, several = _connect(rule, threads=1), _connect(rule, threads=threads)
        np.testing.assert_array_equal(one.starts, several.starts)
        np.testing.assert_array_equal(one.targets, several.targets)

    def test_is_plain_data(self, rule):
        again = _connect(pickle.loads(pickle.dumps(rule)))
        np.testing.assert_array_equal(again.targets, _connect(rule).targets)

    def test_negative_sizes_are_refused(self, rule):
        with pytest.raises(ValueError, match="target size -1 must not be negative"):
            rule.connect(200, -1, KEY)


@pytest.mark.parametrize("rule", RANDOM, ids=str)
class TestRandom:
    def test_same_key_same_synapses_other_key_others(self, rule):
        first = _connect(rule)
        np.testing.assert_array_equal(first.targets, _connect(rule, key=int(KEY)).targets)
        other = _connect(rule, key=stream_key(11, 4))
        assert first.targets.size != other.targets.size or (first.targets != other.targets).any()

    def test_groups_of_different_size(self, rule):
        for sizes in ((170, 230), (230, 170)):
            _assert_sound(_connect(rule, *sizes), *sizes)


_ANY_SIZE = [AllToAll(), FixedProbability(0.5), FixedTotalNumber(0), DistanceDependent("linear", 1), Explicit([], [])]


@pytest.mark.parametrize(
    ("sizes", "rules"),
    [
        ((0, 0), [OneToOne(), FixedInDegree(3), FixedOutDegree(3), FixedTotalNumber(0, False, False)]),
        ((5, 0), [FixedInDegree(3), FixedInDegree(3, False, False), FixedOutDegree(0), FromMatrix(np.empty((5, 0)))]),
        ((0, 5), [FixedOutDegree(3), FixedOutDegree(3, False, False), FixedInDegree(0), FromMatrix(np.empty((0, 5)))]),
    ],
)
def test_empty_groups_have_no_synapses(sizes, rules):
    for rule in [*_ANY_SIZE, *rules]:
        connectivity = _connect(rule, *sizes, same=sizes[0] == sizes[1])
        _assert_sound(connectivity, *sizes)
        assert len(connectivity) == 0, rule


def test_one_neuron_with_itself():
    rules = [OneToOne(), AllToAll(), FixedProbability(1), FixedInDegree(1), FixedOutDegree(1), FixedTotalNumber(1)]
    for rule in [*rules, DistanceDependent("gaussian", 1.0), Explicit([0], [0]), FromMatrix([[2.0]])]:
        connectivity = rule.connect(1, 1, KEY, same=True, source_positions=[[0.0]], target_positions=[[0.0]])
        assert connectivity.row(0).tolist() == [0], rule
    for rule in (
        AllToAll(False),
        FixedProbability(0.99, False),
        DistanceDependent("gaussian", 1.0, allow_autapses=False),
    ):
        assert len(rule.connect(1, 1, KEY, same=True, source_positions=[[0.0]], target_positions=[[0.0]])) == 0


class TestAutapses:
    @pytest.mark.parametrize(
        "rule",
        [
            AllToAll(False),
            FixedProbability(0.1, False),
            FixedProbability(0.7, False),
            FixedInDegree(30, False),
            FixedInDegree(30, False, False),
            FixedInDegree(40, False, False),
            FixedOutDegree(30, False),
            FixedOutDegree(40, False, False),
            FixedTotalNumber(3000, False),
            FixedTotalNumber(1500, False, False),
            DistanceDependent("linear", 2.0, allow_autapses=False),
        ],
        ids=str,
    )
    @pytest.mark.parametrize(("sizes", "offset"), [((60, 60), 0), ((60, 100), 0), ((60, 100), 35), ((100, 60), -40)])
    def test_are_left_out_wherever_the_groups_overlap(self, rule, sizes, offset):
        connectivity = _connect(rule, *sizes, same=True, offset=offset)
        _assert_sound(connectivity, *sizes)
        assert len(connectivity) > 0
        assert (connectivity.senders() + offset != connectivity.targets).all()
        if isinstance(rule, AllToAll):
            overlap = {a + offset for a in range(sizes[0])} & set(range(sizes[1]))
            assert len(connectivity) == sizes[0] * sizes[1] - len(overlap)
        # other groups are not concerned
        apart = _connect(rule, *sizes, same=False)
        assert (apart.senders() + offset == apart.targets).any()

    def test_are_drawn_by_default(self):
        for rule in (FixedProbability(0.5), FixedInDegree(50), FixedOutDegree(50), FixedTotalNumber(5000), AllToAll()):
            connectivity = _connect(rule, 100, 100, same=True)
            assert (connectivity.senders() == connectivity.targets).any()


class TestRegular:
    def test_one_to_one(self):
        connectivity = OneToOne().connect(70000, 70000)
        np.testing.assert_array_equal(connectivity.targets, np.arange(70000))
        assert connectivity.targets.dtype == np.uint32

    def test_one_to_one_of_different_sizes_is_refused(self):
        with pytest.raises(ValueError, match="one size, not 3 to 4 neurons; take equal ranges"):
            OneToOne().connect(3, 4)

    def test_all_to_all(self):
        connectivity = AllToAll().connect(3, 4)
        np.testing.assert_array_equal(connectivity.targets.reshape(3, 4), np.tile(np.arange(4), (3, 1)))


class TestWithinALargerPopulation:
    def test_targets_are_shifted(self):
        connectivity = FixedInDegree(5).connect(10, 20, KEY)
        before = connectivity.targets.copy()
        moved = connectivity.within(30, 100)
        _assert_sound(moved, 10, 100)
        np.testing.assert_array_equal(moved.targets, before + 30)

    def test_wider_numbers_where_the_population_needs_them(self):
        connectivity = FixedInDegree(5).connect(10, 20, KEY)
        moved = connectivity.within(65530, 80000)
        assert moved.targets.dtype == np.uint32
        np.testing.assert_array_equal(moved.targets, connectivity.targets.astype(int) + 65530)

    def test_nothing_is_copied_from_the_first_neuron_on(self):
        connectivity = FixedInDegree(5).connect(10, 20, KEY)
        assert connectivity.within(0, 100).targets is connectivity.targets


def test_representation_says_the_sizes():
    assert repr(AllToAll().connect(3, 4)) == "Connectivity(3 to 4 neurons, 12 synapses)"
    assert isinstance(AllToAll().connect(3, 4), Connectivity)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from spikelab.sim.wiring import Explicit, FromMatrix


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), max_size=60))
def test_explicit_pairs_are_sorted_and_followed(pairs):
    sources, targets = np.array(pairs, int).reshape(-1, 2).T
    made = Explicit(sources, targets).connect(7, 5)
    order = np.lexsort((targets, sources))  # stable: equal pairs keep the order in which they were given
    np.testing.assert_array_equal(made.order, order)
    np.testing.assert_array_equal(made.senders(), sources[order])
    np.testing.assert_array_equal(made.targets, targets[order])
    weights = np.arange(len(pairs)) * 1.5
    np.testing.assert_array_equal(made.arranged(weights), weights[order])


def test_explicit_pairs_of_many_neurons():
    random = np.random.default_rng(0)
    sources, targets = random.integers(0, 3000, 200_000), random.integers(0, 100_000, 200_000).astype(np.uint32)
    made = Explicit(sources, targets).connect(3000, 100_000)
    assert made.targets.dtype == np.uint32
    np.testing.assert_array_equal(made.order, np.lexsort((targets, sources)))


@pytest.mark.parametrize(
    ("sources", "targets", "message"),
    [
        ([0, 1], [0], "2 sources, but 1 targets"),
        ([0.5], [0], "sources takes a list of whole numbers.* got float64"),
        ([True], [0], "got bool"),
        ([[0]], [0], r"shape \[1, 1\]"),
        ([0], ["a"], "targets takes"),
    ],
)
def test_explicit_pairs_that_are_none_are_refused(sources, targets, message):
    with pytest.raises(ValueError, match="Explicit: .*" + message):
        Explicit(sources, targets)


@pytest.mark.parametrize(
    ("sources", "targets", "message"),
    [
        ([0, 3], [0, 0], r"sources\[1\] = 3, but the group has 3 neurons"),
        ([0, 0, -1], [0, 0, 0], r"sources\[2\] = -1"),
        ([0], [4], r"targets\[0\] = 4, but the group has 4 neurons, counted from 0"),
    ],
)
def test_explicit_neurons_that_are_not_there_are_refused(sources, targets, message):
    with pytest.raises(ValueError, match=message):
        Explicit(sources, targets).connect(3, 4)


def _random_matrix():
    random = np.random.default_rng(1)
    return np.where(random.random((30, 40)) < 0.2, random.normal(size=(30, 40)), 0)


@pytest.mark.parametrize("form", [np.asarray, np.ndarray.tolist, sparse.csr_array, sparse.coo_matrix, sparse.csc_array])
def test_matrix_gives_synapses_and_values(form):
    matrix = _random_matrix()
    made = FromMatrix(form(matrix)).connect(30, 40)
    again = np.zeros_like(matrix)
    again[made.senders(), made.targets] = made.values
    np.testing.assert_array_equal(again, matrix)
    assert len(made) == np.count_nonzero(matrix)
    assert made.order is None
    assert made.values.dtype == np.float64


def test_matrix_with_columns_out_of_order_and_stored_zeros():
    matrix = sparse.csr_array((np.array([1.0, 2.0, 0.0]), np.array([2, 0, 1]), np.array([0, 2, 3])), shape=(2, 3))
    made = FromMatrix(matrix).connect(2, 3)
    assert made.targets.tolist() == [0, 2, 1]
    assert made.values.tolist() == [2.0, 1.0, 0.0]


@pytest.mark.parametrize("matrix", [np.array([[1, 0], [2, 3]]), np.array([[True, False], [True, True]])])
def test_matrix_of_other_numbers(matrix):
    made = FromMatrix(matrix).connect(2, 2)
    assert made.targets.tolist() == [0, 0, 1]
    np.testing.assert_array_equal(made.values, matrix[matrix != 0])


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones(3), r"shape \[source, target\]; got float64 of shape \[3\]"),
        ([["a"]], "takes numbers"),
        ([[np.nan]], "NaN or infinite"),
        (sparse.csr_array([[np.inf]]), "NaN or infinite"),
        ([[1j]], "got complex128"),
    ],
)
def test_matrix_that_is_none_is_refused(matrix, message):
    with pytest.raises(ValueError, match="FromMatrix: .*" + message):
        FromMatrix(matrix)


def test_matrix_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"FromMatrix\(2 x 3\) does not fit 3 senders \(rows\) and 2 targets"):
        FromMatrix(np.ones((2, 3))).connect(3, 2)

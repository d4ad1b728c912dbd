"""Divided differences of exp against 60 digits, however near or far apart the points lie."""

import mpmath
import numpy as np
import pytest

from spikelab.sim.event_driven.cells import POINTS, SCRATCH_ROWS, make_cells
from spikelab.sim.event_driven.divided_difference import exp_difference, exp_difference_of_two


def by_many_digits(points):
    """The upper right element of the exponential of a bidiagonal matrix (Opitz 1964)."""
    with mpmath.workdps(60):
        size = len(points)
        matrix = mpmath.zeros(size)
        for i, point in enumerate(points):
            matrix[i, i] = mpmath.mpf(float(point))
            if i + 1 < size:
                matrix[i, i + 1] = 1
        return float(mpmath.expm(matrix)[0, size - 1])


def computed(points):
    scratch = np.zeros((SCRATCH_ROWS, 32))
    cells = make_cells(np.zeros((1, 2), int), np.zeros(1, int), np.zeros(1), np.zeros((1, 8)), scratch)
    scratch[POINTS, : len(points)] = points
    return exp_difference(cells.address, len(points))


SPREADS = [0.0, 1e-14, 1e-9, 1e-4, 0.1, 1.0, 1.99, 2.01, 5.0, 20.0]


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_at_random_points(count, spread):
    random = np.random.default_rng(count)
    for _ in range(5):
        points = -random.random() * 3 - spread * random.random(count)
        assert computed(points) == pytest.approx(by_many_digits(points), rel=3e-14)


@pytest.mark.parametrize("spread", SPREADS[1:])
def test_where_some_points_are_equal(spread):
    for points in ([-1, -1 - spread, -1 - spread], [-1, -1, -1, -1 - spread], [-1, -1, -1 - spread, -1 - spread]):
        assert computed(points) == pytest.approx(by_many_digits(points), rel=3e-14)


@pytest.mark.parametrize("gap", [0.0, 1e-300, 1e-12, 1e-3, -0.3, 0.4999, -0.5001, 0.7, 3.0, -40.0])
def test_of_two_points(gap):
    a = -0.7
    found = exp_difference_of_two(np.exp(a), np.exp(a + gap), gap)
    assert found == pytest.approx(by_many_digits([a, a + gap]), rel=2e-15)

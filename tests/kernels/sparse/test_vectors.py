"""Matrices that are turned in tiles, and what is left beside whole tiles."""

import numpy as np
import pytest

from spikelab.kernels.sparse.numba_cpu.vectors import turn


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (16, 16), (15, 40), (33, 17), (48, 64), (5, 200)])
def test_turning(rows, columns, dtype):
    source = np.arange(rows * (columns + 3), dtype=dtype).reshape(rows, columns + 3)
    target = np.full((columns, rows + 2), -1, dtype)
    turn(source.ravel(), rows, columns, columns + 3, target.ravel(), rows + 2)
    assert np.array_equal(target[:, :rows], source[:, :columns].T)
    assert (target[:, rows:] == -1).all()

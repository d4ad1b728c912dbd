"""What is listed is what is not zero, nothing else, and nothing of it is lost."""

from __future__ import annotations

import math

import pytest
import torch

from spikelab.kernels.sparse.numba_cpu.lists import lists_by_column, lists_by_row
from spikelab.kernels.sparse.numba_cpu.spike_list import GROUP, SpikeList, can_list, list_spikes

SHAPES = ((1, 1), (1, 64), (3, 63), (5, 65), (7, 200), (300, 129), (2, 3, 5, 7), (4, 0), (0, 4))


def dense(spikes: SpikeList) -> torch.Tensor:
    """Back from bits and values, one by one."""
    x = torch.zeros((spikes.rows, spikes.columns), dtype=spikes.values.dtype)
    values = iter(spikes.values.tolist())
    for row, words in enumerate(spikes.bits.tolist()):
        for place, word in enumerate(words):
            for bit in range(64):
                if word >> bit & 1:
                    x[row, 64 * place + bit] = next(values) if spikes.varied else spikes.value
    assert next(values, None) is None
    return x


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("density", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("kind", ["spikes", "quarters", "counts"])
def test_the_way_there_and_back(dtype, shape, density, kind):
    random = torch.Generator().manual_seed(1)
    x = (torch.rand(shape, generator=random) < density).to(dtype)
    if kind == "quarters":
        x = x / 4
    elif kind == "counts":
        x = x * torch.randint(-2, 3, shape, generator=random)
    spikes = list_spikes(x)
    flat = x.reshape(shape[0], math.prod(shape[1:]))
    assert torch.equal(dense(spikes), flat)
    assert spikes.count == int(flat.count_nonzero())
    assert torch.equal(spikes.counts, flat.count_nonzero(1))
    if kind != "counts":
        assert not spikes.varied


def test_what_is_no_number_is_not_taken_for_a_spike():
    x = torch.tensor([[0.0, 1.0, torch.nan, 1.0], [1.0, -0.0, torch.inf, 0.0]])
    spikes = list_spikes(x)
    assert spikes.varied
    assert torch.equal(torch.nan_to_num(dense(spikes)), torch.nan_to_num(x))
    # alone in its row, where it is the first value as well
    assert list_spikes(torch.tensor([[0.0, torch.nan]])).varied


def test_another_order_in_memory_is_read_as_it_is_meant():
    x = (torch.rand(40, 70, generator=torch.Generator().manual_seed(2)) < 0.2).float()
    assert torch.equal(dense(list_spikes(x.t())), x.t())


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_list_the_same(threads, torch_threads):
    x = torch.randn(700, 300, generator=torch.Generator().manual_seed(3)).relu()
    torch_threads(threads)
    assert torch.equal(dense(list_spikes(x)), x)


@pytest.mark.parametrize("varied", [False, True])
@pytest.mark.parametrize("density", [0.0, 0.02, 0.4])
def test_lists_name_each_spike_once_and_are_filled_up(density, varied):
    random = torch.Generator().manual_seed(4)
    x = (torch.rand(50, 70, generator=random) < density).double()
    if varied:
        x *= torch.randn(50, 70, generator=random, dtype=torch.float64)
    spikes = list_spikes(x)
    block = 16
    for lists, turned, empty in (
        (lists_by_row(spikes), [x], 70),
        (lists_by_column(spikes, block), [part.t() for part in x.split(block)], block),
    ):
        assert bool((lists.starts % GROUP == 0).all())
        rows = [row for part in turned for row in part]
        starts = lists.starts.tolist()
        for row, start, stop in zip(rows, starts[:-1], starts[1:], strict=True):
            places = lists.places[start:stop]
            real = places != empty
            assert torch.equal(places[real].long(), row.nonzero().flatten())
            assert int(real.sum()) > len(places) - GROUP
            if varied and len(places):
                assert torch.equal(lists.values[start:stop][real], row[row != 0])
                assert not lists.values[start:stop][~real].any()


def test_what_can_be_listed():
    assert can_list(torch.zeros(2, 2))
    assert not can_list(torch.zeros(2, 2, dtype=torch.bfloat16))
    assert not can_list(torch.zeros(2, 2, device="meta"))

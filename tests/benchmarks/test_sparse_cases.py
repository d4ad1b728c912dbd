"""Cases by density, the table of the public case, and long sequences: what is compared is the same everywhere."""

from __future__ import annotations

import pytest

from benchmarks import long_recurrence, open_neuromorphic
from benchmarks.cases import CASES, Case, make_input


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.density and case.backward])
def test_inputs_have_the_density_that_the_name_says(name):
    case = CASES[name]
    assert f"{100 * case.density:g}percent" in name
    assert (make_input(case) != 0).mean() == pytest.approx(case.density, rel=0.05)


def test_without_a_density_the_input_of_a_dense_layer_is_normal():
    x = make_input(Case("linear_lif", 50, neurons=100))
    assert abs(x.mean()) < 0.02
    assert x.std() == pytest.approx(1, abs=0.02)


def test_a_density_that_bars_exceed_and_one_that_means_nothing_are_refused():
    with pytest.raises(ValueError, match=r"bars alone reach a density of 0\.017"):
        make_input(Case("convolutional", 5, density=0.01))
    with pytest.raises(ValueError, match="density is a share of the inputs"):
        Case("lif", 5, neurons=3, density=0.1)


def test_the_table_takes_product_and_neurons_apart():
    names = {kind: case.name for kind, case in open_neuromorphic.cases(64).items()}
    times = {"normal": 50.0, "spikes": 20.0, "neurons": 8.0}
    rows = [
        {"case": names[kind], "peer": "snntorch", "threads": 1, "cpu_ms": times[kind], "wall_ms": 0.0,
         "peak_extra_mib": 12.4}
        for kind in names
    ]  # fmt: skip
    shown = open_neuromorphic.table({"rows": rows}, [64], 1).splitlines()
    assert shown[2:] == ["| 64 | snntorch | 50.0 | 8.0 | 42.0 | 20.0 | 12.0 | 12 |"]
    # who lacks a figure is left out
    assert len(open_neuromorphic.table({"rows": rows[:2]}, [64], 1).splitlines()) == 2


def test_ways_of_training_on_long_sequences_have_the_same_gradients():
    assert long_recurrence.compared() < 1e-10


def test_checkpoints_need_less_memory_than_the_loop():
    from benchmarks import memory

    if not memory.is_supported():
        pytest.skip("no high-water mark of memory on this system")
    ways = ("spikelab, 50 steps", "plain_torch")
    found = {way: long_recurrence.in_own_process(way, steps=200, batch=64, size=128) for way in ways}
    assert found["spikelab, 50 steps"]["loss"] == pytest.approx(found["plain_torch"]["loss"], abs=1e-3)
    assert found["spikelab, 50 steps"]["peak_mib"] < 0.7 * found["plain_torch"]["peak_mib"]


@pytest.mark.slow
def test_the_compiled_loop_is_the_plain_one():
    import torch

    from benchmarks.peers import compiled_torch, plain_torch

    case = Case("linear_lif", 40, batch=2, neurons=12, density=0.3)
    torch.manual_seed(0)
    ours, theirs = plain_torch.build(case), compiled_torch.build(case)
    theirs.load_state_dict(ours.state_dict())
    x = torch.from_numpy(make_input(case)) * 3
    for model in (ours, theirs):
        model(x).sum().backward()
    assert torch.equal(ours(x), theirs(x))
    assert torch.allclose(ours[0].weight.grad, theirs[0].weight.grad, atol=1e-5)

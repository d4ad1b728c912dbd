"""Drawn digits: the same pictures again, other ones elsewhere, and something that can be learned."""

import numpy as np
import pytest
import torch

from spikelab.datasets.images.drawn_digits import DrawnDigits


def test_pictures_are_a_function_of_seed_split_and_index():
    first, again = DrawnDigits("train", train=100), DrawnDigits("train", train=100)
    assert len(first) == 100
    assert len(DrawnDigits("test", train=100)) == 20
    order = np.random.default_rng(0).permutation(100)
    kept = {int(index): again[int(index)]["image"] for index in order}
    for index in range(100):
        sample = first[index]
        assert sample["image"].shape == (1, 28, 28)
        assert 0 <= sample["image"].min() <= sample["image"].max() <= 1
        assert sample["label"] == index % 10
        assert torch.equal(sample["image"], kept[index])
    for other in (DrawnDigits("test", train=500), DrawnDigits("train", train=100, seed=1)):
        assert not any(torch.equal(other[index]["image"], kept[index]) for index in range(20))
    assert not torch.equal(first[3]["image"], first[13]["image"])
    assert torch.equal(first[-1]["image"], first[99]["image"])


def test_classes_can_be_told_apart_but_not_by_a_mean():
    data = DrawnDigits("train", train=600, noise=0.0)
    x = torch.stack([data[index]["image"].flatten() for index in range(600)])
    y = torch.arange(600) % 10
    near = torch.cdist(x[:100], x[100:]).argmin(1)
    means = torch.stack([x[100:][y[100:] == c].mean(0) for c in range(10)])
    by_neighbour = float((y[100:][near] == y[:100]).double().mean())
    by_mean = float((torch.cdist(x[:100], means).argmin(1) == y[:100]).double().mean())
    assert 0.3 < by_mean < 0.6 < by_neighbour < 0.8


@pytest.mark.parametrize("wrong", [{"train": 10}, {"noise": 2.0}, {"seed": -1}])
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="drawn_digits: train"):
        DrawnDigits("train", **wrong)


def test_unknown_split():
    with pytest.raises(ValueError, match="must be one of train, validation, test"):
        DrawnDigits("all")
    with pytest.raises(IndexError, match="sample 20 of 20"):
        DrawnDigits("test", train=100)[20]

"""Schedules and optimisers: stated values, and what decays."""

import math

import pytest
import tiny_parts
import torch

from spikelab.learn.early_stopping import BestScore
from spikelab.learn.optimise import decays, make_optimiser
from spikelab.learn.schedule import learning_rate_factor, make_scheduler
from spikelab.settings import Optimiser, Schedule


def factors(schedule: Schedule, steps_per_epoch: int = 10, epochs: int = 4) -> list[float]:
    return [learning_rate_factor(schedule, step, steps_per_epoch, epochs) for step in range(steps_per_epoch * epochs)]


@pytest.mark.parametrize("name", ["cosine", "polynomial", "step", "constant"])
def test_warm_up_climbs_in_equal_steps_to_one(name):
    found = factors(Schedule(name, warmup_epochs=0.5))
    assert found[:6] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1.0])
    assert max(found) == 1.0


def test_cosine():
    found = factors(Schedule("cosine", warmup_epochs=0, final_factor=0.1))
    assert found[0] == 1.0
    assert found[-1] == pytest.approx(0.1)
    assert found[13] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 3)) / 2)
    assert found == sorted(found, reverse=True)


def test_cosine_against_torch():
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=39, eta_min=0.01)
    rates = []
    for _ in range(40):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        theirs.step()
    assert factors(Schedule("cosine", warmup_epochs=0, final_factor=0.01)) == pytest.approx(rates, abs=1e-9)


def test_polynomial():
    found = factors(Schedule("polynomial", warmup_epochs=0, final_factor=0.0, power=2.0))
    assert found[0] == 1.0
    assert found[13] == pytest.approx((2 / 3) ** 2)
    assert found[-1] == 0.0


def test_step():
    found = factors(Schedule("step", warmup_epochs=0, step_epochs=1.5, step_factor=0.5))
    assert [found[step] for step in (0, 14, 15, 29, 30, 39)] == [1, 1, 0.5, 0.5, 0.25, 0.25]


def test_one_step_in_all():
    """A training of a single step has nowhere to go; the rate is the peak, not a division by zero."""
    assert factors(Schedule("cosine", warmup_epochs=0), 1, 1) == [1.0]
    assert learning_rate_factor(Schedule("cosine", warmup_epochs=0), 5, 1, 1) == pytest.approx(0.01)


def test_the_scheduler_gives_each_step_its_factor():
    optimiser = make_optimiser(tiny_parts.TinyNet(), Optimiser(learning_rate=0.5))
    schedule = Schedule("cosine", warmup_epochs=1)
    scheduler = make_scheduler(optimiser, schedule, 5, 3)
    rates = []
    for _ in range(15):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    assert rates == pytest.approx([0.5 * factor for factor in factors(schedule, 5, 3)])


def test_only_connection_weights_decay():
    model = tiny_parts.TinyNet()
    found = {name for name, parameter in model.named_parameters() if decays(name, parameter)}
    assert found == {"first.weight", "classifier.weight"}
    assert not decays("neuron.tau_mem", torch.nn.Parameter(torch.ones(4, 1, 1)))
    for name in ("adamw", "sgd"):
        groups = make_optimiser(model, Optimiser(name, weight_decay=0.3)).param_groups
        assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(2, 0.3), (4, 0.0)]


def test_frozen_parameters_are_left_out():
    model = tiny_parts.TinyNet()
    model.first.requires_grad_(False)
    groups = make_optimiser(model, Optimiser()).param_groups
    assert sum(len(group["params"]) for group in groups) == 4
    with pytest.raises(ValueError, match="TinyNet has no trainable parameter"):
        make_optimiser(model.requires_grad_(False), Optimiser())


def test_best_score():
    best = BestScore()
    assert not best.exhausted(1)
    better = [best.update(score, epoch) for epoch, score in enumerate([0.1, 0.3, 0.3, None, 0.2, 0.4], start=1)]
    assert better == [True, True, False, False, False, True]
    assert (best.value, best.epoch, best.stale) == (0.4, 6, 0)
    best.update(0.1, 7)
    assert best.exhausted(1)
    assert not best.exhausted(2)
    assert not best.exhausted(0)
    lower = BestScore()
    assert [lower.update(score, 1, higher_is_better=False) for score in (2.0, 3.0, 1.0)] == [True, False, True]

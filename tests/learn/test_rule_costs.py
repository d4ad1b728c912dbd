"""What rules cost, from the settings of a training."""

from dataclasses import replace

import pytest
import torch
from tiny_digits import bars

from spikelab.learn.rule_costs import first_batch, rule_costs
from spikelab.settings import Data, Model, Rule, Train


@pytest.fixture
def settings(tmp_path):
    options = {"folder": str(bars(tmp_path)), "class_names": "left,right,top", "validation": 5}
    model = Model("spiking_classifier", {"hidden": [12], "steps": 5})
    data = Data("mnist", options=options, batch_size=25)
    return lambda rule: Train(
        folder=str(tmp_path / "run"), task="classification", model=model, data=data, rule=Rule(rule)
    )


def test_costs_of_backpropagation_and_of_a_local_rule(settings, tmp_path):
    state = torch.get_rng_state()
    full, local = rule_costs(settings("bptt")), rule_costs(settings("lls"))
    assert full["signal_operations"] == 5 * 12 * 3
    assert local["signal_operations"] == 2 * 12 * 3
    # input, charge and spikes of the hidden layer, of every step
    assert full["kept_bytes"] > 4 * 5 * 25 * (36 + 12 + 12)
    assert 0 < local["kept_bytes"] < full["kept_bytes"]
    assert torch.equal(torch.get_rng_state(), state)
    assert not (tmp_path / "run").exists()


def test_the_first_batch_is_that_of_the_training(settings):
    rule, batch = first_batch(settings("frozen"))
    again, same = first_batch(settings("lls"))
    assert torch.equal(batch["image"], same["image"])
    assert batch["image"].shape == (25, 1, 6, 6)
    for one, two in zip(rule.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_rule_that_does_not_take_the_model(settings):
    with pytest.raises(
        ValueError, match=r"rule 'lls': LLS takes samples with one label each.*not labels of shape \[8, 12\]"
    ):
        rule_costs(replace(settings("lls"), model=Model("tiny"), task="segmentation", data=Data("tiny")))

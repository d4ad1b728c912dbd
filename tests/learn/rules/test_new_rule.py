"""What the page on rules shows: a rule of one's own, a network of one's own, the options of every rule."""

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from tiny_digits import bars

from spikelab import registry
from spikelab.learn.train import train
from spikelab.settings import Data, Model, Optimiser, Rule, Train

OWN_NETWORK, OWN_RULE = 0, 1
PAGE = Path(__file__).parents[3] / "docs" / "learning_rules.md"


def blocks():
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)


@pytest.fixture
def registered(monkeypatch):
    module = ModuleType("signed_feedback")
    exec(blocks()[OWN_RULE], module.__dict__)
    monkeypatch.setitem(sys.modules, "signed_feedback", module)
    monkeypatch.setitem(registry.TABLES["rules"], "signed_feedback", "signed_feedback:SignedFeedback")


@pytest.mark.usefixtures("registered")
def test_it_tells_layers_what_it_says(make_model, make_rule, batch):
    model = make_model("dense")
    rule, plain = make_rule("signed_feedback", model, seed=3), make_rule("direct_feedback", model, seed=3)
    error, activity = torch.randn(12, 3), torch.rand(6, 12, 20)
    assert torch.equal(rule.signal(0, error, activity), plain.signal(0, error.sign(), activity))
    assert not torch.equal(rule.signal(0, error, activity), plain.signal(0, error, activity))


@pytest.mark.usefixtures("registered")
def test_it_trains_by_name(tmp_path):
    options = {"folder": str(bars(tmp_path)), "class_names": "left,right,top", "validation": 5}
    settings = Train(
        folder=str(tmp_path / "run"),
        task="classification",
        model=Model("spiking_classifier", {"hidden": [12], "steps": 5, "v_threshold": 0.3}),
        data=Data("mnist", options=options, batch_size=25),
        rule=Rule("signed_feedback", {"scale": 2.0}),
        optimiser=Optimiser(learning_rate=0.02),
        epochs=8,
        device="cpu",
        threads=1,
        tensorboard=False,
    )
    assert train(settings)["best"]["accuracy"] > 0.6


def test_the_page_names_rules_that_are_there():
    names = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.M)
    assert len(names) >= 7
    assert set(names) <= set(registry.names("rules"))


def test_a_network_of_ones_own_learns_without_settings(capsys):
    exec(blocks()[OWN_NETWORK], {})
    assert float(capsys.readouterr().out.split()[-1]) > 0.9


def test_the_page_lists_the_options_of_every_rule():
    told, rule = {}, ""
    for named, option, default in re.findall(r"^\|(?: `(\w+)`)? \| `(\w+)` \| ([^|]+) \|", PAGE.read_text(), re.M):
        rule = named or rule
        told.setdefault(rule, {})[option] = default
    for name in registry.names("rules"):
        parameters = list(inspect.signature(registry.load("rules", name)).parameters.values())[3:]
        assert told.get(name, {}) == {each.name: str(each.default).lower() for each in parameters}, name

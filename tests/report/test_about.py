"""What `spikelab info --about` says of registered things, and names of one's own."""

import json

import pytest

from spikelab import registry
from spikelab.cli import main
from spikelab.report.about import about


@pytest.mark.parametrize("kind", ["rules", "continual_methods", "streams", "models", "neurons"])
def test_every_option_is_explained(kind):
    for name in (name for name, place in registry.TABLES[kind].items() if place.startswith("spikelab.")):
        entry = about(name)[kind]
        assert entry["summary"]
        unexplained = [option for option, found in entry["options"].items() if not found["what"]]
        assert not unexplained, f"{name}: {unexplained}"


def test_defaults_are_those_of_the_constructor(capsys, tmp_path):
    assert main(["info", "--about", "lls", "--json", str(tmp_path / "lls.json")]) == 0
    printed = capsys.readouterr().out
    assert "basis = square" in printed
    assert "Numbers to which a layer's activity is averaged" in printed
    options = json.loads((tmp_path / "lls.json").read_text())["figures"]["about"]["rules"]["options"]
    assert options["temperature"]["default"] == "0.5"
    assert "model" not in options


@pytest.mark.parametrize(
    ("name", "meant"), [("drtp", "target_projection"), ("DFA", "direct_feedback"), ("hlpo", "hlop")]
)
def test_unknown_names_and_names_from_the_literature(name, meant, capsys):
    assert main(["info", "--about", name]) == 1
    assert f"did you mean {meant!r}? `spikelab info` lists all names" in capsys.readouterr().err


def test_a_name_of_ones_own():
    known = dict(registry.TABLES["rules"])
    try:
        registry.register("rules", "mine", "spikelab.learn.rules.lls:LLS")
        registry.register("rules", "mine", "spikelab.learn.rules.lls:LLS")
        assert registry.load("rules", "mine") is registry.load("rules", "lls")
        with pytest.raises(ValueError, match="'lls' is taken by spikelab"):
            registry.register("rules", "lls", "my_rules:LLS")
        for place in ("my_rules", "my_rules.LLS", "my-rules:LLS", "a:b:c", ":LLS"):
            with pytest.raises(ValueError, match="is no place; write module:attribute"):
                registry.register("rules", "other", place)
        with pytest.raises(registry.UnknownNameError, match="no registry of 'rule'"):
            registry.register("rule", "other", "my_rules:LLS")
    finally:
        registry.TABLES["rules"].clear()
        registry.TABLES["rules"].update(known)

"""Every rule in the training loop: a run that is stopped and goes on ends with the same bits; mistakes are told."""

from dataclasses import replace

import pytest
import torch
from tiny_digits import bars

from spikelab import registry
from spikelab.io.checkpoint import load_checkpoint
from spikelab.learn.run_folder import RunFolder
from spikelab.learn.session import DivergedError
from spikelab.learn.train import resume_settings, train
from spikelab.settings import Data, Model, Optimiser, Rule, Train

#: Rules whose own parameters are learned, beside those with their defaults.
WITH_PARAMETERS = [("lls", {"modulation": "matrix"}), ("lls", {"modulation": "vector", "basis": "random"})]


def pytest_generate_tests(metafunc):
    if "rule" in metafunc.fixturenames:
        rules = [(name, {}) for name in registry.names("rules")] + WITH_PARAMETERS
        names = ["-".join([name, *map(str, options.values())]) for name, options in rules]
        metafunc.parametrize("rule", [Rule(name, options) for name, options in rules], ids=names)


def settings_for(folder, pictures, rule, **changes):
    options = {"folder": str(pictures), "class_names": "left,right,top", "validation": 5}
    base = Train(
        folder=str(folder),
        task="classification",
        model=Model("spiking_classifier", {"hidden": [12], "steps": 5, "v_threshold": 0.3}),
        data=Data("mnist", options=options, batch_size=25),
        rule=rule,
        optimiser=Optimiser(learning_rate=0.02),
        epochs=2,
        log_every=1,
        checkpoint_every=1,
        device="cpu",
        threads=1,
        tensorboard=False,
    )
    return replace(base, **changes)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return bars(tmp_path_factory.mktemp("pictures"))


def files_of(folder):
    run = RunFolder(folder)
    return {path.name: path.read_bytes() for path in (run.last, run.best, run.log)}


def test_a_run_that_was_stopped_ends_with_the_same_bits(rule, pictures, tmp_path, monkeypatch):
    import spikelab.learn.session as session

    train(settings_for(tmp_path / "whole", pictures, rule))
    save = session.save_checkpoint

    def save_until(path, tree):
        save(path, tree)
        if path.name.startswith("last") and tree["progress"]["step"] == 4:
            raise KeyboardInterrupt  # as sudden as a kill, for this process

    monkeypatch.setattr(session, "save_checkpoint", save_until)
    with pytest.raises(KeyboardInterrupt):
        train(settings_for(tmp_path / "stopped", pictures, rule))
    monkeypatch.setattr(session, "save_checkpoint", save)
    torch.rand(7)  # the state that resuming finds is another one
    train(resume_settings(tmp_path / "stopped"))
    assert files_of(tmp_path / "stopped") == files_of(tmp_path / "whole")


@pytest.mark.parametrize("modulation", ["vector", "matrix"])
def test_what_a_rule_learns_itself_is_trained_and_kept(modulation, pictures, tmp_path):
    rule = Rule("lls", {"modulation": modulation})
    train(settings_for(tmp_path / "run", pictures, rule, epochs=1))
    first = load_checkpoint(tmp_path / "run" / "last.safetensors")["rule"]
    train(settings_for(tmp_path / "longer", pictures, rule, epochs=2))
    then = load_checkpoint(tmp_path / "longer" / "last.safetensors")["rule"]
    assert then.keys() == {"basis_0", "modulation_0"}
    assert torch.equal(first["basis_0"], then["basis_0"])
    assert not torch.equal(first["modulation_0"], then["modulation_0"])


def test_frozen_leaves_hidden_weights_as_they_were_drawn(pictures, tmp_path):
    weights = []
    for epochs in (1, 3):
        folder = tmp_path / str(epochs)
        train(settings_for(folder, pictures, Rule("frozen"), epochs=epochs))
        weights.append(load_checkpoint(folder / "last.safetensors")["model"])
    for name, value in weights[0].items():
        if name.endswith(("weight", "bias")):
            assert torch.equal(value, weights[1][name]) == ("readout" not in name), name


def test_a_loss_that_diverges_keeps_the_run(rule, pictures, tmp_path):
    settings = settings_for(tmp_path / "run", pictures, rule, optimiser=Optimiser(learning_rate=1e38, gradient_clip=0))
    with pytest.raises((DivergedError, RuntimeError), match=r"step|not finite|NaN|inf"):
        train(settings)
    kept = load_checkpoint(tmp_path / "run" / "last.safetensors")["model"]
    assert all(value.isfinite().all() for value in kept.values() if value.is_floating_point())


def test_a_rule_that_is_not_registered_is_told_with_those_that_are(pictures, tmp_path):
    with pytest.raises(KeyError, match="rules: unknown name 'feedback_aligment'; did you mean 'feedback_alignment'"):
        train(settings_for(tmp_path / "run", pictures, Rule("feedback_aligment")))


def test_a_label_that_is_no_class(rule_name, make_model, make_rule, batch):
    wrong = {**batch, "label": batch["label"].clone()}
    wrong["label"][4] = 3
    rule = make_rule(rule_name, make_model("dense"))
    with pytest.raises(ValueError, match=r"label\[4\] is 3: classes go from 0 to 2"):
        rule.measure(rule.model, wrong)

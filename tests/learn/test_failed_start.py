"""Runs that fail before the first step: what is said, and that the corrected command finds nothing in its way."""

import json

import pytest
from dying_samples import DyingSamples
from tiny_digits import bars, words

from spikelab import registry
from spikelab.cli import main
from spikelab.learn.loading import EvaluationBatches, TrainingBatches
from spikelab.settings import Data


@pytest.mark.parametrize("kind", [EvaluationBatches, TrainingBatches])
def test_a_loading_process_that_dies_is_explained(kind):
    data = DyingSamples()
    if kind is EvaluationBatches:
        batches = iter(EvaluationBatches(data, "test", 2, workers=1))
    else:
        batches = TrainingBatches(data, Data(batch_size=2, workers=1), seed=0).epoch(0)
    with pytest.raises(RuntimeError, match=r'under `if __name__ == "__main__":`.*workers=0.*exited unexpectedly'):
        next(batches)


def test_a_run_that_came_to_no_step_leaves_no_folder(tmp_path, capsys, monkeypatch):
    (tmp_path / "data").mkdir()
    data, run = bars(tmp_path / "data"), tmp_path / "run"
    kind = registry.load("tasks", "classification")
    sound = kind.loss

    def refuses(self, output, batch):
        raise ValueError("these logits do not fit")

    monkeypatch.setattr(kind, "loss", refuses)
    assert main(words(data, run, epochs=1)) == 1
    assert "these logits do not fit" in capsys.readouterr().err
    assert not run.exists()
    monkeypatch.setattr(kind, "loss", sound)
    assert main(words(data, run, epochs=1)) == 0
    assert json.loads((run / "run.json").read_text())["result"]["epochs"] == 1


def test_what_else_lies_in_the_folder_stays(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    run = tmp_path / "run"
    run.mkdir()
    (run / "notes.md").write_text("mine")
    monkeypatch.setattr(registry.load("tasks", "classification"), "loss", lambda *given: 1 / 0)
    assert main(words(bars(tmp_path / "data"), run, epochs=1)) == 1
    assert [path.name for path in run.iterdir()] == ["notes.md"]


def test_a_run_that_fails_after_a_step_keeps_what_it_has(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    run, kind = tmp_path / "run", registry.load("tasks", "classification")
    sound, calls = kind.loss, []

    def fails_at_the_second(self, output, batch):
        calls.append(batch)
        if len(calls) > 1:
            raise ValueError("enough")
        return sound(self, output, batch)

    monkeypatch.setattr(kind, "loss", fails_at_the_second)
    assert main(words(bars(tmp_path / "data"), run, epochs=1)) == 1
    assert len(calls) == 2
    assert (run / "settings.toml").exists()


def test_names_that_a_script_of_ones_own_registered(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    run = tmp_path / "run"
    registry.register("datasets", "own_pictures", registry.TABLES["datasets"]["mnist"])
    registry.register("models", "own_model", registry.TABLES["models"]["spiking_classifier"])
    given = words(bars(tmp_path / "data"), run, epochs=1)
    given = [word.replace("data.name=mnist", "data.name=own_pictures") for word in given]
    given = [word.replace("model.name=spiking_classifier", "model.name=own_model") for word in given]
    assert main(given) == 0
    for kind, name in (("datasets", "own_pictures"), ("models", "own_model")):
        place = registry.TABLES[kind].pop(name)
        capsys.readouterr()
        assert main(["eval", str(run)]) == 1
        told = " ".join(capsys.readouterr().err.split())
        assert f"{kind}: unknown name '{name}'" in told
        assert f"{run} was trained with it: if a script of yours registered it" in told
        assert "`python SCRIPT.py eval RUN`" in told
        registry.TABLES[kind][name] = place
    assert main(["eval", str(run)]) == 0

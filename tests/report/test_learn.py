"""`spikelab learn`: rules side by side, from the command line."""

import json

import pytest
from PIL import Image
from tiny_digits import bars

from spikelab.cli import main
from spikelab.learn.run_folder import RunFolder

SMALL = {
    "model": "spiking_classifier",
    "model_options.hidden": "[12]",
    "model_options.steps": 5,
    "data": "mnist",
    "data_options.class_names": "left,right,top",
    "data_options.validation": 5,
    "batch_size": 25,
    "epochs": 2,
    "device": "cpu",
    "threads": 1,
}


def words(folder, pictures, **options):
    given = {"folder": folder, "data_options.folder": pictures} | SMALL | options
    return ["learn", *(f"--{key}={value}" for key, value in given.items())]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return bars(tmp_path_factory.mktemp("pictures"))


def test_a_rule_beside_others_over_seeds(pictures, tmp_path, capsys):
    run = tmp_path / "run"
    given = words(
        run, pictures, rule="lls", seeds="0,1", json=tmp_path / "figures.json", **{"rule_options.basis": "sine"}
    )
    assert main(given) == 0
    printed = capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())["figures"]
    assert figures == json.loads((run / "learning.json").read_text())
    assert list(figures["summary"]) == ["lls", "bptt", "frozen"]
    assert [(each["rule"], each["seed"]) for each in figures["runs"]] == [
        (rule, seed) for seed in (0, 1) for rule in ("lls", "bptt", "frozen")
    ]
    for rule, found in figures["summary"].items():
        own = [each["accuracy"] for each in figures["runs"] if each["rule"] == rule]
        assert found["accuracy"] == pytest.approx(sum(own) / 2)
        assert found["spread"] == pytest.approx(abs(own[0] - own[1]) / 2**0.5)
        assert rule in printed
    assert figures["summary"]["frozen"]["signal_operations"] == 0
    assert figures["summary"]["lls"]["signal_operations"] == 2 * 3 * 12
    assert figures["summary"]["bptt"]["kept_bytes"] > figures["summary"]["frozen"]["kept_bytes"]
    assert RunFolder(run / "lls-seed1").read_settings().rule.options == {"basis": "sine"}
    assert RunFolder(run / "bptt-seed1").read_settings().rule.options == {}
    assert Image.open(run / "curves.png").size[0] > 800
    assert "| lls" in (run / "learning.md").read_text()

    # complete runs are not repeated
    before = {path: path.stat().st_mtime_ns for path in run.glob("*/last.safetensors")}
    assert len(before) == 6
    assert main(given) == 0
    assert {path: path.stat().st_mtime_ns for path in run.glob("*/last.safetensors")} == before
    assert json.loads((run / "learning.json").read_text()) == figures
    # other options are another experiment
    assert main([word.replace("sine", "square") for word in given]) == 1
    assert "was started with rule_options.basis = 'sine', and is now to go on with" in capsys.readouterr().err


def test_an_interrupted_command_goes_on(pictures, tmp_path, capsys, monkeypatch):
    import spikelab.learn.session as session

    options = {"rule": "target_projection", "compare": "frozen"}
    assert main(words(tmp_path / "whole", pictures, **options)) == 0
    save, written = session.save_checkpoint, []

    def save_until(path, tree):
        save(path, tree)
        written.append(path)
        if len(written) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(session, "save_checkpoint", save_until)
    assert main(words(tmp_path / "stopped", pictures, **options)) == 130
    monkeypatch.setattr(session, "save_checkpoint", save)
    assert main(words(tmp_path / "stopped", pictures, **options)) == 0
    for name in ("target_projection-seed0", "frozen-seed0"):
        one, two = ((tmp_path / run / name / "last.safetensors").read_bytes() for run in ("whole", "stopped"))
        assert one == two


def test_a_rule_that_is_also_to_be_compared_with_counts_once(pictures, tmp_path):
    assert main(words(tmp_path / "run", pictures, rule="frozen", epochs=1)) == 0
    assert list(json.loads((tmp_path / "run" / "learning.json").read_text())["summary"]) == ["frozen", "bptt"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "lsl"}, "rules: unknown name 'lsl'; did you mean 'lls'?"),
        ({"rule": "lls", "rule_options.basis": "triangle"}, "rule 'lls': basis = 'triangle': takes"),
        ({"rule": "lls", "rule_options.colour": "red"}, "rule 'lls' has no option 'colour'"),
        ({"rule": "lls", "model": "halsie", "compare": ""}, "model 'halsie'"),
        ({"compare": "bptt,bptt"}, "each rule once"),
        ({"compare": "bptt,sltz"}, "rules: unknown name 'sltz'; did you mean 'sltt'?"),
        ({"seeds": "1,1"}, "each seed once"),
        ({"epochs": 0}, "epochs = 0: must be at least 1"),
        ({"split": "tests"}, "'tests'"),
        ({"batch_size": 500}, "batch_size = 500: the split 'train' has only"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(options, message, pictures, tmp_path, capsys):
    given = words(tmp_path / "run", pictures, **options)
    if options.get("model") == "halsie":
        given = [word for word in given if "model_options" not in word]
    assert main(given) in (1, 2)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_folder_belongs_to_one_experiment(pictures, tmp_path, capsys):
    run = tmp_path / "run"
    options = {"rule": "target_projection", "compare": "frozen", "epochs": 1}
    assert main(words(run, pictures, **options)) == 0
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    given = json.loads((run / "learning.json").read_text())["settings"]
    assert (given["rule"], given["optimiser"]["learning_rate"], given["seeds"]) == ("target_projection", 5e-3, [0])
    capsys.readouterr()
    for changed, message in (
        ({"rule": "frozen"}, "was started with rule = 'target_projection', and is now to go on with rule = 'frozen'"),
        ({"optimiser.learning_rate": 0.1}, "was started with optimiser.learning_rate = 0.005"),
        ({"model_options.hidden": "[13]"}, "was started with model_options.hidden = [12]"),
        ({"rule_options.scale": 2.0}, "was started with no rule_options.scale, and is now"),
    ):
        assert main(words(run, pictures, **(options | changed))) == 1
        told = capsys.readouterr().err
        assert message in told
        assert "choose another --folder" in told
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before

    # more seeds and other rules to compare with use what is there
    assert main(words(run, pictures, **options | {"seeds": "0,1", "compare": "lls", "json": tmp_path / "a.json"})) == 0
    weights = run / "target_projection-seed0" / "last.safetensors"
    assert weights.read_bytes() == before[weights]
    assert len(json.loads((run / "learning.json").read_text())["runs"]) == 4


def test_runs_that_do_not_fit_are_found_before_anything_is_trained(pictures, tmp_path, capsys):
    """As in a folder of a version that kept no settings, or beside runs of `spikelab train`."""
    run = tmp_path / "run"
    assert main(words(run, pictures, rule="frozen", compare="", epochs=1)) == 0
    (run / "settings.toml").unlink()
    assert main(words(run, pictures, rule="frozen", compare="", epochs=2, seeds="5,0")) == 1
    told = capsys.readouterr().err
    assert "frozen-seed0: was started with epochs = 1, and is now to go on with 2; choose another --folder" in told
    assert not (run / "frozen-seed5").exists()
    assert main(words(run, pictures, rule="frozen", compare="", epochs=1, seeds="5,0")) == 0


def test_a_folder_that_is_a_file(pictures, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        assert main(words(folder, pictures)) == 1
        assert f"--folder {folder}: {tmp_path / 'file'} is a file; name a folder" in capsys.readouterr().err


def test_a_rule_that_descends_no_loss_asks_for_plain_gradient_descent(pictures, tmp_path, caplog):
    options = {"rule": "stdp", "compare": "frozen", "epochs": 1, "seeds": "0,1"}
    assert main(words(tmp_path / "one", pictures, **options)) == 0
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len([told for told in warnings if "'stdp'" in told and "--optimiser.name sgd" in told]) == 1
    caplog.clear()
    assert main(words(tmp_path / "two", pictures, **options, **{"optimiser.name": "sgd"})) == 0
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_curves_of_one_epoch(pictures, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    drawn, save = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *given, **more: [drawn.append(figure), save(figure, *given)])
    assert main(words(tmp_path / "run", pictures, compare="frozen", epochs=1)) == 0
    loss, accuracy = drawn[-1].axes
    for axes in (loss, accuracy):
        low, high = axes.get_xlim()
        assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1.0]
    assert loss.get_ylim()[1] > 1.04 * max(line.get_ydata()[0] for line in loss.lines)

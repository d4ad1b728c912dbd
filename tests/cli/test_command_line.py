"""The command line as a user meets it: in this process where that is enough, in a fresh one where time counts."""

import json
import subprocess
import sys
import time
import tomllib

import av
import pytest
from PIL import Image

from spikelab import __version__
from spikelab.cli import COMMANDS, main
from spikelab.io import settings_file
from spikelab.settings import Train

TINY = ["--model.name", "tiny", "--data.name", "tiny", "--data.batch-size", "4", "--device", "cpu"]
TINY += ["--tensorboard", "false", "--optimiser.learning-rate", "0.02"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A trained run, and what training it printed."""
    import tiny_parts

    from spikelab import registry

    tables = registry.TABLES
    registry.TABLES = {kind: dict(table) for kind, table in tables.items()}
    tiny_parts.register(registry.TABLES)
    folder = tmp_path_factory.mktemp("cli") / "run"
    assert main(["train", "--folder", str(folder), "--epochs", "4", *TINY, "--json", str(folder) + ".json"]) == 0
    registry.TABLES = tables
    return folder


def error_of(capsys, *words: str, code: int = 1) -> str:
    assert main(list(words)) == code
    found = capsys.readouterr()
    assert found.err.count("\n") == 1, found.err
    assert "Traceback" not in found.err
    return found.err


def test_help_is_quick_and_imports_no_torch():
    """The best of three in a fresh process: other work on the machine must not fail this."""
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "spikelab", "--help"], capture_output=True, text=True)
        times.append(time.perf_counter() - begin)
        assert done.returncode == 0
        assert all(name in done.stdout for name in COMMANDS)
    assert min(times) < 1.0
    check = "import sys, spikelab.cli as cli; cli.main(['train', '--help']); print({'torch', 'numba'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.stdout.endswith("set()\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_every_command_is_explained(name, capsys):
    assert main([*name.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: spikelab {name}")
    assert " ".join(text.split()).count(COMMANDS[name].summary.rstrip(".")) >= 1
    assert "--json" in text
    # An option without an explanation shows nothing but its type.
    for option in text.split("\n  --")[1:]:
        words = " ".join(option.split())
        if " (type:" in words or "(required, type:" in words:
            before = words.split(" (type:")[0].split(" (required, type:")[0]
            assert len(before.split()) >= 4, f"spikelab {name}: --{words}"


def test_version_and_overview(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__
    assert main([]) == 0
    assert "A first run:" in capsys.readouterr().out


def test_help_of_a_group_and_of_a_word_without_dashes(capsys):
    assert main(["data", "--help"]) == 0
    printed = capsys.readouterr().out
    for name in ("make", "check", "info", "convert", "play", "transcode"):
        assert f"  data {name} " in printed
    assert "usage:" not in printed
    assert main(["data", "check", "--help"]) == 0
    assert "usage: spikelab data check [FOLDER|NAME] [--config FILE] [options]" in capsys.readouterr().out


def test_training_writes_its_figures(run):
    document = json.loads((run.parent / "run.json").read_text())
    assert document["command"] == "train"
    assert document["spikelab"] == __version__
    assert document["settings"]["epochs"] == 4
    assert document["figures"]["best"]["mean_iou"] > 0.8
    assert Image.open(run / "curves.png").size[0] > 500


def test_eval(run, capsys, tmp_path):
    assert main(["eval", str(run), "--device", "cpu", "--json", str(tmp_path / "eval.json")]) == 0
    text = capsys.readouterr().out
    figures = json.loads((tmp_path / "eval.json").read_text())["figures"]
    assert f"{100 * figures['mean_iou']:.2f}" in next(line for line in text.splitlines() if line.startswith("mean IoU"))
    assert "dark" in text
    assert figures["parameters"] == 555
    assert figures["energy"]["spikes"] > 0


def test_predict(run, capsys, tmp_path):
    folder = tmp_path / "pictures"
    words = ["predict", str(run), "--folder", str(folder), "--indices", "0,3", "--scale", "8", "--maps", "true"]
    assert main([*words, "--device", "cpu", "--json", str(tmp_path / "predict.json")]) == 0
    figures = json.loads((tmp_path / "predict.json").read_text())["figures"]
    assert [sample["index"] for sample in figures["samples"]] == [0, 3]
    assert figures["samples"][0]["conditions"] == ["dark"]
    picture = Image.open(folder / "tiny-test-00003.png")
    assert picture.size[0] >= 4 * 8 * 12
    classes = Image.open(folder / "tiny-test-00003-classes.png")
    assert classes.size == (12, 8)
    assert classes.getextrema()[1] <= 2


def test_predict_chooses_evenly(run, tmp_path, capsys):
    assert main(["predict", str(run), "--folder", str(tmp_path), "--count", "3", "--device", "cpu"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"tiny-test-0000{index}.png" for index in (0, 4, 9)]
    assert "no sample 10" in error_of(capsys, "predict", str(run), "--indices", "[10]", "--device", "cpu")


def test_export(run, capsys, tmp_path):
    assert main(["export", str(run), "--folder", str(tmp_path / "a")]) == 0
    assert (tmp_path / "a" / "tiny.txt").read_text() == "8 x 12\n"
    assert main(["export", str(run), "--folder", str(tmp_path / "b"), "--height", "16"]) == 0
    assert (tmp_path / "b" / "tiny.txt").read_text() == "16 x 12\n"


def test_data(capsys, tmp_path):
    assert main(["data", "make", "--name", "tiny", "--splits", "train,test"]) == 0
    assert "24" in capsys.readouterr().out
    assert main(["data", "check", "--name", "tiny", "--json", str(tmp_path / "data.json")]) == 0
    splits = json.loads((tmp_path / "data.json").read_text())["figures"]["splits"]
    assert sum(splits["test"]["classes"].values()) == pytest.approx(1)
    assert splits["train"]["conditions"] == {"dark": 8}
    assert splits["train"]["problems"] == []
    assert main(["data", "check", "--name", "tiny", "--options.nan_at", "3", "--options.label_at", "4"]) == 1
    text = capsys.readouterr().out
    assert "train: sample 3: events holds values that are not finite" in text
    assert "train: sample 4: label 17 is no class (0 to 2)" in text


def test_info(capsys, tmp_path):
    assert main(["info", "--json", str(tmp_path / "info.json")]) == 0
    figures = json.loads((tmp_path / "info.json").read_text())["figures"]
    assert figures["versions"]["spikelab"] == __version__
    assert figures["versions"]["av"] == av.__version__
    assert figures["devices"][0]["name"] == "cpu"
    assert "halsie" in capsys.readouterr().out


def test_fine_tuning_and_dashes(run, tmp_path, capsys):
    words = ["train", "--folder", str(tmp_path / "fine"), "--epochs", "1", *TINY, "--initialise-from", str(run)]
    assert main(words) == 0
    assert "epoch 1" in capsys.readouterr().out


# --- settings files -------------------------------------------------------------------------------------------------


def test_config_file_and_overrides(tmp_path, capsys):
    (tmp_path / "a.toml").write_text('epochs = 7\n[data]\nname = "tiny"\nbatch_size = 3\n')
    assert main(["train", "--config", str(tmp_path / "a.toml"), "--epochs", "9", "--print_config"]) == 0
    text = capsys.readouterr().out
    (tmp_path / "b.toml").write_text(text)
    found = settings_file.read(Train, tmp_path / "b.toml")
    assert (found.epochs, found.data.name, found.data.batch_size, found.seed) == (9, "tiny", 3, 0)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--initialise-skip", "a.,b"], ["a.", "b"]),
        (["--initialise-skip=[a., 'b']"], ["a.", "b"]),
        (["--initialise-skip", '["a.", "b"]'], ["a.", "b"]),
        (["--initialise-skip", "a."], ["a."]),
        (["--initialise-skip", "[]"], []),
    ],
)
def test_lists_as_one_types_them(words, found, capsys):
    assert main(["train", *words, "--loss.class-weights", "1,0.5", "--print-config"]) == 0
    printed = tomllib.loads(capsys.readouterr().out)
    assert printed["initialise_skip"] == found
    assert printed["loss"]["class_weights"] == [1.0, 0.5]


def test_a_runs_settings_are_a_config_file(run, capsys):
    assert main(["train", "--config", str(run / "settings.toml"), "--print-config"]) == 0
    assert "epochs = 4" in capsys.readouterr().out


def test_mistyped_keys(tmp_path, capsys):
    path = tmp_path / "a.toml"
    path.write_text("[data]\nbatchsize = 3\n")
    message = error_of(capsys, "train", "--config", str(path), code=2)
    assert f"{path}: unknown key 'data.batchsize'; did you mean 'batch_size'? Known: " in message
    path.write_text("seeds = [0, 1]\n[train]\nepochs = 3\n")
    message = error_of(capsys, "train", "--config", str(path), code=2)
    assert f"{path}: is a configuration of `spikelab compare`, not of `spikelab train`" in message
    path.write_text("epochs = 'many'\n")
    assert "epochs" in error_of(capsys, "train", "--config", str(path), code=2)
    path.write_text("epochs = \n")
    assert "not a TOML file: Invalid value (at line 1" in error_of(capsys, "train", "--config", str(path), code=2)
    missing = error_of(capsys, "train", "--config", str(tmp_path / "none.toml"), code=2)
    assert "none.toml: no such file" in missing


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--batch-size", "3"], "unknown option --batch_size; did you mean --data.batch_size?"),
        (["train", "--epoch", "3"], "unknown option --epoch; did you mean --epochs?"),
        (["train", "--optimiser.lr", "3"], "unknown option --optimiser.lr; did you mean --optimiser.learning_rate?"),
        (["train", "--data.batch_sise", "3"], "did you mean --data.batch_size?"),
        (["train", "extra"], "does not know what to do with 'extra'"),
        (["train", "--epochs", "x"], "epochs"),
        (["train", "--schedule.name", "cosin"], "cosine"),
        (["trian"], "unknown command 'trian'; did you mean 'train'?"),
        (["data"], "say which: spikelab data make, spikelab data check"),
        (["data", "mkae"], "say which"),
        (["eval"], "run"),
        (["train", "--resume", "nowhere"], "--resume nowhere: not the folder of a run"),
    ],
)
def test_mistyped_options(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in error_of(capsys, *words, code=2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--data.batch-size", "0"], "data.batch_size = 0: a batch holds at least 1 sample"),
        (["train", "--epochs", "0"], "epochs = 0: must be at least 1"),
        (["train", "--model.name", "halsi"], "models: unknown name 'halsi'; did you mean 'halsie'?"),
        (
            ["train", "--model.options.modalty", "events"],
            "'halsie' has no option 'modalty'; did you mean 'modality'?",
        ),
        (["eval", "nowhere"], "nowhere: not the folder of a run"),
        (["data", "check", "--name", "road"], "did you mean 'roads'?"),
        (["data", "check", "nosuch/folder"], "nosuch/folder: no such folder or file"),
    ],
)
def test_values_that_cannot_be(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in error_of(capsys, *words)


def test_a_settings_file_cannot_name_code(run, tmp_path, capsys):
    """Neither through a registered name nor through the parser's own way of naming classes."""
    path = tmp_path / "a.toml"
    path.write_text('[model]\nname = "os:system"\n')
    assert "unknown name 'os:system'" in error_of(capsys, "train", "--config", str(path))
    mark = tmp_path / "mark"
    path.write_text(f'[model.options]\nclass_path = "pathlib.Path.touch"\ninit_args = ["{mark}"]\n')
    assert "no option 'class_path'" in error_of(capsys, "train", "--config", str(path))
    path.write_text(f'[model]\nclass_path = "subprocess.Popen"\ninit_args = {{ args = ["touch", "{mark}"] }}\n')
    assert "unknown key 'model.class_path'" in error_of(capsys, "train", "--config", str(path), code=2)
    assert not mark.exists()


def test_a_pipe_that_closes_early():
    command = f"{sys.executable} -m spikelab info | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout == "versions\n"
    assert done.stderr == ""


def test_debug_shows_where_an_error_came_from(capsys):
    assert main(["eval", "nowhere", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_fault_of_ours_says_so(capsys, monkeypatch):
    import spikelab.report.info

    monkeypatch.setattr(spikelab.report.info, "info", lambda settings: {}["absent"])
    message = error_of(capsys, "info")
    assert "KeyError: 'absent' (this looks like a fault in spikelab: --debug shows where it came from)" in message


def test_a_figure_file_that_can_no_longer_be_written(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("spikelab.cli._check_writable", lambda path: None)
    assert "No such file or directory" in error_of(capsys, "info", "--json", str(tmp_path / "none" / "info.json"))


@pytest.mark.parametrize("first", [True, False])
def test_options_win_over_a_file_wherever_it_stands(first, tmp_path, capsys):
    (tmp_path / "a.toml").write_text("epochs = 7\nseed = 3\n")
    file, option = ["--config", str(tmp_path / "a.toml")], ["--epochs", "2"]
    words = [*file, *option] if first else [*option, *file]
    assert main(["train", *words, "--print_config"]) == 0
    found = tomllib.loads(capsys.readouterr().out)
    assert (found["epochs"], found["seed"]) == (2, 3)


def test_a_figure_file_in_a_missing_folder_is_refused_before_any_work(tmp_path, capsys):
    words = ["train", "--folder", str(tmp_path / "run"), *TINY, "--json", str(tmp_path / "no" / "x.json")]
    message = error_of(capsys, *words, code=2)
    assert f"there is no folder {tmp_path / 'no'}; make it first" in message
    assert not (tmp_path / "run").exists()
    assert "is a folder; name a file" in error_of(capsys, "info", "--json", str(tmp_path), code=2)

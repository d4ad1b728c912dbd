"""The `spikelab continual` command on made-up digits: table, pictures, JSON, going on, errors."""

import json

import pytest

from spikelab import cli
from spikelab.io import settings_file
from spikelab.report.continual import learned, mean_matrix
from spikelab.settings_continual import Continual


def words(folder, data, **options):
    given = {
        "folder": folder,
        "method": "gpm",
        "stream": "permuted",
        "stream_options.tasks": 2,
        "stream_options.samples": 60,
        "stream_options.test_samples": 30,
        "stream_options.folder": data,
        "model.options.hidden": "[12]",
        "epochs": 1,
        "batch_size": 15,
        "seeds": "0,1",
        "device": "cpu",
        "threads": 1,
    } | options
    return ["continual", *(f"--{key}={value}" for key, value in given.items())]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Ten classes are what the registered data set names; the made-up pictures show three of them."""
    folder = tmp_path_factory.mktemp("digits")
    import gzip
    import struct

    import numpy as np

    for part, count in (("train", 1100), ("t10k", 40)):
        random = np.random.default_rng(count)
        labels = (np.arange(count) % 10).astype(np.uint8)
        pictures = random.integers(0, 60, (count, 5, 4), dtype=np.uint8)
        pictures[np.arange(count), labels % 5, labels // 5 * 2] = 250
        for name, values in ((f"{part}-images-idx3-ubyte.gz", pictures), (f"{part}-labels-idx1-ubyte.gz", labels)):
            header = struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
            (folder / name).write_bytes(gzip.compress(header + values.tobytes()))
    return folder


def test_a_stream_is_learned_drawn_and_not_repeated(digits, tmp_path, capsys):
    folder, report = tmp_path / "run", tmp_path / "figures.json"
    assert cli.main(words(folder, digits, json=report)) == 0
    shown = capsys.readouterr().out
    assert "gpm on permuted (domain, rule bptt, 2 seeds)" in shown
    assert "backward transfer" in shown
    figures = json.loads(report.read_text())["figures"]
    assert [run["seed"] for run in figures["runs"]] == [0, 1]
    first, second = (run["accuracy"] for run in figures["runs"])
    assert first != second
    assert mean_matrix(figures["runs"])[1][0] == pytest.approx((first[1][0] + second[1][0]) / 2)
    assert figures["mean"]["acc"] == pytest.approx(sum(sum(each[1]) / 2 for each in (first, second)) / 2)
    assert learned(figures) == shown.rstrip("\n")
    for name in ("accuracy.png", "curves.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    before = (folder / "seed_0.json").read_bytes()
    assert cli.main(words(folder, digits, seeds="0,1,2")) == 0
    assert (folder / "seed_0.json").read_bytes() == before
    assert (folder / "seed_2.json").exists()


def test_the_command_refuses_what_it_cannot_honour(digits, tmp_path, capsys):
    folder = tmp_path / "run"
    assert cli.main(words(folder, digits, seeds=0)) == 0
    for changed, message in (
        ({"epochs": 2}, "was started with epochs = 1"),
        ({"folder": tmp_path / "a", "method": "hlops"}, "did you mean 'hlop'"),
        ({"folder": tmp_path / "b", "stream_options.task": 3}, "did you mean 'tasks'"),
        ({"folder": tmp_path / "c", "method_options.energy": "[2.0]"}, "shares lie above 0"),
        ({"folder": tmp_path / "d", "model.name": "halsie"}, "halsie"),
    ):
        capsys.readouterr()
        given = {"seeds": 0} | changed
        if given.get("model.name"):
            given["model.options.hidden"] = "[12]"
        assert cli.main(words(given.pop("folder", folder), digits, **given)) != 0
        assert message in capsys.readouterr().err


def test_a_refused_command_leaves_nothing_that_binds_the_next(digits, tmp_path, capsys):
    folder = tmp_path / "run"
    for wrong in (
        {"stream_options.folder": tmp_path / "missing"},
        {"stream_options.task": 3},
        {"method_options.energy": "[2.0]"},
        {"rule.name": "bpt"},
    ):
        assert cli.main(words(folder, digits, **wrong)) == 1
        assert not folder.exists()
    folder.mkdir()  # as after a run that was killed before its first checkpoint
    settings_file.write(Continual(epochs=9), folder / "settings.toml")
    assert cli.main(words(folder, digits, seeds=0)) == 0
    capsys.readouterr()
    assert cli.main(words(folder, digits, seeds=0, epochs=2)) == 1
    assert "was started with epochs = 1" in capsys.readouterr().err


def test_folders_of_others_are_refused(digits, tmp_path, capsys):
    other = tmp_path / "trained"
    other.mkdir()
    (other / "settings.toml").write_text('task = "classification"\n')
    assert cli.main(words(other, digits)) == 1
    assert "already holds a run of another command; choose another --folder" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert cli.main(words(tmp_path / "file", digits)) == 1
    assert "--folder" in (said := capsys.readouterr().err)
    assert "is a file" in said


def test_settings_without_the_options_that_are_now_laid_under_are_refused(digits, tmp_path, capsys):
    folder = tmp_path / "run"
    assert cli.main(words(folder, digits, seeds=0)) == 0
    path = folder / "settings.toml"
    assert "tau_mem = 0.0014427" in path.read_text()  # complete, so that other defaults do not change a run
    path.write_text(path.read_text().replace("tau_mem = 0.0014427\n", ""))
    assert cli.main(words(folder, digits, seeds=0)) == 1
    assert "was started with no model.options.tau_mem, and is now to go on with" in capsys.readouterr().err


def test_units_and_what_joint_keeps(digits, tmp_path, capsys):
    assert cli.main(words(tmp_path / "run", digits, method="joint", seeds=0)) == 0
    shown = capsys.readouterr().out
    assert "the method keeps all data of all tasks" in shown
    lines = {line.split()[0]: line for line in shown.splitlines() if line}
    assert " %: mean accuracy at the end" in lines["ACC"]
    assert " points: backward transfer" in lines["BWT"]
    assert "on original  on permutation 1" in shown

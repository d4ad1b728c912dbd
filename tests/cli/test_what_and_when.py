"""`spikelab whatwhen`."""

import json

import pytest

from spikelab.cli import main

BRIEF = ["whatwhen", "--neurons", "60", "--seeds", "0,1", "--trials", "2", "--sweep", "1", "--geometry", "false"]


def brief(*words):
    """`BRIEF` with options of one's own, in place of its own where it has them: none may be given twice."""
    given = dict(zip(BRIEF[1::2], BRIEF[2::2], strict=True)) | dict(zip(words[::2], words[1::2], strict=True))
    return ["whatwhen", *(word for pair in given.items() for word in pair)]


def test_runs_draws_and_goes_on(tmp_path, capsys):
    words = [*BRIEF, "--folder", str(tmp_path / "run"), "--json", str(tmp_path / "figures.json")]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "gated three-factor" in printed
    assert "3: timing switched" in printed
    figures = json.loads((tmp_path / "figures.json").read_text())["figures"]
    assert figures["rules"].keys() == {"three_factor", "force", "force_merged", "force_reset"}
    assert len(figures["rules"]["force"]["at_end_each"]) == 2
    assert 1 < figures["rules"]["force"]["rate_hz"] < 100
    assert figures["sweep"]["r"].keys() == {"A", "B"}
    assert figures["sweep"]["r"]["B"] == pytest.approx(sum(figures["sweep"]["r_each"]["B"]) / 2)
    pictures = {path.name for path in (tmp_path / "run").glob("*.png")}
    assert pictures == {"errors.png", "predictions.png", "probability.png"}
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "parts").iterdir()}
    assert len(times) == 10
    assert main(words) == 0
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    again = json.loads((tmp_path / "figures.json").read_text())["figures"]
    assert {**again, "seconds": 0} == {**figures, "seconds": 0}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--rules", "three_fctor"], "unknown rule 'three_fctor'; did you mean"),
        (["--seeds", "-1"], "seeds"),
        (["--neurons", "2"], "neurons = 2: use 10 or more"),
        (["--feedback", "1", "--rules", "force_gated"], "open loop"),
        (["--gate", "shut"], "gate"),
        (["--seeds", "0,0"], "seeds = [0, 0]: each seed once"),
        (["--rules", "force,force"], "rules = ['force', 'force']: each rule once"),
    ],
)
def test_tells_bad_input_in_one_line(tmp_path, capsys, words, told):
    assert main(brief("--folder", str(tmp_path), *words)) in (1, 2)
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_belongs_to_one_experiment(tmp_path, capsys):
    run = tmp_path / "run"
    words = ["--sweep", "0", "--rules", "three_factor", "--seeds", "0", "--folder", str(run)]
    assert main(brief(*words)) == 0
    figures = json.loads((run / "figures.json").read_text())
    assert figures["settings"]["fresh_noise"] == 0.2
    assert str(run / "errors.png") in figures["files"]
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(brief(*words, "--fresh_noise", "1")) == 1
    told = "was started with fresh_noise = 0.2, and is now to go on with fresh_noise = 1.0; choose another --folder"
    assert told in capsys.readouterr().err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert main(brief(*words, "--seeds", "0,1", "--rules", "three_factor,force_merged", "--report", "false")) == 0
    part = run / "parts" / "session_three_factor_seed0.json"
    assert part.read_bytes() == before[part]
    assert json.loads((run / "figures.json").read_text())["seeds"] == [0, 1]


def test_a_folder_that_is_a_file(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main([*BRIEF, "--folder", str(tmp_path / "file")]) == 1
    assert f"--folder {tmp_path / 'file'}: {tmp_path / 'file'} is a file; name a folder" in capsys.readouterr().err

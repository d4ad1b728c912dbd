"""`spikelab whatwhen`."""

import json

import pytest

from spikelab.cli import main

BRIEF = ["whatwhen", "--neurons", "60", "--seeds", "0,1", "--trials", "2", "--sweep", "1", "--geometry", "false"]


def test_runs_draws_and_goes_on(tmp_path, capsys):
    words = [*BRIEF, "--folder", str(tmp_path / "run"), "--json", str(tmp_path / "figures.json")]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "gated three-factor" in printed
    assert "3: timing switched" in printed
    figures = json.loads((tmp_path / "figures.json").read_text())["figures"]
    assert figures["rules"].keys() == {"three_factor", "force", "force_merged", "force_reset"}
    assert len(figures["rules"]["force"]["at_end_each"]) == 2
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
    ],
)
def test_tells_bad_input_in_one_line(tmp_path, capsys, words, told):
    assert main([*BRIEF, "--folder", str(tmp_path), *words]) in (1, 2)
    assert told in capsys.readouterr().err

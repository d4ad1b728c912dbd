"""A benchmark that goes on with an earlier run's file: what it keeps, measures and refuses."""

import json

import pytest

from benchmarks import machine, training
from benchmarks.cases import Case
from benchmarks.earlier import forget
from benchmarks.peers import DENSE, OURS, PLAIN

SETTINGS = {"rounds": 1, "turn_seconds": 0.01, "memory": False}
ONE, TWO = Case("lif", 12, 3, 20), Case("lif", 9, 1, 5, False)


def measure(file, **options):
    chosen = {"threads": [1], "peers": [PLAIN], "rounds": 1, "turn": 0.01, "memory": False, "resume": True} | options
    return training.run(file, say=lambda text: None, **chosen)


@pytest.fixture
def asked(monkeypatch):
    """Which cases are to be measured, with nothing measured: that starts two processes each time."""
    found = []
    monkeypatch.setattr(training, "_measure", lambda report, cases, *_: found.append([case.name for case in cases]))
    return found


def report_of(file, *cases):
    machine_and_settings = {"machine": machine.describe(), "settings": SETTINGS, "peers": {}}
    rows = [{"case": case.name, "threads": 1, "peer": peer} for case in cases for peer in (OURS, PLAIN)]
    summaries = [{"case": case.name, "threads": 1} for case in cases]
    file.write_text(json.dumps(machine_and_settings | {"rows": rows, "summaries": summaries, "failures": []}))


def test_without_cases_only_what_is_missing_is_measured(tmp_path, monkeypatch, asked):
    file = tmp_path / "training.json"
    monkeypatch.setattr(training, "select", lambda cases: list(cases) or [ONE, TWO])
    report_of(file, ONE)
    measure(file)
    report_of(file, ONE, TWO)
    measure(file)
    measure(file, threads=[1, 2])
    measure(tmp_path / "new.json")
    assert asked == [[TWO.name], [ONE.name, TWO.name], [ONE.name, TWO.name]]


def test_given_cases_are_measured_again_and_nothing_goes_before_it_was(tmp_path, asked):
    file = tmp_path / "training.json"
    report_of(file, ONE, TWO)
    report = measure(file, cases=[TWO])
    assert asked == [[TWO.name]]
    assert [summary["case"] for summary in report["summaries"]] == [ONE.name, TWO.name]
    forget(report, TWO.name, 1)
    assert {entry["case"] for name in ("rows", "summaries") for entry in report[name]} == {ONE.name}


def test_a_first_look_is_gone_on_with_too(tmp_path, monkeypatch, asked):
    file = tmp_path / "training.json"
    monkeypatch.setattr(training, "QUICK", [ONE, TWO])
    report_of(file, ONE)
    measure(file, quick=True)
    assert asked == [[TWO.name]]


def test_a_peer_that_was_not_there_is_missing(tmp_path, monkeypatch, asked):
    file, case = tmp_path / "training.json", Case("linear_lif", 7, 2, 16)
    monkeypatch.setattr(training, "select", lambda cases: [case])
    report_of(file, case)
    measure(file)
    assert asked == []
    measure(file, peers=[PLAIN, DENSE])
    assert asked == [[case.name]]


def test_figures_of_other_settings_are_not_mixed_and_not_lost(tmp_path, asked):
    file = tmp_path / "training.json"
    report_of(file, TWO)
    before = file.read_text()
    with pytest.raises(ValueError, match=r"training\.json: measured with rounds = 1, this run has 2"):
        measure(file, cases=[TWO], rounds=2)
    assert file.read_text() == before


@pytest.mark.parametrize("text", ["{", "[]", '{"rows": []}'])
def test_another_file_is_refused_by_name(tmp_path, text, asked):
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"other\.json: not a report that can be gone on with"):
        measure(file, cases=[TWO])
    assert file.read_text() == text

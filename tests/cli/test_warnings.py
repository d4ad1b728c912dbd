"""Warnings on the command line: one line each, as errors are told."""

import warnings

import spikelab.report.info
from spikelab.cli import main


def test_each_warning_is_one_line_and_is_told_once(capsys, monkeypatch):
    def info(settings):
        for _ in range(3):
            for place in range(2):
                warnings.warn(f"of file {place}\n  in two lines", UserWarning, stacklevel=1)
        return {"figure": 1}

    monkeypatch.setattr(spikelab.report.info, "info", info)
    before = warnings.showwarning
    assert main(["info"]) == 0
    found = capsys.readouterr()
    assert found.err.splitlines() == [f"spikelab info: warning: of file {place} in two lines" for place in range(2)]
    assert found.out.split() == ["figure", "1"]
    assert warnings.showwarning is before


def test_warnings_are_as_they_were_after_an_error(capsys, monkeypatch):
    def info(settings):
        warnings.warn("before the error", UserWarning, stacklevel=1)
        raise ValueError("the error")

    monkeypatch.setattr(spikelab.report.info, "info", info)
    before = warnings.showwarning
    assert main(["info"]) == 1
    expected = ["spikelab info: warning: before the error", "spikelab info: error: the error"]
    assert capsys.readouterr().err.splitlines() == expected
    assert warnings.showwarning is before

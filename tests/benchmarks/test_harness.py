"""The benchmark harness on tiny cases, with spikelab and the plain loop only: no other framework is needed."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks import check, environments, floors, memory, training
from benchmarks.cases import CASES, Case, make_input, make_labels, select
from benchmarks.interleave import Times, against_fastest
from benchmarks.measure import compare, prepare, write_expected
from benchmarks.peers import OURS, PEERS, PLAIN, Peer, plain_torch, spikelab_layers
from benchmarks.session import Session, WorkerFailed

TINY = [Case("lif", 12, 3, 20), Case("linear_lif", 7, 2, 16), Case("convolutional", 6, 2), Case("lif", 9, 1, 5, False)]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    file = tmp_path_factory.mktemp("bench") / "training.json"
    said = []
    # the plain loop alone: it is the truth and always there
    report = training.run(
        file, threads=[1], cases=TINY[:1], peers=[PLAIN], rounds=2, turn=0.01, memory=True, say=said.append
    )
    return SimpleNamespace(report=report, file=file, said="\n".join(said))


def test_one_row_a_case_and_peer_in_json_and_csv(report):
    rows = json.loads(report.file.read_text())["rows"]
    assert [(r["case"], r["peer"], r["threads"]) for r in rows] == [
        ("lif_T12_N20", OURS, 1),
        ("lif_T12_N20", PLAIN, 1),
    ]
    with report.file.with_suffix(".csv").open() as file:
        assert [r["peer"] for r in csv.DictReader(file)] == [OURS, PLAIN]
    for row in rows:
        assert 0 < row["wall_ms_best"] <= row["wall_ms"]
        assert row["rounds"] == 2
        assert row["output_differs"] == 0
        assert row["version"]
        assert row["cpu"]
    assert rows[0]["mean_output"] == rows[1]["mean_output"] > 0
    assert report.report["failures"] == []
    assert "plain_torch" in report.said


def test_a_run_that_goes_on_adds_to_what_it_finds(report, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "_peak_memory", lambda *_: None)  # two more processes
    file = tmp_path / "training.json"
    file.write_text(report.file.read_text())
    options = {"threads": [1], "peers": [PLAIN], "rounds": 2, "turn": 0.01, "say": lambda text: None}
    found = training.run(file, cases=TINY[3:], resume=True, memory=True, **options)
    assert found == json.loads(file.read_text())
    assert [row["case"] for row in found["rows"]] == [TINY[0].name] * 2 + [TINY[3].name] * 2
    assert found["rows"][:2] == report.report["rows"]
    assert found["peers"].keys() == {OURS, PLAIN}


def test_summary_compares_with_the_plain_loop_but_takes_no_mark_from_it(report):
    (summary,) = report.report["summaries"]
    assert summary["speedup_wall"] is None
    assert summary["speedup_over_plain_wall"] > 0
    assert report.report["floors"] == []


@pytest.mark.skipif(not memory.is_supported(), reason="peak memory is read from /proc")
def test_peak_memory_sees_what_is_freed_again():
    size = 64 << 20
    assert 0.9 * size < memory.peak_extra(lambda: np.ones(size // 8)) < 1.5 * size
    assert memory.peak_extra(lambda: None) < size // 8


@pytest.mark.parametrize("case", TINY, ids=lambda c: c.name)
def test_spikelab_matches_the_plain_loop(case, tmp_path):
    file = tmp_path / "expected.npz"
    rate = write_expected(file, prepare(plain_torch, case, torch.float64))
    found = compare(file, prepare(spikelab_layers, case, torch.float64))
    assert found["differing"] <= (1e-12 if case.has_loss else 0)
    assert found["rate"] == pytest.approx(rate, rel=1e-9)
    if case.backward:
        assert found["gradient_error"] < 1e-12
    else:
        assert found["gradient_error"] is None


def test_a_delayed_reset_is_seen_as_another_output(tmp_path):
    case = TINY[0]
    file = tmp_path / "expected.npz"
    write_expected(file, prepare(plain_torch, case, torch.float64, delayed_reset=True))
    assert compare(file, prepare(plain_torch, case))["differing"] > 0.001


def test_wrong_output_is_refused(tmp_path):
    case = TINY[0]
    with Session(PEERS[PLAIN], 1) as plain:
        truth = check.write_truth(plain, case, tmp_path, [True])
        with pytest.raises(check.WrongOutput, match=r"plain_torch, lif_T12_N20: float64 output differs"):
            check.check(plain, case, {False: truth[True]})


def test_a_worker_reports_errors_and_its_own_death():
    with Session(PEERS[OURS], 1) as session:
        assert session.versions["threads"] == 1
        with pytest.raises(WorkerFailed, match="nothing is prepared"):
            session.ask("time", seconds=0.1)
        session._process.kill()
        with pytest.raises(WorkerFailed, match="spikelab_layers: the process ended with -9"):
            session.ask("release")


def test_a_missing_environment_says_how_to_make_it(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "FOLDER", tmp_path)
    with pytest.raises(
        environments.NotInstalled, match=r"benchmarks.environments norse' this one; .*--peers plain_torch"
    ):
        training.run(cases=TINY[:1], peers=["norse"], say=lambda text: None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cases": ["lif_T1"]}, "unknown case lif_T1; known are lif_T100_N512"),
        ({"peers": ["brian"]}, "unknown peer brian; known are"),
        ({"rounds": 0}, "must be positive"),
        ({"threads": []}, "must be positive"),
        ({"resume": True}, "resume goes on with a file: name it with --json"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        training.run(**options)


def test_the_command_line_says_what_is_wrong_in_one_line(capsys):
    assert training.main(["--cases", "lif_T1"]) == 1
    assert capsys.readouterr().err.startswith("error: unknown case lif_T1")


def test_inputs_are_the_same_every_time_and_case_names_are_unique():
    for case in TINY:
        np.testing.assert_array_equal(make_input(case), make_input(case))
        assert make_input(case).dtype == np.float32
    assert len(select([])) == len(CASES)
    events = make_input(CASES["convolutional_T20"])
    assert events.shape == (20, 16, 2, 34, 34)
    assert 0.005 < (events > 0).mean() < 0.1
    assert set(make_labels(CASES["halsie_T5"]).ravel()) == set(range(6))


@pytest.mark.parametrize("peer", [p for p in PEERS.values() if p.package], ids=lambda p: p.name)
def test_every_peer_has_its_files(peer: Peer):
    assert environments.requirements(peer).is_file()
    assert environments.requirements(peer).with_suffix(".py").is_file()
    assert peer.package.count("==") == 1


def test_the_fastest_is_picked_anew_in_each_round():
    def times(*wall: float) -> Times:
        return Times(wall=list(wall), rounds=list(range(len(wall))))

    found = {"ours": times(1, 2, 1), "a": times(4, 9, 8), "b": times(5, 6, 3), "slow": times(100)}
    assert against_fastest(found, "ours", ["a", "b", "slow"], "wall") == 3
    assert against_fastest(found, "ours", [], "wall") is None


def test_floors_name_cases_that_exist():
    assert {f.case for f in floors.FLOORS} | {floors.MEMORY_CASE} <= set(CASES)


def test_floors_are_judged_in_both_directions():
    summaries = [
        {"case": "lif_T100_N512", "threads": 2, "speedup_wall": 17.9, "speedup_cpu": 30.0},
        {"case": "lif_T100_N512", "threads": 1, "speedup_wall": 3.0, "speedup_cpu": 14.1},
        {"case": "lif_T500_N4096", "threads": 1, "memory_ratio": 0.2},
    ]
    kept = {(f["what"], f["threads"]): f["kept"] for f in floors.judge(summaries)}
    assert kept == {
        ("lif_T100_N512 speed, wall", 2): False,
        ("lif_T100_N512 speed, cpu", 1): True,
        ("lif_T500_N4096 memory", 1): True,
    }

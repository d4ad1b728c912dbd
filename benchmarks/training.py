"""Speed and memory of training layers, beside other frameworks, each in a process and an environment of its own.

    python -m benchmarks.training --quick
    python -m benchmarks.training --threads 1,2 --json training.json
    python -m benchmarks.training --threads 1,2 --json training.json --resume                    goes on with the file
    python -m benchmarks.training --threads 1,2 --json training.json --resume --cases video_T11  one case again

Writes one row a case, thread count and peer as JSON and, beside it, as CSV; after each case, so that an interrupted run
keeps what it measured. Each row says when its run began, and from which commit.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import environments, machine
from benchmarks.cases import CASES, QUICK, Case, select
from benchmarks.check import WrongOutput, check, write_truth
from benchmarks.earlier import Earlier, forget
from benchmarks.floors import judge
from benchmarks.interleave import TURN, against_fastest, time_in_turns
from benchmarks.peers import COMPILED, DENSE, OURS, PEERS, PLAIN
from benchmarks.session import Session, WorkerFailed
from benchmarks.table import floors_table, row, rows_table, write

Say = Callable[[str], object]


def run(
    json_file: str | Path | None = None,
    *,
    threads: Sequence[int] = (1, 2),
    cases: Sequence[str | Case] = (),
    peers: Sequence[str] = (),
    rounds: int = 11,
    turn: float = TURN,
    memory: bool = True,
    quick: bool = False,
    install: bool = False,
    resume: bool = False,
    say: Say = print,
) -> dict[str, Any]:
    """Measures cases and gives the report.

    Args:
        json_file: where the report goes, with a CSV of its rows beside it; None writes nothing.
        threads: thread counts, each measured in processes of its own.
        cases: names from ``CASES``, or cases; all by default.
        peers: names from ``PEERS`` to compare with; all by default. A plain loop always runs, as the truth.
        rounds: how often everyone has a turn.
        turn: seconds of a turn.
        memory: measure peak memory too, each in a fresh process.
        quick: few cases, three rounds, no memory: a first look.
        install: make missing environments first.
        resume: keep what ``json_file`` holds; measure the given cases, which takes the place of what it holds of them,
            or if none are given those that it lacks.
        say: takes progress and tables.

    Returns:
        {"machine", "settings", "peers", "rows", "summaries", "floors", "failures"}.

    Raises:
        ValueError: for an unknown case or peer, a number that is not positive, or a file that cannot be gone on with.
        NotInstalled: if a peer's environment is missing.
        WorkerFailed, WrongOutput: if spikelab or the plain loop themselves fail; others are left out and reported.
    """
    if not threads or min(rounds, *threads) < 1 or turn <= 0:
        raise ValueError(f"rounds, turn and threads must be positive, not {rounds}, {turn} and {list(threads)}")
    if resume and json_file is None:
        raise ValueError("resume goes on with a file: name it with --json")
    again = bool(cases)
    if quick:
        cases, rounds, memory = cases or QUICK, min(rounds, 3), False
    chosen = select(cases)
    names = [n for n in (peers or PEERS) if n not in (OURS, PLAIN)]
    if unknown := [n for n in names if n not in PEERS]:
        raise ValueError(f"unknown peer {', '.join(unknown)}; known are {', '.join(PEERS)}")
    try:
        for name in names:
            environments.make(PEERS[name], say) if install else environments.interpreter(PEERS[name])
    except environments.NotInstalled as error:
        raise environments.NotInstalled(f"{error}; or compare with plain PyTorch alone: --peers {PLAIN}") from None
    here = machine.describe()
    settings = {"threads": list(threads), "rounds": rounds, "turn_seconds": turn, "memory": memory}
    earlier = Earlier(Path(json_file) if resume and json_file is not None else None, here, settings)
    report: dict[str, Any] = {"machine": here, "settings": settings, "peers": earlier.peers}
    report |= earlier.found
    report["floors"] = judge(report["summaries"])
    everyone = [OURS, PLAIN, *names]
    missing = {
        count: [c for c in chosen if again or not earlier.has(c.name, count, _able(everyone, c))] for count in threads
    }
    tried = {case.name for cases_of in missing.values() for case in cases_of}
    report["failures"] = [failure for failure in report["failures"] if failure["case"] not in tried]
    peak: dict[str, dict[str, int | None]] = {}
    for count in threads:
        if missing[count]:
            _measure(report, missing[count], everyone, count, rounds, turn, memory, peak, json_file, say)
    say(floors_table(report["floors"]))
    return report


def _measure(
    report: dict[str, Any],
    cases: Sequence[Case],
    names: Sequence[str],
    threads: int,
    rounds: int,
    turn: float,
    memory: bool,
    peak: dict[str, dict[str, int | None]],
    json_file: str | Path | None,
    say: Say,
) -> None:
    with ExitStack() as stack:
        sessions = {name: stack.enter_context(Session(PEERS[name], threads)) for name in names}
        report["peers"] |= {name: session.versions for name, session in sessions.items()}
        for case in cases:
            load = machine.load_average()
            say(f"{case.name}, {threads} thread{'s' if threads > 1 else ''}, load {load}")
            checked = _check_all(sessions, replace(case, autocast=False), report, say)
            timed = {name: sessions[name] for name in checked if name != OURS}
            times = time_in_turns(sessions[OURS], timed, case, rounds, turn)
            if memory and case.name not in peak:
                peak[case.name] = {name: _peak_memory(name, case, report, say) for name in checked}
            peaks = peak.get(case.name, {})
            rows = [
                row(report, case, threads, name, times[name], checked[name], peaks.get(name), load) for name in checked
            ]
            forget(report, case.name, threads)
            report["rows"] += rows
            report["summaries"].append(_summary(case, threads, times, list(checked), peaks))
            for entries in (report["rows"], report["summaries"]):
                entries.sort(key=_place)
            report["floors"] = judge(report["summaries"])
            if json_file is not None:
                write(Path(json_file), report)
            say(rows_table(rows))


def _able(names: Iterable[str], case: Case) -> list[str]:
    return [name for name in names if case.kind in PEERS[name].kinds]


def _place(entry: dict[str, Any]) -> tuple[int, int]:
    """Where a row stands in a file: cases in their order, however often a run was gone on with."""
    return entry["threads"], list(CASES).index(entry["case"]) if entry["case"] in CASES else len(CASES)


def _check_all(sessions: dict[str, Session], case: Case, report: dict[str, Any], say: Say) -> dict[str, dict[str, Any]]:
    """Name -> what the check found; a peer that fails it is reported and left out."""
    checked = {}
    sessions = {name: sessions[name] for name in _able(sessions, case)}
    with tempfile.TemporaryDirectory(prefix="spikelab-benchmark-") as folder:
        truth = write_truth(sessions[PLAIN], case, Path(folder), [PEERS[name].delayed_reset for name in sessions])
        for name, session in sessions.items():
            try:
                checked[name] = check(session, case, truth)
            except (WorkerFailed, WrongOutput) as error:
                if name in (OURS, PLAIN):
                    raise
                _fail(report, case, name, error, say)
    return checked


def _peak_memory(name: str, case: Case, report: dict[str, Any], say: Say) -> int | None:
    try:
        with Session(PEERS[name], 1) as session:
            return session.ask("memory", case=case.to_json())["peak_extra"]
    except WorkerFailed as error:
        _fail(report, case, name, error, say)
        return None


def _fail(report: dict[str, Any], case: Case, name: str, error: Exception, say: Say) -> None:
    say(f"left out: {error}")
    report["failures"].append({"case": case.name, "peer": name, "error": str(error)})


def _summary(
    case: Case, threads: int, times: dict[str, Any], names: list[str], peaks: dict[str, int | None]
) -> dict[str, Any]:
    frameworks = [n for n in names if PEERS[n].framework]
    summary: dict[str, Any] = {"case": case.name, "threads": threads}
    for quantity in ("wall", "cpu"):
        summary[f"speedup_{quantity}"] = against_fastest(times, OURS, frameworks, quantity)
        summary[f"speedup_over_plain_{quantity}"] = against_fastest(times, OURS, [PLAIN], quantity)
        if DENSE in names:
            summary[f"speedup_over_dense_{quantity}"] = against_fastest(times, OURS, [DENSE], quantity)
        rivals = [*frameworks, *([COMPILED] if COMPILED in names else [])]
        summary[f"speedup_with_compiled_{quantity}"] = against_fastest(times, OURS, rivals, quantity)
    others = [value for n in frameworks if (value := peaks.get(n))]
    own = peaks.get(OURS)
    summary["memory_ratio"] = own / min(others) if others and own is not None else None
    return summary


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Speed and memory of training layers, beside other frameworks.")
    parser.add_argument("--threads", default="1,2", help="thread counts, as in 1,2 (the default)")
    parser.add_argument("--json", metavar="FILE", help="write the report here, and its rows as CSV beside it")
    parser.add_argument("--cases", default="", help=f"names with commas between; all by default: {', '.join(CASES)}")
    parser.add_argument("--peers", default="", help=f"names with commas between; all by default: {', '.join(PEERS)}")
    parser.add_argument("--rounds", type=int, default=11, help="how often everyone has a turn (11)")
    parser.add_argument("--no-memory", action="store_true", help="leave peak memory out")
    parser.add_argument("--quick", action="store_true", help="few cases and rounds, no memory: a first look")
    parser.add_argument(
        "--resume", action="store_true", help="keep what the file holds: measure what it lacks, or --cases"
    )
    parser.add_argument("--install", action="store_true", help="make missing environments first")
    options = parser.parse_args(arguments)
    try:
        report = run(
            options.json,
            threads=[int(part) for part in options.threads.split(",")],
            cases=[part for part in options.cases.split(",") if part],
            peers=[part for part in options.peers.split(",") if part],
            rounds=options.rounds,
            memory=not options.no_memory,
            quick=options.quick,
            install=options.install,
            resume=options.resume,
        )
    except (ValueError, OSError, environments.NotInstalled, WorkerFailed, WrongOutput) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 1 if report["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())

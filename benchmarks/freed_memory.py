"""What it brings to keep freed memory: a training step with the system's allocator as it is, and told to keep.

    python -m benchmarks.freed_memory --json benchmarks/results/freed_memory.json

spikelab and the plain PyTorch loop, each both ways, in processes of their own and in turn: CPU time of a step on one
thread, page faults and the largest size of the process. Both programs gain; the setting is no secret of spikelab's.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import machine
from benchmarks.cases import CASES, Case
from benchmarks.interleave import SLOW, TURN
from benchmarks.peers import OURS, PEERS, PLAIN
from benchmarks.session import Session

MEASURED = (CASES["convolutional_T20"], CASES["halsie_T5"], Case("halsie", 5, batch=24))
WAYS = ("given back", "kept")


def measure(case: Case, rounds: int, threads: int = 1) -> list[dict[str, Any]]:
    """One row for each program and way."""
    players = [(name, way) for name in (OURS, PLAIN) for way in WAYS]
    with ExitStack() as stack:
        sessions = {}
        for name, way in players:
            session = sessions[name, way] = stack.enter_context(Session(PEERS[name], threads))
            if way == "kept" and not session.ask("keep_freed_memory")["took"]:
                raise OSError("the C library of this system cannot be told to keep freed memory")
            session.ask("prepare", case=case.to_json(), slow=SLOW)
        turns: dict[tuple[str, str], list[dict[str, Any]]] = {player: [] for player in players}
        for _ in range(rounds):
            for player in players:
                turns[player].append(sessions[player].ask("time", seconds=TURN))
        sizes = {player: sessions[player].ask("size") for player in players}
    rows = []
    for name, way in players:
        found = turns[name, way]
        row: dict[str, Any] = {"case": case.name, "batch": case.batch, "program": name, "way": way}
        row["cpu_ms"] = 1e3 * median(turn["cpu"] for turn in found)
        row["wall_ms"] = 1e3 * median(turn["wall"] for turn in found)
        row |= sizes[name, way]
        pairs = zip(turns[name, WAYS[0]], found, strict=True)
        row["speedup"] = median(before["cpu"] / after["cpu"] for before, after in pairs)
        rows.append(row)
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = ["| case | batch | program | freed memory | CPU ms a step | times faster | largest size, MiB |"]
    lines.append("|---|---:|---|---|---:|---:|---:|")
    lines += [
        f"| `{row['case']}` | {row['batch']} | {row['program']} | {row['way']} | {row['cpu_ms']:.1f} "
        f"| {row['speedup']:.2f} | {row['largest_mib']:,.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None, say: Callable[[str], object] = print) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="where the figures go, with a table beside them")
    chosen = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    for case in MEASURED:
        rows += measure(case, chosen.rounds)
        say(table(rows[-4:]))
    if chosen.json:
        report = {"machine": machine.describe(), "rounds": chosen.rounds, "rows": rows}
        chosen.json.write_text(json.dumps(report, indent=1) + "\n")
        text = f"Training steps on one thread, {report['machine']['cpu']}, median of {chosen.rounds} turns.\n\n"
        chosen.json.with_suffix(".md").write_text(text + table(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

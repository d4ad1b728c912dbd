"""Speed of spikelab's networks beside NEST, Brian2 and GeNN, in turns, so that a change of the machine meets all.

    python -m benchmarks.simulation.speed                                       all networks, all that are installed
    python -m benchmarks.simulation.speed --networks brunel --simulators spikelab,nest --rounds 3
    python -m benchmarks.simulation.speed --json benchmarks/results/simulation_speed.json

Each simulator lives in a process of its own and warms up with one turn. Then, in each round: spikelab, a, spikelab,
b, ...; one works at a time. A ratio is that of two neighbouring turns, and the median over rounds counts. Building and
compiling are told apart. With two threads, GeNN's CPU back end is left out: it has one. Floors are judged by CPU time
on one thread. What two threads gain is judged by the rounds in which the machine lends two cores that share a cache: a
virtual machine's may lie far apart (``cores.py``). What they gain in the other rounds is told beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.environments import NotInstalled
from benchmarks.interleave import PAUSE, Times
from benchmarks.machine import describe, load_average
from benchmarks.session import WorkerFailed
from benchmarks.simulation.cores import NEAR, distance, gain
from benchmarks.simulation.networks import NETWORKS
from benchmarks.simulation.simulators import OURS, SIMULATORS, SimulatorSession, chosen, installed
from benchmarks.simulation.simulators import main as make_environments

#: By how many times spikelab is to be faster.
FLOORS = {
    "cuba": {"nest": 14.0, "brian2": 2.5, "genn": 2.5},
    "brunel": {"nest": 30.0, "brian2": 18.0, "genn": 6.0},
    "izhikevich_10000": {"nest": 8.0, "brian2": 2.3, "genn": 1.6},
    "brunel_stdp": {"nest": 25.0, "brian2": 18.0, "genn": 4.0},
}
#: Two threads over one, in wall time: 10 000 neurons with 1000 synapses. No network may be slower, but for what two
#: neighbouring turns of one and the same program differ by.
THREADS_FLOOR, NO_SLOWER = {"brunel": 1.5, "brunel_stdp": 1.5}, 0.93
#: By how many times more unrelated work two threads do than one in a round that counts for their floor.
TWO_CORES = 1.7
#: Rounds that count, at least, for a verdict.
FEWEST = 3
#: Biological ms of a simulation.
SEGMENTS = {name: 1000.0 for name in NETWORKS} | {"brunel": 200.0, "brunel_stdp": 200.0, "microcircuit": 400.0}
#: A turn repeats the simulation until so many seconds have passed.
TURN = 0.3


def turn(session: SimulatorSession, segment: float) -> dict[str, float]:
    """Mean seconds of wall clock and CPU per biological second."""
    time.sleep(PAUSE)
    wall, cpu, repeats = 0.0, 0.0, 0
    while wall < TURN:
        found = session.ask("advance")
        wall, cpu, repeats = wall + found["wall_s"], cpu + found["cpu_s"], repeats + 1
    seconds = repeats * segment / 1e3
    return {"wall": wall / seconds, "cpu": cpu / seconds}


def measure(network: str, players: Sequence[tuple[str, int]], rounds: int) -> list[dict[str, Any]]:
    """Times a network; the first player is the one that the others are compared with.

    Args:
        network: its name.
        players: names of simulators, and with how many threads each runs.
        rounds: how many.

    Returns:
        A row for each player that could be measured. Who fails is told, and left out.
    """
    segment, load = SEGMENTS[network], load_average()
    with ExitStack() as stack:
        sessions: dict[tuple[str, int], SimulatorSession] = {}
        prepared = {}
        for player in players:
            try:
                session = stack.enter_context(SimulatorSession(*player))
                prepared[player] = session.prepare(network, 1, segment, settle=True)
            except (WorkerFailed, NotInstalled) as error:
                print(f"error: {error}", file=sys.stderr)
                if player == players[0]:
                    return []
            else:
                sessions[player] = session
        times = {player: Times() for player in sessions}
        first, *others = sessions
        machine: dict[str, list[float]] = {"gain": [], "distance_ns": []}
        for number in range(rounds):
            for other in others or [first]:
                if other[0] == OURS and other != first:
                    machine["gain"].append(gain(first[1], 3) if first[1] > other[1] else 1.0)
                    machine["distance_ns"].append(distance() if first[1] > 1 else 0.0)
                own = turn(sessions[first], segment)
                found = own if other == first else turn(sessions[other], segment)
                for player, seconds in ((first, own), (other, found))[: 1 if other == first else 2]:
                    _keep(times[player], seconds, own, number)
        return [
            {
                "network": network,
                "simulator": player[0],
                "threads": session.threads,
                "against_threads": sessions[first].threads,
                "versions": session.versions,
                "biological_ms": segment,
                "wall": median(times[player].wall),
                "cpu": median(times[player].cpu),
                "ratio_wall": median(times[player].ratio_wall),
                "ratio_cpu": median(times[player].ratio_cpu),
                "cores": machine if player[0] == OURS and player != first else {},
                "turns": {name: getattr(times[player], name) for name in ("wall", "cpu", "ratio_wall", "ratio_cpu")},
                "load_average": load,
                **{name: prepared[player][name] for name in ("build_s", "compile_s", "peak_extra_bytes")},
            }
            for player, session in sessions.items()
        ]


def _keep(times: Times, found: dict[str, float], own: dict[str, float], number: int) -> None:
    times.wall.append(found["wall"])
    times.cpu.append(found["cpu"])
    times.ratio_wall.append(found["wall"] / own["wall"])
    times.ratio_cpu.append(found["cpu"] / own["cpu"])
    times.rounds.append(number)


def players(names: Sequence[str], threads: int) -> list[tuple[str, int]]:
    """Who is timed with so many threads: with more than one, spikelab on one thread too, and who has no more not."""
    others = [name for name in names if name != OURS]
    if threads == 1:
        return [(OURS, 1)] + [(name, 1) for name in others]
    able = [name for name in others if SIMULATORS[name].most_threads != 1]
    return [(OURS, threads), (OURS, 1)] + [(name, threads) for name in able]


def verdict(row: dict[str, Any]) -> str:
    """What the row says about a floor; empty where there is none."""
    if row["against_threads"] == row["threads"] == 1:
        floor, ratio = FLOORS.get(row["network"], {}).get(row["simulator"]), row["ratio_cpu"]
    elif row["simulator"] == OURS and row["threads"] == 1:
        floor = THREADS_FLOOR.get(row["network"], NO_SLOWER)
        near, far = _by_cores(row)
        told = f"; else {median(far):.2f} in {len(far)}" if far else ""
        if len(near) < FEWEST:
            return f"{floor:g}: two cores near each other in {len(near)} rounds{told}"
        ratio = median(near)
        return f"{floor:g}: {'kept' if ratio >= floor else 'missed'}, {ratio:.2f} in {len(near)} rounds{told}"
    else:
        return ""
    if floor is None:
        return ""
    return f"{floor:g}: {'kept' if ratio >= floor else 'missed'}"


def _by_cores(row: dict[str, Any]) -> tuple[list[float], list[float]]:
    """What two threads gained in the rounds in which the machine lent two cores near each other, and in the others."""
    near, far = [], []
    cores = row["cores"]
    for ratio, lent, apart in zip(row["turns"]["ratio_wall"], cores["gain"], cores["distance_ns"], strict=True):
        (near if lent >= TWO_CORES and apart <= NEAR else far).append(ratio)
    return near, far


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows in Markdown."""
    lines = [
        "# Speed of networks beside other simulators",
        "",
        "Seconds per biological second, medians over turns. Ratio: to spikelab's turn just before, median over rounds; "
        "in a row of spikelab on one thread against two, what two threads gain. Floors: CPU time on one thread; wall "
        "time for two threads, in the rounds in which the machine lent two cores that share a cache. Memory: growth of "
        "the process, building and simulating (of spikelab's, about 270 MB is its compiler).",
        "",
        "| network | simulator | threads | wall | CPU | against | ratio of wall | ratio of CPU | floor | build s "
        "| compile s | memory MB |",
        "|---" * 12 + "|",
    ]
    for row in rows:
        memory = "" if row["peak_extra_bytes"] is None else f"{row['peak_extra_bytes'] / 1e6:.0f}"
        cells = [
            row["network"],
            SIMULATORS[row["simulator"]].title,
            str(row["threads"]),
            *(f"{row[name]:.4g}" for name in ("wall", "cpu")),
            f"{SIMULATORS[OURS].title}, {row['against_threads']}",
            *(f"{row[name]:.2f}" for name in ("ratio_wall", "ratio_cpu")),
            verdict(row),
            *(f"{row[name]:.2f}" for name in ("build_s", "compile_s")),
            memory,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _earlier(path: Path, asked: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """Rows of an earlier run that this one does not measure anew: networks and numbers of threads go by themselves."""
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return [row for row in rows if (row["network"], row["against_threads"]) not in asked]


def _in_order(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    place = {name: number for number, name in enumerate(NETWORKS)}
    return sorted(rows, key=lambda row: (place[row["network"]], row["against_threads"]))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Speed of networks beside other simulators.")
    parser.add_argument("--simulators", default=",".join(SIMULATORS), help="separated by commas; all by default")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="separated by commas; all by default")
    parser.add_argument("--threads", default="1,2", help="numbers of threads, separated by commas (1,2)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each (7)")
    parser.add_argument("--json", type=Path, help="where the report goes, with a table beside it")
    parser.add_argument("--install", action="store_true", help="make missing environments first")
    given = parser.parse_args(arguments)
    names = chosen(parser, "simulator", given.simulators, SIMULATORS)
    if given.install and make_environments([name for name in names if name != OURS]):
        return 1
    networks = chosen(parser, "network", given.networks, NETWORKS)
    present = installed(names)
    report: dict[str, Any] = {"machine": describe(), "rounds": given.rounds, "floors": FLOORS, "rows": []}
    asked = [(network, int(threads)) for network in networks for threads in given.threads.split(",")]
    earlier = _earlier(given.json, asked) if given.json else []
    for network, threads in asked:
        report["rows"] += measure(network, players(present, threads), given.rounds)
        if given.json:
            # after each, so that an interrupted run keeps what it has
            whole = {**report, "rows": _in_order([*earlier, *report["rows"]])}
            given.json.write_text(json.dumps(whole, indent=1) + "\n")
            given.json.with_suffix(".md").write_text(table(whole["rows"]))
    print(table(report["rows"]))
    missed = [f"{r['network']} {r['simulator']}" for r in report["rows"] if "missed" in verdict(r)]
    print("floors: " + (f"missed: {', '.join(missed)}" if missed else "all kept"))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Times of several ways to do something, taken in turns with another library in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from benchmarks.peer_process import PeerProcess

TURN = 0.05
"""Seconds that a turn takes, about: so often each is repeated."""


def take_turns(
    ours: Mapping[str, Callable[[], object]], peer: PeerProcess | None, rounds: int, request: dict[str, Any]
) -> dict[str, float]:
    """Median CPU seconds of each of ours and of the peer (`theirs`).

    `<name>_faster` is the median over rounds of the peer's time over ours beside it, so that what slows the machine for
    a while slows both.
    """
    for run in ours.values():
        run()  # the first call may compile
    repeats = {name: _repeats(_timed(run, 1)) for name, run in ours.items()}
    peer_repeats = _repeats(peer.ask("time", repeats=1, **request)["cpu"]) if peer else 0
    times: dict[str, list[float]] = {name: [] for name in ours}
    theirs: list[float] = []
    for _ in range(rounds):
        for name, run in ours.items():
            times[name].append(_timed(run, repeats[name]))
        if peer:
            theirs.append(peer.ask("time", repeats=peer_repeats, **request)["cpu"])
    found = {name: median(of_name) for name, of_name in times.items()}
    if peer:
        found["theirs"] = median(theirs)
        for name, of_name in times.items():
            found[f"{name}_faster"] = median(t / o for t, o in zip(theirs, of_name, strict=True))
    return found


def _repeats(once: float) -> int:
    return max(int(TURN / max(once, 1e-7)), 1)


def _timed(run: Callable[[], object], repeats: int) -> float:
    used = time.process_time()
    for _ in range(repeats):
        run()
    return (time.process_time() - used) / repeats

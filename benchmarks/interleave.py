"""Times frameworks in turn, so that a change of the machine's speed meets all of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from benchmarks.cases import Case
from benchmarks.session import Session

#: A turn lasts about so many seconds, or one step if that takes longer.
TURN = 0.15
#: Idle seconds between turns: OpenMP threads spin for a moment before they sleep, and would steal time from the next.
PAUSE = 0.02
#: A framework whose step takes longer than this many seconds plays in one round only, with the step that warmed it up.
SLOW = 5.0


@dataclass
class Times:
    """Seconds of a step, one entry a turn: wall clock, and CPU time of all threads together.

    Attributes:
        ratio_wall: wall time over that of spikelab in the turn just before.
        ratio_cpu: the same of CPU time.
        rounds: in which round each turn was.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    ratio_wall: list[float] = field(default_factory=list)
    ratio_cpu: list[float] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)


def time_in_turns(
    ours: Session, others: Mapping[str, Session], case: Case, rounds: int, turn: float = TURN
) -> dict[str, Times]:
    """Times spikelab and every other in turn: spikelab, a, spikelab, b, ...; then again.

    Returns:
        name -> times, spikelab's own with the ratios to the median of its round.
    """
    warm = {s.peer.name: s.ask("prepare", case=case.to_json(), slow=SLOW) for s in (ours, *others.values())}
    times = {name: Times() for name in warm}
    for number in range(rounds):
        playing = [s for name, s in others.items() if number == 0 or warm[name]["wall"] <= SLOW]
        for other in playing:
            own = _turn(ours, turn)
            is_slow = warm[other.peer.name]["wall"] > SLOW
            found = warm[other.peer.name] if is_slow else _turn(other, turn)
            _keep(times[ours.peer.name], own, own, number)
            _keep(times[other.peer.name], found, own, number)
        if not playing:
            own = _turn(ours, turn)
            _keep(times[ours.peer.name], own, own, number)
    for session in (ours, *others.values()):
        session.ask("release")
    return times


def _turn(session: Session, seconds: float) -> dict[str, float]:
    time.sleep(PAUSE)
    return session.ask("time", seconds=seconds)


def _keep(times: Times, found: Mapping[str, float], own: Mapping[str, float], number: int) -> None:
    times.wall.append(found["wall"])
    times.cpu.append(found["cpu"])
    times.ratio_wall.append(found["wall"] / own["wall"])
    times.ratio_cpu.append(found["cpu"] / own["cpu"])
    times.rounds.append(number)


def against_fastest(times: Mapping[str, Times], ours: str, names: list[str], quantity: str) -> float | None:
    """Median over rounds of (time of that round's fastest of ``names``) / (spikelab's median in that round).

    The fastest is picked anew in each round, by its time in that round, which favours the others.
    """
    ratios = []
    own = times[ours]
    for number in sorted(set(own.rounds)):
        mine = [t for t, r in zip(getattr(own, quantity), own.rounds, strict=True) if r == number]
        best = [
            t
            for name in names
            for t, r in zip(getattr(times[name], quantity), times[name].rounds, strict=True)
            if r == number
        ]
        if best:
            ratios.append(min(best) / median(mine))
    return median(ratios) if ratios else None

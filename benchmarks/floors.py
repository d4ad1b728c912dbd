"""What spikelab must reach, and how the measured figures compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Spikelab's peak memory over that of the leanest framework, with the system's own allocator.
MEMORY_CASE, MEMORY_AT_MOST = "lif_T500_N4096", 0.25
#: Least speed of what may choose sparse products over dense products throughout.
DENSE_AT_LEAST = 0.95
#: Speed-up of a dense layer into neurons at a density of spikes.
_BY_DENSITY = {"2percent": 4.0, "5percent": 3.0, "10percent": 2.0}


@dataclass(frozen=True)
class Floor:
    """Median over rounds of the fastest framework's time over ours: wall time on two threads, CPU time on one.

    CPU time of one thread is its wall time less the time that other programs took from it.
    """

    case: str
    threads: int
    at_least: float
    #: Whether the compiled loop is among those that must be beaten.
    compiled: bool = False

    @property
    def quantity(self) -> str:
        """The clock that is judged."""
        return "cpu" if self.threads == 1 else "wall"


#: Where spikes are skipped, and for long sequences: also against ``torch.compile``.
_WITH_COMPILED = {
    "lif_T500_N4096": 7.0,
    **{f"linear_lif_T100_N{n}_{density}": floor for n in (512, 2048) for density, floor in _BY_DENSITY.items()},
    "convolutional_T20": 2.5,
    "convolutional_T20_5percent": 2.5,
}
FLOORS = (
    Floor("lif_T100_N512", 2, 18.0),
    Floor("lif_T500_N512", 2, 15.0),
    Floor("lif_T100_N4096", 2, 6.0),
    Floor("halsie_T5", 2, 1.5),
    Floor("lif_T100_N512", 1, 14.0),
    Floor("lif_T500_N512", 1, 10.0),
    Floor("lif_T100_N4096", 1, 4.0),
    Floor("halsie_T5", 1, 1.5),
    *(Floor(case, threads, floor, compiled=True) for threads in (2, 1) for case, floor in _WITH_COMPILED.items()),
)


def judge(summaries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry a floor that was measured: what, threads, measured, floor, and whether it is kept."""
    found = {(s["case"], s["threads"]): s for s in summaries}
    judged = []
    for floor in FLOORS:
        speedup = f"speedup_with_compiled_{floor.quantity}" if floor.compiled else f"speedup_{floor.quantity}"
        measured = found.get((floor.case, floor.threads), {}).get(speedup)
        if measured is not None:
            judged.append(
                _entry(f"{floor.case} speed, {floor.quantity}", floor.threads, measured, floor.at_least, True)
            )
    for (case, threads), summary in found.items():
        over_dense = summary.get(f"speedup_over_dense_{'cpu' if threads == 1 else 'wall'}")
        if over_dense is not None:
            judged.append(_entry(f"{case} over dense products", threads, over_dense, DENSE_AT_LEAST, True))
        if case == MEMORY_CASE and summary.get("memory_ratio") is not None:
            judged.append(_entry(f"{case} memory", threads, summary["memory_ratio"], MEMORY_AT_MOST, False))
    return judged


def _entry(what: str, threads: int, measured: float, floor: float, more_is_better: bool) -> dict[str, Any]:
    return {
        "what": what,
        "threads": threads,
        "measured": round(measured, 3),
        "bound": "at least" if more_is_better else "at most",
        "floor": floor,
        "kept": measured >= floor if more_is_better else measured <= floor,
    }

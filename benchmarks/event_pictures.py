"""Speed of voxel grids and event counts beside tonic; `python -m benchmarks.events` runs this.

Each picture is made in turns: as a new array, as tonic's is (both drop it before the next, so that the C library may
give out its memory again); into one array by `out=`; by tonic; and filled with zeros only, as a new array and as one
that is there. Filling is where speed ends: a picture that must be written as a whole is not made faster than that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.peer_process import PeerProcess
from benchmarks.turns import take_turns
from spikelab.datasets.cache import published_folder
from spikelab.events import EventArray, event_counts, voxel_grid
from spikelab.events.files import EventFileError, open_events

FLOOR = 20.0
KINDS = {"frame": "Event counts", "voxel": "Voxel grids"}
SENSORS = ((34, 34, 5_000), (128, 128, 50_000), (260, 346, 100_000), (480, 640, 500_000))


def recordings() -> Iterator[tuple[str, EventArray]]:
    """Name and events: the real recordings of up to a million events, then made ones."""
    shared = published_folder("event_formats").parent
    for path in sorted(shared.glob("*/*")):
        try:
            with open_events(path) as file:
                events = file.read()
        except (EventFileError, ImportError, OSError):
            continue  # no recording, or several in one file
        if 1000 < len(events) <= 1_000_000:
            yield path.name, events
    for height, width, count in SENSORS:
        rng = np.random.default_rng(0)
        x, y, p = (rng.integers(0, limit, count) for limit in (width, height, 2))
        yield "made here", EventArray(x, y, np.sort(rng.integers(0, 50_000, count)), p, width, height)


def picture_rows(peer: PeerProcess, rounds: int, folder: Path) -> Iterator[dict[str, Any]]:
    """Counts and voxel grids of each recording, in turns with tonic."""
    for name, events in recordings():
        structured = events.to_structured().astype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "i1")])
        np.save(folder / "events.npy", structured)
        peer.ask("load", path=str(folder / "events.npy"))
        for bins in (5, 10):
            for what in KINDS:
                row = {"recording": name, "what": what, "events": len(events), "bins": bins}
                sizes = {"width": events.width, "height": events.height}
                request = {"what": what, "bins": bins, **sizes}
                target = folder / "theirs.npy"
                peer.ask("check", target=str(target), **request)
                row |= {**sizes, "same": _agrees(what, events, bins, np.load(target))}
                yield row | _measured(what, events, bins, peer, rounds, request)


def _window(events: EventArray, bins: int) -> tuple[int, int]:
    """The window of tonic's ToFrame: from the first event on, parts of a whole number of microseconds."""
    start = int(events.t[0])
    return start, start + bins * (events.duration // bins)


def _agrees(what: str, events: EventArray, bins: int, theirs: np.ndarray) -> bool:
    if what == "frame":
        return bool(np.array_equal(event_counts(events, bins, *_window(events, bins)), theirs))
    start, last = int(events.t[0]), int(events.t[-1])
    # its last bin is the one before our last: events after the middle of the last part fade out there
    ours = voxel_grid(events, bins + 1, start, last)[:bins]
    return bool(np.allclose(ours, theirs[:, 0], rtol=1e-4, atol=1e-3))


def _measured(
    what: str, events: EventArray, bins: int, peer: PeerProcess, rounds: int, request: dict[str, Any]
) -> dict[str, Any]:
    make: Callable[..., np.ndarray] = event_counts if what == "frame" else voxel_grid
    window = _window(events, bins) if what == "frame" else (int(events.t[0]), int(events.t[-1]) + 1)
    there = make(events, bins, *window)
    ours = {
        "ours": lambda: make(events, bins, *window),
        "ours_out": lambda: make(events, bins, *window, out=there),
        "filling_new": lambda: np.empty(there.shape, np.float32).fill(0),
        "filling_out": lambda: there.fill(0),
    }
    return {"bytes": there.nbytes, **take_turns(ours, peer, rounds, request)}


def picture_tables(rows: Sequence[dict[str, Any]]) -> str:
    """A table in Markdown of each kind of picture."""
    text = ""
    for what, title in KINDS.items():
        lines = [
            f"{title}, milliseconds of CPU time:\n",
            "| recording | sensor | events | bins | MB | new array | filling one alone | faster than tonic "
            "| into `out` | filling that alone | faster than tonic | tonic |",
            "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for row in (row for row in rows if row["what"] == what):
            times = {
                key: f"{1e3 * row[key]:.4f}" for key in ("ours", "filling_new", "ours_out", "filling_out", "theirs")
            }
            cells = [
                row["recording"], f"{row['width']} x {row['height']}", f"{row['events']:,}", row["bins"],
                f"{row['bytes'] / 1e6:.2f}", times["ours"], times["filling_new"], f"{row['ours_faster']:.1f}",
                times["ours_out"], times["filling_out"], f"{row['ours_out_faster']:.1f}", times["theirs"],
            ]  # fmt: skip
            lines.append(f"| {' | '.join(map(str, cells))} |")
        text += "\n".join(lines) + "\n\n" + _kept(rows, what) + "\n\n"
    return text.removesuffix("\n")


def _kept(rows: Sequence[dict[str, Any]], what: str) -> str:
    parts = []
    for key, how in (("ours", "as new arrays"), ("ours_out", "into `out`")):
        ratios = [row[f"{key}_faster"] for row in rows if row["what"] == what]
        kept = sum(ratio >= FLOOR for ratio in ratios)
        parts.append(f"{how} kept by {kept} of {len(ratios)}, median {median(ratios):.1f} times")
    limited = sum(row["theirs"] / row["filling_out"] < 2 * FLOOR for row in rows if row["what"] == what)
    beyond = f" In {limited}, filling `out` alone takes more than half of the time that this leaves." if limited else ""
    return f"{FLOOR:g} times tonic's speed: {'; '.join(parts)}.{beyond}"

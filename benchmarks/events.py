"""Speed of event representations and readers beside tonic, expelliarmus and aedat; memory on a billion events.

    python -m benchmarks.events --install                        # makes .venv-peers/tonic first
    python -m benchmarks.events --json benchmarks/results/events.json

Pictures: voxel grids and counts of 5 and 10 parts of the time, of the real recordings in $SPIKELAB_SHARED/data and of
made ones (each pixel as likely as any other, which is the hardest for a cache) on sensors of usual sizes. tonic's
ToFrame counts as our `event_counts` does, but for events on the border of two parts: sums over time are compared. Its
ToVoxelGrid spreads events over the same parts with another scale of time, so there only the shape is compared.

Readers: the whole file into arrays; ours with all checks, in the order of time. Files are the real ones, and of each
format with an encoder in the tests one of some million events.

Both take turns, each as often as takes some tens of milliseconds, on one thread. The ratio is that of a turn to the one
beside it; the median is taken over all turns. CPU time.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.environments import ROOT, NotInstalled, interpreter, make
from benchmarks.machine import describe, load_average
from benchmarks.peer_process import PeerProcess
from benchmarks.peers import Peer
from spikelab import registry
from spikelab.datasets.cache import published_folder
from spikelab.events import EventArray, event_counts, voxel_grid
from spikelab.events.files import EventFileError, open_events, read_events

PEER = Peer("tonic", "tonic", "1.7.0")
PICTURE_FLOOR, READER_FLOOR = 20.0, 50.0
TURN = 0.05
SENSORS = ((34, 34, 5_000), (128, 128, 50_000), (260, 346, 100_000), (480, 640, 500_000))
DECODED_BY_PEER = {"evt2": "evt2", "evt3": "evt3", "dat": "dat", "aedat4": "aedat4"}


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
    """Voxel grids and counts of each recording, in turns with tonic."""
    for name, events in recordings():
        structured = events.to_structured().astype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "i1")])
        np.save(folder / "events.npy", structured)
        peer.ask("load", path=str(folder / "events.npy"))
        start, end = int(events.t[0]), int(events.t[-1]) + 1
        for bins in (5, 10):
            sizes = {"bins": bins, "width": events.width, "height": events.height}
            for what, ours in (("frame", event_counts), ("voxel", voxel_grid)):
                target = folder / "theirs.npy"
                peer.ask("check", what=what, target=str(target), **sizes)
                own, theirs = ours(events, bins, start, end), np.load(target)
                same = bool(np.array_equal(own.sum(0), theirs.sum(0))) if what == "frame" else own.size == theirs.size

                def picture(
                    make: Callable[..., np.ndarray] = ours, events: EventArray = events, bins: int = bins,
                    start: int = start, end: int = end,
                ) -> np.ndarray:  # fmt: skip
                    return make(events, bins, start, end)

                times = _turns(picture, peer, rounds, {"what": what, **sizes})
                yield {"recording": name, "what": what, "events": len(events), **sizes, "same": same, **times}


def reader_rows(peer: PeerProcess, rounds: int, folder: Path) -> Iterator[dict[str, Any]]:
    """Files of formats that a peer reads too, in turns."""
    for path in _files(folder):
        with open_events(path) as file:
            format, count = file.format, len(file.read())
        row = {"file": path.name, "format": format, "events": count, "bytes": path.stat().st_size}
        peers = {"what": DECODED_BY_PEER[format], "path": str(path)} if format in DECODED_BY_PEER else None
        times = _turns(lambda path=path: _stream(path), peer if peers else None, rounds, peers or {})
        whole = _turns(lambda path=path: read_events(path), None, rounds, {})
        yield row | times | {"ours_read": whole["ours"], "same": True}


def _stream(path: Path) -> int:
    with open_events(path) as file:
        return sum(len(events) for events in file)


def _files(folder: Path) -> Iterator[Path]:
    """Real files, then one of each format that the tests can write."""
    for path in sorted(published_folder("event_formats").glob("*")):
        try:
            with open_events(path) as file:
                file.read()
        except (EventFileError, ImportError, OSError):
            continue
        yield path
    sys.path.insert(0, str(ROOT / "tests" / "events" / "files"))
    rng = np.random.default_rng(0)
    for format in ("evt3", "evt2", "evt21", "dat", "aedat2", "aedat3", "text"):
        encoder = importlib.import_module(f"encode_{format}")
        count = 200_000 if format == "text" else 2_000_000
        width, height = getattr(encoder, "WIDTH", 320), getattr(encoder, "HEIGHT", 240)
        x, y, p = (rng.integers(0, limit, count) for limit in (width, height, 2))
        last = min(getattr(encoder, "LAST", 10_000_000), 10_000_000)
        # expelliarmus goes by the ending
        path = folder / f"made_{format}{registry.load('event_formats', format).suffixes[0]}"
        encoder.write(path, EventArray(x, y, np.sort(rng.integers(0, last, count)), p, width, height))
        yield path


def _turns(
    ours: Callable[[], object], peer: PeerProcess | None, rounds: int, request: dict[str, Any]
) -> dict[str, float]:
    """Median CPU seconds of ours and of the peer, and the median of the ratios of turns beside each other."""
    ours()
    once = _timed(ours, 1)
    repeats = max(int(TURN / max(once, 1e-7)), 1)
    own, theirs = [], []
    slow = peer.ask("time", repeats=1, **request)["cpu"] if peer else 0.0
    peer_repeats = max(int(TURN / max(slow, 1e-7)), 1)
    for _ in range(rounds):
        own.append(_timed(ours, repeats))
        if peer:
            theirs.append(peer.ask("time", repeats=peer_repeats, **request)["cpu"])
    found = {"ours": median(own)}
    if theirs:
        found |= {"theirs": median(theirs), "faster": median(t / o for t, o in zip(theirs, own, strict=True))}
    return found


def _timed(run: Callable[[], object], repeats: int) -> float:
    used = time.process_time()
    for _ in range(repeats):
        run()
    return (time.process_time() - used) / repeats


def billion(folder: Path, events: int) -> dict[str, Any]:
    """Streams a file of EVT 3.0 with so many events, in a process of its own; its memory before and at its most."""
    path = folder / "billion.raw"
    # a row of 1,200 neighbours every 12 microseconds: a hundred million events a second
    rows, height, masks = 2000, 720, 100
    counted = 0
    with open(path, "wb") as file:
        file.write(b"% evt 3.0\n% format EVT3;height=720;width=1280\n% end\n")
        first = 0
        while counted < events:
            row = np.arange(first, first + rows)
            time = 12 * row
            head = [0x8000 | (time >> 12 & 0xFFF), 0x6000 | (time & 0xFFF), row % height, 0x3000 | row % 2 << 11]
            words = np.concatenate([np.stack(head, 1), np.full((rows, masks), 0x4FFF)], 1)
            file.write(words.astype("<u2").tobytes())
            first += rows
            counted += rows * masks * 12
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.events", "--stream", str(path)],
        stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"expected": counted, "bytes": path.stat().st_size}


def _memory_of_streaming(path: Path) -> dict[str, Any]:
    """What the process above reports: memory after the first chunks and at its most, in MiB."""
    used, count, early = time.process_time(), 0, 0.0
    with open_events(path) as file:
        for number, events in enumerate(file):
            count += len(events)
            if number == 3:
                early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"events": count, "cpu": time.process_time() - used, "early_mib": early, "most_mib": most}


def picture_table(rows: Sequence[dict[str, Any]]) -> str:
    """A table in Markdown."""
    lines = [
        "| recording | sensor | events | bins | counts, ms | tonic | faster | voxel grid, ms | tonic | faster |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for frame, voxel in zip(rows[::2], rows[1::2], strict=True):
        cells = [frame["recording"], f"{frame['width']} x {frame['height']}", f"{frame['events']:,}", frame["bins"]]
        for row in (frame, voxel):
            cells += [f"{1e3 * row['ours']:.3f}", f"{1e3 * row['theirs']:.3f}", f"{row['faster']:.1f}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def reader_table(rows: Sequence[dict[str, Any]]) -> str:
    """A table in Markdown."""
    lines = [
        "| file | format | events | streamed, million a second | into one array | expelliarmus or aedat | faster |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        rate = [
            f"{row['events'] / row[key] / 1e6:.1f}" if key in row else "-" for key in ("ours", "ours_read", "theirs")
        ]
        faster = f"{row['faster']:.1f}" if "faster" in row else "-"
        cells = [row["file"], row["format"], f"{row['events']:,}", *rate, faster]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Speed of event representations and readers.")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each (9)")
    parser.add_argument("--events", type=int, default=1_000_000_000, help="of the long file; 0 leaves it out")
    parser.add_argument("--json", type=Path, help="where to write the figures; tables in Markdown go beside it")
    parser.add_argument("--install", action="store_true", help="make .venv-peers/tonic first")
    parser.add_argument("--stream", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.stream:
        print(json.dumps(_memory_of_streaming(given.stream)))
        return 0
    try:
        if given.install:
            make(PEER)
        peer = PeerProcess(interpreter(PEER), "tonic_worker.py")
    except NotInstalled as error:
        print(f"error: {str(error).splitlines()[0]}; or give --install", file=sys.stderr)
        return 1
    versions = {name: metadata.version(name) for name in ("numba", "numpy")}
    report: dict[str, Any] = {
        "machine": describe(),
        "versions": {"ours": versions, "theirs": peer.ask("hello")},
        "rounds": given.rounds,
        "floors": {"pictures": PICTURE_FLOOR, "evt3_million_a_second": READER_FLOOR},
    }
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            report["pictures"] = list(picture_rows(peer, given.rounds, folder))
            report["readers"] = list(reader_rows(peer, given.rounds, folder))
            if given.events:
                report["billion"] = billion(folder, given.events)
    finally:
        peer.close()
    report["load_average"] = load_average()
    text = f"{picture_table(report['pictures'])}\n{reader_table(report['readers'])}"
    if "billion" in report:
        long = report["billion"]
        text += (
            f"\nStreaming {long['events']:,} events of EVT 3.0 ({long['bytes'] / 1e6:.0f} MB, masks of twelve): "
            f"{long['events'] / long['cpu'] / 1e6:.0f} million a second, {long['early_mib']:.0f} MiB after four "
            f"chunks, {long['most_mib']:.0f} MiB at most.\n"
        )
    print(text)
    for what in ("frame", "voxel"):
        ratios = [row["faster"] for row in report["pictures"] if row["what"] == what]
        kept = sum(ratio >= PICTURE_FLOOR for ratio in ratios)
        most = f"kept by {kept} of {len(ratios)}, median {median(ratios):.1f}"
        print(f"{what}: {PICTURE_FLOOR:g} times tonic's speed {most}")
    if given.json:
        given.json.write_text(json.dumps(report, indent=2) + "\n")
        given.json.with_suffix(".md").write_text(text)
    whole = "billion" not in report or report["billion"]["events"] == report["billion"]["expected"]
    return 0 if whole and all(row["same"] for row in report["pictures"]) else 1


if __name__ == "__main__":
    sys.exit(main())

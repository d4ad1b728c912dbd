"""Speed of event representations and readers beside tonic, expelliarmus and aedat; memory on a billion events.

    python -m benchmarks.events --install                        # makes .venv-peers/tonic first
    python -m benchmarks.events --json benchmarks/results/events.json

Pictures: voxel grids and counts of 5 and 10 parts of the time, of the real recordings in $SPIKELAB_SHARED/data and of
made ones (each pixel as likely as any other, which is the hardest for a cache) on sensors of usual sizes. Both sides
make the same pictures. tonic's ToFrame makes its parts whole microseconds long and leaves out the events after the last
of them: our `event_counts` is given that window, and the counts must be equal. Its ToVoxelGrid has a scale of time with
one part more and leaves out what falls into the bin after the last: our `voxel_grid` with one bin more, less its last,
must be the same within rounding; what is timed has the same number of bins. tonic's counts are int16 and its grids
float64, ours are float32.

Readers: the whole file into arrays; ours with all checks, in the order of time. Files are the real ones, and of each
format with an encoder in the tests one of some million events.

Both take turns, each as often as takes some tens of milliseconds, on one thread. The ratio is that of a turn to the one
beside it; the median is taken over all turns. CPU time.

Memory: a process of its own streams a file of a billion events. Its resident memory is measured before the file is
opened, after a file of some thousand events was streamed (which loads the compiled reader), and at its most during the
first chunks and during all others.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.environments import ROOT, NotInstalled, interpreter, make
from benchmarks.event_pictures import FLOOR, picture_rows, picture_tables
from benchmarks.machine import describe, load_average
from benchmarks.memory import peak_extra
from benchmarks.peer_process import PeerProcess
from benchmarks.peers import Peer
from benchmarks.turns import take_turns
from spikelab import registry
from spikelab.datasets.cache import published_folder
from spikelab.events import EventArray
from spikelab.events.files import EventFileError, open_events, read_events

PEER = Peer("tonic", "tonic", "1.7.0")
READER_FLOOR = 50.0
DECODED_BY_PEER = {"evt2": "evt2", "evt3": "evt3", "dat": "dat", "aedat4": "aedat4"}


def reader_rows(peer: PeerProcess, rounds: int, folder: Path) -> Iterator[dict[str, Any]]:
    """Files of formats that a peer reads too, in turns."""
    for path in _files(folder):
        with open_events(path) as file:
            format, count = file.format, len(file.read())
        row = {"file": path.name, "format": format, "events": count, "bytes": path.stat().st_size}
        peers = {"what": DECODED_BY_PEER[format], "path": str(path)} if format in DECODED_BY_PEER else None
        stream = {"ours": lambda path=path: _stream(path)}
        times = take_turns(stream, peer if peers else None, rounds, peers or {})
        whole = take_turns({"read": lambda path=path: read_events(path)}, None, rounds, {})
        yield row | times | {"ours_read": whole["read"]}


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


def billion(folder: Path, events: int) -> dict[str, Any]:
    """Streams a file of EVT 3.0 with so many events, in a process of its own; its memory before and meanwhile."""
    path, short = folder / "billion.raw", folder / "short.raw"
    _write_rows(short, 10, 1)
    counted = _write_rows(path, events, 2000)
    command = [sys.executable, "-m", "benchmarks.events", "--stream", str(short), str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"expected": counted, "bytes": path.stat().st_size}


def _write_rows(path: Path, events: int, rows: int) -> int:
    """A row of 1,200 neighbours every 12 microseconds: a hundred million events a second. Returns their number."""
    height, masks = 720, 100
    counted = first = 0
    with open(path, "wb") as file:
        file.write(b"% evt 3.0\n% format EVT3;height=720;width=1280\n% end\n")
        while counted < events:
            row = np.arange(first, first + rows)
            time = 12 * row
            head = [0x8000 | (time >> 12 & 0xFFF), 0x6000 | (time & 0xFFF), row % height, 0x3000 | row % 2 << 11]
            words = np.concatenate([np.stack(head, 1), np.full((rows, masks), 0x4FFF)], 1)
            file.write(words.astype("<u2").tobytes())
            first += rows
            counted += rows * masks * 12
    return counted


def _memory_of_streaming(short: Path, path: Path) -> dict[str, Any]:
    """What the process above reports, in MiB: resident memory, then by how much it rises at most."""
    process = psutil.Process()
    before = process.memory_info().rss
    _stream(short)
    ready = process.memory_info().rss
    used = time.process_time()
    with open_events(path) as file:
        chunks = iter(file)
        counts: list[int] = []
        first = peak_extra(lambda: counts.extend(len(events) for events in islice(chunks, 4)))
        between = process.memory_info().rss
        later = peak_extra(lambda: counts.extend(len(events) for events in chunks))
    sizes = {"before": before, "ready": ready, "first_chunks": first, "later": between - ready + later}
    return {
        "events": sum(counts),
        "chunk": max(counts),
        "cpu": time.process_time() - used,
        "mib": {name: size / 2**20 for name, size in sizes.items()},
    }


def memory_text(long: dict[str, Any]) -> str:
    """The figures of the long file as a sentence."""
    mib = {name: f"{size:.0f} MiB" for name, size in long["mib"].items()}
    return (
        f"Streaming {long['events']:,} events of EVT 3.0 ({long['bytes'] / 1e6:.0f} MB, masks of twelve) in chunks of "
        f"up to {long['chunk']:,}: {long['events'] / long['cpu'] / 1e6:.0f} million a second. Resident memory is "
        f"{mib['before']} before (Python and its imports) and {mib['ready']} with the compiled reader; the first four "
        f"chunks add {mib['first_chunks']} at most, all the others no more than {mib['later']}.\n"
    )


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
        faster = f"{row['ours_faster']:.1f}" if "ours_faster" in row else "-"
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
    parser.add_argument("--stream", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.stream:
        print(json.dumps(_memory_of_streaming(*given.stream)))
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
        "floors": {"pictures": FLOOR, "evt3_million_a_second": READER_FLOOR},
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
    text = f"{picture_tables(report['pictures'])}\n{reader_table(report['readers'])}"
    if "billion" in report:
        text += f"\n{memory_text(report['billion'])}"
    text += f"\nThe machine had {os.cpu_count()} cores and {report['load_average']} runnable tasks at the end.\n"
    print(text)
    if given.json:
        given.json.write_text(json.dumps(report, indent=2) + "\n")
        given.json.with_suffix(".md").write_text(text)
    whole = "billion" not in report or report["billion"]["events"] == report["billion"]["expected"]
    return 0 if whole and all(row["same"] for row in report["pictures"]) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Speed of reading compressed video beside motion-vector-extractor with NumPy.

    python -m benchmarks.video_reader --install                  # makes .venv-peers/motion_vector_extractor first
    python -m benchmarks.video_reader --json benchmarks/results/video_reader.json

Both read MPEG-4 files of 320 x 240 and give for every P-frame the motion and the residual, in colour, accumulated to
the I-frame of its group. Results are compared first: the motion must be the same at every pixel; colours are converted
by different code, which may round differently. Then both take turns, each a whole file, on one thread. The ratio is
that of a turn to the one beside it, and the median is taken over all turns.

The clips are those of UCF-101 in $SPIKELAB_SHARED/data/video_clips, where there are any, and one that is made here.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.environments import ROOT, NotInstalled, interpreter, make
from benchmarks.machine import describe, load_average
from benchmarks.peer_process import PeerProcess
from benchmarks.peers import Peer
from spikelab.video.decode import video_info
from spikelab.video.reader import VideoReader, read_video
from spikelab.video.write import write_video

#: CPU milliseconds of ours for each frame at most, and how many times faster we must be.
LONGEST, FLOOR = 1.2, 3.0
PEER = Peer("motion_vector_extractor", "motion-vector-extractor", "2.0.0")


def clips(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name and path of each clip."""
    shared = Path(os.environ.get("SPIKELAB_SHARED", ROOT.parent / "shared")) / "data" / "video_clips"
    for path in sorted(shared.glob("v_*.avi")):
        info = video_info(path)
        if (info.codec, info.width, info.height, info.frames["B"]) == ("mpeg4", 320, 240, 0):
            yield path.stem, path
    write_video(folder / "made.mp4", _pictures())
    yield "made here", folder / "made.mp4"


def _pictures() -> Iterator[np.ndarray]:
    """A texture that wanders, with noise of a camera."""
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 256, (60, 80, 3)).repeat(8, 0).repeat(8, 1).astype(np.float32)
    for axis in (0, 1):
        for shift in (1, 2, 4):
            texture = (texture + np.roll(texture, shift, axis)) / 2
    for t in range(240):
        y, x = 120 + int(100 * np.sin(t / 20)), 160 + int(150 * np.sin(t / 31))
        noisy = texture[y : y + 240, x : x + 320] + rng.normal(0, 3, (240, 320, 1)).astype(np.float32)
        yield np.clip(noisy, 0, 255).astype(np.uint8)


def _ours(path: Path) -> dict[str, float]:
    """Reads a file and keeps no more than a group, as the peer does."""
    used, start = time.process_time(), time.perf_counter()
    frames = sum(1 + len(group.predicted) for group in VideoReader(path))
    return {"wall": time.perf_counter() - start, "cpu": time.process_time() - used, "frames": frames}


def compare(path: Path, extractor: PeerProcess, folder: Path) -> dict[str, Any]:
    """How far results differ."""
    extractor.ask("check", path=str(path), target=str(folder / "theirs.npz"))
    theirs = np.load(folder / "theirs.npz")
    frames = [frame for group in read_video(path) for frame in group.predicted]
    motion = np.stack([frame.motion for frame in frames])
    residual = np.stack([frame.residual for frame in frames])[:, ::-1].transpose(0, 2, 3, 1)
    return {
        "equal_motion": bool(np.array_equal(motion, theirs["motion"])),
        "residual_differs_by": float(np.abs(residual - theirs["residual"]).mean()),
        "residual": float(np.abs(residual).mean()),
    }


def measure(name: str, path: Path, extractor: PeerProcess, rounds: int, folder: Path) -> dict[str, Any]:
    """Compares a clip's results, then times it in turns; milliseconds for each frame."""
    found: dict[str, Any] = {"clip": name, **compare(path, extractor, folder)}
    turns: dict[str, list[dict[str, float]]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        turns["ours"].append(_ours(path))
        turns["theirs"].append(extractor.ask("time", path=str(path)))
    found["frames"] = turns["ours"][0]["frames"]
    found["same_frames"] = all(turn["frames"] == found["frames"] for turns_of in turns.values() for turn in turns_of)
    for kind in ("cpu", "wall"):
        for side, times in turns.items():
            values = [1e3 * turn[kind] / turn["frames"] for turn in times]
            found[f"{side}_{kind}_ms"], found[f"{side}_{kind}_ms_best"] = median(values), min(values)
        pairs = zip(turns["theirs"], turns["ours"], strict=True)
        found[f"speedup_{kind}"] = median(theirs[kind] / ours[kind] for theirs, ours in pairs)
    return found | {"load_average": load_average()}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A table in Markdown."""
    lines = [
        "| clip | frames | motion equal | residual differs by (of) | ours, CPU ms a frame (best) "
        "| motion-vector-extractor + NumPy | faster, CPU | faster, wall |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        cells = (
            r["clip"],
            f"{r['frames']}",
            "yes" if r["equal_motion"] else "NO",
            f"{r['residual_differs_by']:.2f} ({r['residual']:.2f})",
            f"{r['ours_cpu_ms']:.2f} ({r['ours_cpu_ms_best']:.2f})",
            f"{r['theirs_cpu_ms']:.2f} ({r['theirs_cpu_ms_best']:.2f})",
            f"{r['speedup_cpu']:.1f}",
            f"{r['speedup_wall']:.1f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Speed of reading compressed video.")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each (15)")
    parser.add_argument("--json", type=Path, help="where to write the figures; a table in Markdown goes beside it")
    parser.add_argument("--install", action="store_true", help="make .venv-peers/motion_vector_extractor first")
    given = parser.parse_args(arguments)
    try:
        if given.install:
            make(PEER)
        extractor = PeerProcess(interpreter(PEER), "motion_vector_extractor_worker.py")
    except NotInstalled as error:
        print(f"error: {str(error).splitlines()[0]}; or give --install", file=sys.stderr)
        return 1
    versions = {name: metadata.version(name) for name in ("av", "numba", "numpy")}
    report: dict[str, Any] = {
        "machine": describe(),
        "versions": {"ours": versions, "theirs": extractor.ask("hello")},
        "rounds": given.rounds,
        "floors": {"cpu_ms": LONGEST, "speedup_cpu": FLOOR},
        "rows": [],
    }
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            for name, path in clips(folder):
                report["rows"].append(measure(name, path, extractor, given.rounds, folder))
    finally:
        extractor.close()
    print(table(report["rows"]))
    missed = [r["clip"] for r in report["rows"] if r["speedup_cpu"] < FLOOR or r["ours_cpu_ms"] > LONGEST]
    kept = f"missed by {', '.join(missed)}" if missed else "kept by all"
    print(f"floors of {LONGEST} ms CPU a frame and {FLOOR:g} times faster: {kept}")
    if given.json:
        given.json.write_text(json.dumps(report, indent=2) + "\n")
        given.json.with_suffix(".md").write_text(table(report["rows"]))
    return 0 if all(r["equal_motion"] and r["same_frames"] for r in report["rows"]) else 1


if __name__ == "__main__":
    sys.exit(main())

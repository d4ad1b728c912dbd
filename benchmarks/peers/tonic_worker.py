"""Turns events into pictures with tonic and decodes raw files with expelliarmus and aedat, in its own process.

Commands come as lines of JSON on standard input, an answer goes out for each: {"do": "hello"}, {"do": "load", "path":
...}, {"do": "check" | "time", "what": ..., ...}. Events come as a structured array in an npy file.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

import aedat
import numpy as np
from expelliarmus import Wizard
from tonic import transforms

_LOADED: dict[str, Any] = {}


def job(request: dict[str, Any]) -> Callable[[], Any]:
    """What a command asks for."""
    what = request["what"]
    if what in ("voxel", "frame"):
        events, size = _LOADED["events"], (request["width"], request["height"], 2)
        kind = transforms.ToVoxelGrid if what == "voxel" else transforms.ToFrame
        transform = kind(sensor_size=size, n_time_bins=request["bins"])
        return lambda: transform(events)
    if what == "aedat4":
        return lambda: sum(len(packet["events"]) for packet in aedat.Decoder(request["path"]) if "events" in packet)
    return lambda: len(Wizard(encoding=what).read(request["path"]))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """One command."""
    if request["do"] == "hello":
        return {name: metadata.version(name) for name in ("tonic", "expelliarmus", "aedat", "numpy")}
    if request["do"] == "load":
        _LOADED["events"] = np.load(request["path"])
        return {"events": len(_LOADED["events"])}
    if request["do"] == "check":
        np.save(request["target"], job(request)())
        return {}
    run = job(request)
    used, start = time.process_time(), time.perf_counter()
    for _ in range(request["repeats"]):
        run()
    cpu, wall = time.process_time() - used, time.perf_counter() - start
    return {"cpu": cpu / request["repeats"], "wall": wall / request["repeats"]}


def main() -> None:
    """Answers until standard input ends."""
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()

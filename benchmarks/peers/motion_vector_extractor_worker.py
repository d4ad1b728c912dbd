"""Reads a video with motion-vector-extractor and computes with NumPy what `spikelab.video` gives, in its own process.

Commands come as lines of JSON on standard input, an answer goes out for each:
{"do": "hello"}, {"do": "check", "path": ..., "target": ...}, {"do": "time", "path": ...}.

Every P-frame gets the accumulated motion, int16 [2, H, W], and the residual against the I-frame, int16 [H, W, 3];
colours stay blue, green, red and last, as the package gives them. All of it is whole-array NumPy, without a loop over
blocks.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import metadata
from typing import Any

import numpy as np
from mvextractor.videocap import VideoCap

_CELL = 8


def dense(vectors: Any, height: int, width: int) -> tuple[Any, Any]:
    """The vectors of whole pixels at each pixel: dx and dy, int32 [H, W]."""
    vectors = vectors[vectors[:, 0] < 0]
    w, h, source_x, source_y, x, y = vectors[:, 1:7].T
    rows, columns = -(-height // _CELL) + 2, -(-width // _CELL) + 2
    grid = np.zeros((2, rows, columns), np.int32)
    row, column = (y - h // 2) // _CELL, (x - w // 2) // _CELL
    # blocks of 8 to 16 pixels cover 1 to 4 cells
    for below in range(2):
        for beside in range(2):
            covers = (h > below * _CELL) & (w > beside * _CELL)
            grid[0, row[covers] + below, column[covers] + beside] = (x - source_x)[covers]
            grid[1, row[covers] + below, column[covers] + beside] = (y - source_y)[covers]
    full = grid.repeat(_CELL, 1).repeat(_CELL, 2)
    return full[0, :height, :width], full[1, :height, :width]


def read(path: str, keep: Any) -> int:
    """Calls `keep(motion, residual)` for each P-frame; returns the number of frames."""
    video = VideoCap()
    if not video.open(path):
        raise RuntimeError(f"{path} cannot be opened")
    count = 0
    columns = rows = at_x = at_y = image = None
    while True:
        good, frame, vectors, kind = video.read()
        if not good:
            break
        count += 1
        height, width = frame.shape[:2]
        if kind == "I":
            rows, columns = np.mgrid[:height, :width].astype(np.int32)
            at_x, at_y, image = columns.astype(np.int16), rows.astype(np.int16), frame.reshape(-1, 3)
            continue
        dx, dy = dense(vectors, height, width)
        source = np.clip(rows - dy, 0, height - 1) * width + np.clip(columns - dx, 0, width - 1)
        at_x, at_y = at_x.ravel().take(source), at_y.ravel().take(source)
        motion = np.stack([columns - at_x, rows - at_y]).astype(np.int16)
        moved = image.take(at_y.ravel().astype(np.int32) * width + at_x.ravel(), 0)
        keep(motion, frame.astype(np.int16) - moved.reshape(frame.shape))
    video.release()
    return count


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """One command."""
    if request["do"] == "hello":
        return {name: metadata.version(name) for name in ("motion-vector-extractor", "numpy")}
    if request["do"] == "check":
        motions, residuals = [], []
        read(request["path"], lambda motion, residual: (motions.append(motion), residuals.append(residual)))
        np.savez(request["target"], motion=np.stack(motions), residual=np.stack(residuals))
        return {"frames": len(motions)}
    used, start = time.process_time(), time.perf_counter()
    frames = read(request["path"], lambda motion, residual: None)
    return {"wall": time.perf_counter() - start, "cpu": time.process_time() - used, "frames": frames}


def main() -> None:
    """Answers until standard input ends."""
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()

"""Writes the files of MVSEC: a table of double-precision numbers with seconds and signed polarities."""

import h5py
import numpy as np

WIDTH, HEIGHT = 346, 260


def write(path, events):
    table = np.stack([events.x, events.y, events.t / 1e6, events.p * 2.0 - 1], axis=1).astype(np.float64)
    with h5py.File(path, "w") as file:
        # chunks that do not hold whole rows: the data set has two dimensions
        file.create_dataset("davis/left/events", data=table, chunks=(640, 3), maxshape=(None, 4), compression="lzf")

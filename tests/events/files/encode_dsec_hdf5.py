"""Writes the files of DSEC: relative times of 32 bits, an index of milliseconds, Blosc."""

import h5py
import hdf5plugin
import numpy as np

WIDTH, HEIGHT = 640, 480
OFFSET = 7_000


def write(path, events):
    relative = events.t - OFFSET if len(events) and events.t[0] >= OFFSET else events.t
    packed = dict(hdf5plugin.Blosc(cname="zstd", clevel=1))
    with h5py.File(path, "w") as file:
        columns = {"x": events.x, "y": events.y, "t": relative.astype(np.uint32), "p": events.p}
        for name, column in columns.items():
            file.create_dataset(f"events/{name}", data=column, chunks=(997,), maxshape=(None,), **packed)
        last = int(relative[-1]) // 1000 + 1 if len(events) else 0
        index = [int(np.searchsorted(relative, 1000 * ms)) for ms in range(last + 1)]
        file.create_dataset("ms_to_idx", data=np.array(index, np.uint64), **packed)
        file["t_offset"] = OFFSET if relative is not events.t else 0

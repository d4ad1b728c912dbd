"""Writes the files of Metavision, without their own filter."""

import h5py
import numpy as np

WIDTH, HEIGHT = 1280, 720
EVENT = np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])
TRIGGER = np.dtype({"names": ["p", "t", "id"], "formats": ["<i2", "<i8", "<i2"], "offsets": [0, 8, 16], "itemsize": 24})
INDEX = np.dtype([("id", "<u8"), ("ts", "<i8")])


def write(path, events, triggers=()):
    table = np.empty(len(events), EVENT)
    for name in "xytp":
        table[name] = getattr(events, name)
    starts = np.arange(0, events.t[-1] + 2000 if len(events) else 0, 2000)
    index = np.empty(len(starts), INDEX)
    index["id"], index["ts"] = np.searchsorted(events.t, starts), starts
    with h5py.File(path, "w") as file:
        file.attrs.update(format="ECF", geometry=f"{events.width}x{events.height}", version="1.0")
        file.create_dataset("CD/events", data=table, chunks=(1024,), maxshape=(None,), compression="gzip")
        file["CD/indexes"] = index
        file["EXT_TRIGGER/events"] = np.array(list(triggers), TRIGGER)

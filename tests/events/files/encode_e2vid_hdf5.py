"""Writes the files of the reconstruction networks: signed coordinates, seconds, truth values."""

import h5py
import numpy as np


def write(path, events):
    with h5py.File(path, "w") as file:
        for name, column in (("xs", events.x.astype(np.int16)), ("ys", events.y.astype(np.int16)),
                             ("ts", events.t / 1e6), ("ps", events.p.astype(bool))):  # fmt: skip
            file.create_dataset(f"events/{name}", data=column, chunks=(1024,), maxshape=(None,))
        file.attrs["sensor_resolution"] = (events.height, events.width)
        file.attrs["source"] = "unknown"

"""Writes spikelab's own HDF5 as its description says, without the writer of spikelab."""

import h5py
import numpy as np

WIDTH, HEIGHT = 640, 480


def write(path, events):
    with h5py.File(path, "w") as file:
        file.attrs["format"], file.attrs["version"] = np.bytes_("spikelab events"), 1
        file.attrs["width"], file.attrs["height"] = events.width, events.height
        for name in "xytp":
            file.create_dataset(
                f"events/{name}", data=getattr(events, name), chunks=(1000,), maxshape=(None,), compression="gzip"
            )
        file["events/index"] = events.t[::65536]

"""Writes MATLAB 5 as Orchard's functions do: a struct TD that counts pixels from 1, with polarities 1 and 2."""

import numpy as np
import scipy.io

SIZELESS = True


def write(path, events):
    td = {"x": events.x + 1.0, "y": events.y + 1.0, "p": events.p + 1.0, "ts": events.t.astype(np.float64)}
    if not (events.p == 1).any():
        td["p"] = -np.ones(len(events))  # 1 alone would mean brighter
    with open(path, "wb") as file:
        scipy.io.savemat(file, {"TD": td}, do_compression=True)

"""Writes NPY with fields, as tonic and Prophesee's tools name them."""

import numpy as np

SIZELESS = True


def write(path, events):
    table = np.zeros(len(events), dtype=[("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")])
    for name in "txyp":
        table[name] = getattr(events, name)
    with open(path, "wb") as file:
        np.save(file, table)

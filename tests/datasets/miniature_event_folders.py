"""Writes recordings of one's own: things that move left, right or stay, in a folder for each class."""

import encode_dat
import numpy as np

from spikelab.events import EventArray
from spikelab.events.files import write_events

CLASSES = {"left": -1, "right": 1, "still": 0}
HEADER = b"% Data file containing Event2D events.\n% Version 2\n% Date 2026-01-01 00:00:00\n% Height 24\n% Width 32\n"


def recording(rng, direction, height=24, width=32, count=400):
    """A bar of events of 100 ms: ON where it goes to, OFF where it comes from."""
    t = np.sort(rng.integers(0, 100_000, count))
    middle = width / 2 + direction * (t / 100_000 - 0.5) * width * 0.6
    p = rng.integers(0, 2, count)
    x = np.clip(np.rint(middle + (2 * p - 1) * 2 * (direction or 1) + rng.normal(0, 0.7, count)), 0, width - 1)
    return EventArray(x.astype(int), rng.integers(4, height - 4, count), t, p, width, height)


def write(path, made):
    """In the form that the file's ending says."""
    if path.suffix == ".dat":
        encode_dat.write(path, made, HEADER, kind=0x00)
    else:
        write_events(path, made, format={".h5": "hdf5", ".npz": "npz"}[path.suffix])


def event_folders(folder, seed=0, counts=(("train", 8), ("validation", 3), ("test", 3)), classes=CLASSES):
    """Files of three formats; split, class and name of each -> its events. An empty split leaves that folder out."""
    rng, truth = np.random.default_rng(seed), {}
    for split, count in counts:
        for name in classes:
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(count):
                made = recording(rng, classes[name])
                file = f"rec_{number:03}{('.h5', '.npz', '.dat')[number % 3]}"
                write(place / file, made)
                truth[split, name, file] = made
    return truth

"""Writes a small DVS128 Gesture exactly as the real one is published."""

import encode_aedat3
import numpy as np

from spikelab.events import EventArray

HEADER = (
    b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#Start-Time: 2016-06-14 17:11:54 (TZ+0100)\r\n"
    b"#!END-HEADER\r\n"
)


def dvs_gesture(folder, seed=0, users=(1, 2, 3, 4, 22, 24, 25), count=4000):
    """Recordings of a person each, users from 24 on for testing; name of a file -> class, start, end and events."""
    rng, truth = np.random.default_rng(seed), {}
    place = folder / "DvsGesture"
    place.mkdir(parents=True)
    parts = {"train": [], "test": []}
    for user in users:
        name = f"user{user:02}_{rng.choice(['fluorescent', 'led', 'natural'])}"
        parts["train" if user < 24 else "test"].append(f"{name}.aedat")
        bounds = np.sort(rng.choice(np.arange(100, 7000), 24, replace=False)) * 1000
        # between the gestures there are events, too; the last gesture is not the last of the file
        gestures = list(zip([*range(1, 12), 8], bounds[::2].tolist(), bounds[1::2].tolist(), strict=True))
        t = np.sort(np.concatenate([rng.integers(0, 7_100_000, count), bounds, bounds - 1]))
        x, y, p = (rng.integers(0, most, len(t)) for most in (128, 128, 2))
        events = EventArray(x, y, t, p, 128, 128)
        encode_aedat3.write(place / f"{name}.aedat", events, HEADER)
        rows = ["class,startTime_usec,endTime_usec", *(",".join(map(str, gesture)) for gesture in gestures)]
        (place / f"{name}_labels.csv").write_text("\n".join(rows) + "\n")
        truth[f"{name}.aedat"] = [(label, start, end, events.between(start, end)) for label, start, end in gestures]
    for part, names in parts.items():
        (place / f"trials_to_{part}.txt").write_text("\n".join(names) + "\n\n")
    return truth

"""Writes EVT 3.0 with every kind of word that a camera sends: single events, masks of 12 and of 8, redundant times."""

import numpy as np

WIDTH, HEIGHT = 1280, 720
HEADER = b"% evt 3.0\n% format EVT3;height=720;width=1280\n% geometry 1280x720\n% end\n"


def write(path, events, header=HEADER):
    path.write_bytes(header + words(events).astype("<u2").tobytes())


def words(events):
    found = []
    high = low = row = None
    place = 0
    x, y, t, p = (column.tolist() for column in (events.x, events.y, events.t, events.p))
    while place < len(x):
        if t[place] >> 12 != high or place % 997 == 0:  # cameras repeat it now and then
            # the camera's counter has 12 bits and runs from 0: no gap may be longer than half its range
            for step in range(0 if high is None else high + 2000, t[place] >> 12, 2000):
                found.append(0x8000 | (step & 0xFFF))
            high, low = t[place] >> 12, None
            found.append(0x8000 | (high & 0xFFF))
        if t[place] & 0xFFF != low:
            low = t[place] & 0xFFF
            found.append(0x6000 | low)
        if y[place] != row:
            row = y[place]
            found.append(row)
        run = place
        while (
            run + 1 < len(x)
            and (t[run + 1], y[run + 1], p[run + 1]) == (t[place], y[place], p[place])
            and x[run] < x[run + 1] < x[place] + 20
        ):
            run += 1
        if run > place:
            found.append(0x3000 | p[place] << 11 | x[place])
            mask = sum(1 << (each - x[place]) for each in x[place : run + 1])
            found += [0x4000 | (mask & 0xFFF), 0x5000 | (mask >> 12)]
        else:
            found.append(0x2000 | p[place] << 11 | x[place])
        place = run + 1
    return np.array(found, np.uint16)

"""Writes EVT 2.1: runs of neighbours in a row as one word, with the halves in the order of either kind of camera."""

import struct

WIDTH, HEIGHT = 1280, 720
HEADER = b"% evt 2.1\n% format EVT21;height=720;width=1280;endianness=legacy\n% end\n"


def write(path, events, header=HEADER):
    pack = legacy if b"legacy" in header else little
    found = []
    high = None
    x, y, t, p = (column.tolist() for column in (events.x, events.y, events.t, events.p))
    place = 0
    while place < len(x):
        if t[place] >> 6 != high:
            high = t[place] >> 6
            found.append(pack(8, high % 2**28, 0))
        mask, end = 1, place + 1
        while end < len(x) and (t[end], y[end], p[end]) == (t[place], y[place], p[place]):
            if not x[end - 1] < x[end] < x[place] + 32:
                break
            mask |= 1 << x[end] - x[place]
            end += 1
        found.append(pack(p[place], t[place] % 64 << 22 | x[place] << 11 | y[place], mask))
        place = end
    path.write_bytes(header + b"".join(found))


def little(kind, rest, mask):
    return struct.pack("<Q", kind << 60 | rest << 32 | mask)


def legacy(kind, rest, mask):
    return struct.pack("<II", kind << 28 | rest, mask)

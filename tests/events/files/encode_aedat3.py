"""Writes AEDAT 3.1 as cAER does: packets of several kinds, room that is not used, invalid events' places left out."""

import itertools
import struct

import numpy as np

WIDTH, HEIGHT = 346, 260
LAST = (1 << 31) + 10_000_000  # times run over once
HEADER = (
    b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DAVIS346\r\n#Start-Time: 2016-09-14 15:25:12 (TZ+0100)\r\n"
    b"#!END-HEADER\r\n"
)


def packet(kind, payload, size, number=None, capacity=None, overflow=0, source=1):
    number = len(payload) // size if number is None else number
    capacity = number if capacity is None else capacity
    return struct.pack("<hhiiiiii", kind, source, size, 4, overflow, capacity, number, number) + payload


def polarity(x, y, t, p, valid=1):
    words = np.empty((len(x), 2), "<u4")
    words[:, 0] = (
        (np.asarray(x, np.int64) << 17) | (np.asarray(y, np.int64) << 2) | (np.asarray(p, np.int64) << 1) | valid
    )
    words[:, 1] = np.asarray(t, np.int64) & 0x7FFFFFFF
    return words.tobytes()


def picture(image, times, info=3):
    height, width = image.shape[:2]
    return struct.pack("<Iiiiiiiii", info, *times, width, height, 0, 0) + image.astype("<u2").tobytes()


def special(kind, t, valid=1):
    return struct.pack("<Ii", kind << 1 | valid, t)


def packets(events, source=1):
    found = []
    places = np.unique(np.concatenate([np.arange(0, len(events), 700),
                                       np.searchsorted(events.t, [1 << 31]), [len(events)]]))  # fmt: skip
    for begin, end in itertools.pairwise(places):
        part = slice(begin, end)
        payload = polarity(events.x[part], events.y[part], events.t[part], events.p[part])
        found.append(packet(1, payload, 8, overflow=int(events.t[begin] >> 31), source=source))
        found.append(packet(3, bytes(36), 36))
        found.append(packet(0, special(2, 5), 8))
    return b"".join(found)


def write(path, events, header=HEADER):
    path.write_bytes(header + packets(events))

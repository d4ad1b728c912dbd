"""Writes DAT of version 2, or of version 1 (the ATIS camera)."""

import struct

WIDTH, HEIGHT = 640, 480
HEADER = b"% Data file containing CD events\n% Date 2020-09-14 14:18:29\n% Version 2\n% Width 640\n% Height 480\n"


def write(path, events, header=HEADER, kind=0x0C, version=2):
    column, polarity = (14, 28) if version == 2 else (9, 17)
    records = [
        struct.pack("<II", int(t) % 2**32, int(x) | int(y) << column | int(p) << polarity)
        for x, y, t, p in zip(events.x, events.y, events.t, events.p, strict=True)
    ]
    path.write_bytes(header + bytes([kind, 8]) + b"".join(records))

"""Writes EVT 2.0: upper times where they change and now and then again, and an event a word."""

import struct

WIDTH, HEIGHT = 640, 480
HEADER = b"% Date 2020-09-14 09:03:25\n% evt 2.0\n% plugin_name hal_plugin_gen31_fx3\n% geometry 640x480\n% end\n"


def write(path, events, header=HEADER):
    found = []
    high = None
    for place, (x, y, t, p) in enumerate(zip(events.x, events.y, events.t, events.p, strict=True)):
        x, y, t, p = int(x), int(y), int(t), int(p)
        if t >> 6 != high or place % 500 == 0:
            high = t >> 6
            found.append(time_high(t))
        found.append(event(x, y, t, p))
    path.write_bytes(header + struct.pack(f"<{len(found)}I", *found))


def time_high(t):
    return 8 << 28 | (t >> 6) % 2**28


def event(x, y, t, p):
    return p << 28 | t % 64 << 22 | x << 11 | y

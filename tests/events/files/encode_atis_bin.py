"""Writes 40-bit records as a camera whose timer has 13 bits, with a record in row 240 whenever it runs over."""

WIDTH, HEIGHT = 240, 180
SIZELESS = True

OVERFLOW = bytes([0, 240, 0, 0, 0])


def write(path, events):
    content = bytearray()
    overflowed = 0
    for x, y, t, p in zip(events.x.tolist(), events.y.tolist(), events.t.tolist(), events.p.tolist(), strict=True):
        while t - overflowed >= 2**13:
            content += OVERFLOW
            overflowed += 2**13
        content += record(x, y, t - overflowed, p)
    path.write_bytes(content or OVERFLOW)  # an empty file is none of this format


def record(x, y, t, p):
    return bytes([x, y, p << 7 | t >> 16]) + (t & 0xFFFF).to_bytes(2, "big")

"""Writes AEDAT 2.0 as jAER does for a DAVIS346: events, and samples of pictures and of motion between them."""

import numpy as np

WIDTH, HEIGHT = 346, 260
LAST = (1 << 31) - 1
HEADER = (
    b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n"
    b"# Data format is int32 address, int32 timestamp (8 bytes total), repeated for each event\r\n"
    b"# Timestamps tick is 1 us\r\n# created Thu Dec 03 14:47:00 CET 2015\r\n"
    b"# HardwareInterface: DAVIS FX3 0002-INI\r\n# AEChip: eu.seebetter.ini.chips.davis.Davis346B\r\n"
)


def records(address, t):
    found = np.empty((len(address), 2), ">u4")
    found[:, 0], found[:, 1] = np.asarray(address, np.int64), np.asarray(t, np.int64) & 0xFFFFFFFF
    return found


def addresses(x, y, p, width=WIDTH, height=HEIGHT):
    """Columns from the right and rows from below."""
    x, y, p = (np.asarray(column, np.int64) for column in (x, y, p))
    return (height - 1 - y) << 22 | (width - 1 - x) << 12 | p << 11


def samples(image, signal, t, order=None):
    """One read-out of a picture, `[H, W]` with row 0 above; columns from the left in the file, rows from below."""
    height = len(image)
    x, y = np.divmod(np.arange(image.size), height)  # column by column
    if order is not None:
        x, y = x[order], y[order]
    address = 1 << 31 | y << 22 | x << 12 | int(signal) << 10 | image[height - 1 - y, x]
    return records(address, t + x)


def write(path, events, header=HEADER):
    found = records(addresses(events.x, events.y, events.p), events.t)
    if len(found) > 10:
        other = samples(np.full((4, 5), 77), True, found[10, 1])
        motion = records(np.full(7, 0x80000C00) | np.arange(7) << 28 & 0x70000000, np.full(7, found[10, 1]))
        edge = records([0x403, 0x402], found[[10, 10], 1])
        found = np.concatenate([found[:10], other, motion, edge, found[10:]])
    path.write_bytes(header + found.astype(">u4").tobytes())  # numpy joins into its own order of bytes

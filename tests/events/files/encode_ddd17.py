"""Writes the table of DDD17's recorder: rows of system time, header and payload, then rows that are empty."""

import h5py
import numpy as np
from encode_aedat3 import packet, picture, polarity, special

WIDTH, HEIGHT = 346, 260
LAST = (1 << 31) + 10_000_000
PICTURE = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 60000


def rows(packets):
    return [(b"", content[:28], content[28:]) for content in packets]


def write_rows(path, found, empty=100):
    with h5py.File(path, "w") as file:
        bytes_of_any_length = h5py.vlen_dtype(np.uint8)
        shape = (len(found) + empty, 3)
        table = file.create_dataset(
            "dvs/data", shape, bytes_of_any_length, maxshape=(None, 3), chunks=(128, 3), fillvalue=None
        )
        for number, row in enumerate(found):
            for place, content in enumerate(row):
                table[number, place] = np.frombuffer(content, np.uint8)
        file["dvs/timestamp"] = np.arange(shape[0])
        file["steering_wheel_angle/data"] = np.zeros((4, 2))


def write(path, events):
    packets = [packet(0, special(1, 0), 8), packet(2, picture(PICTURE, (0, 1, 2, 3)), 36 + 2 * PICTURE.size)]
    places = np.unique(np.concatenate([np.arange(0, len(events), 900),
                                       np.searchsorted(events.t, [1 << 31]), [len(events)]]))  # fmt: skip
    for begin, end in zip(places[:-1], places[1:], strict=True):  # noqa: RUF007
        part = slice(begin, end)
        x, y = (
            WIDTH - 1 - events.x[part].astype(int),
            HEIGHT - 1 - events.y[part].astype(int),
        )  # the camera stood on its head
        packets.append(
            packet(1, polarity(x, y, events.t[part], events.p[part]), 8, overflow=int(events.t[begin] >> 31))
        )
    write_rows(path, rows(packets))

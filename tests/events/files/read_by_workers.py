"""A data set of parts of recordings, as one would write it for PyTorch: files are opened once, read by the workers."""

import numpy as np


class Parts:
    """Parts of open recordings, `[N, 4]` with t, x, y and p.

    Args:
        files: open recordings.
        parts: number of the file, and the time in microseconds from which to which.
    """

    def __init__(self, files, parts):
        self.files, self.parts = files, parts

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, place):
        number, begin, end = self.parts[place]
        events = self.files[number].between(begin, end)
        return np.stack([events.t, events.x, events.y, events.p], axis=1).astype(np.int64)


def as_it_is(parts):
    """What a worker hands over: one part, as it was read."""
    return parts[0]

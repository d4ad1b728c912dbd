"""ASL-DVS: letters of the American sign language before an event camera.

Bi, Chadha, Abbas, Bourtsoulatze, Andreopoulos 2019, "Graph-based object classification for neuromorphic vision
sensing", ICCV. A DAVIS240C, 240 x 180 pixels, some 100 ms each: 4,200 recordings of each of 24 letters (j and z are
movements), by five people of whom the files do not tell which is which.

Published at github.com/PIX2NVS/NVS2Graph as an archive of archives (``Yin_1.zip`` ...), in which there is
``a/a_0001.mat`` and so on: x, y, ts and pol, from 0, with rows that count from below. There is no official split: the
paper takes four fifths of each class for training, at random.
"""

from __future__ import annotations

import numpy as np

from spikelab.datasets.event_recordings.divided_files import UndividedFilesByClass
from spikelab.events import EventArray
from spikelab.events.files import EventFileError


class ASLDVS(UndividedFilesByClass):
    """24 letters of hands, 180 x 240 pixels.

    No official split: test is a fifth of each class, drawn by `seed`. Takes the options of `FilesByClass` and of
    `UndividedFilesByClass`.
    """

    home = "asl_dvs"
    pattern = "*.mat"
    source = (
        "ASL-DVS is the archives Yin_*.zip, or the folders a to y of what is in them, of github.com/PIX2NVS/NVS2Graph"
    )
    class_names = tuple("abcdefghiklmnopqrstuvwxy")
    height, width = 180, 240
    usual_window = 100_000
    usual_test, usual_drawn = 0.2, "random"
    usual_is_from = "4:1 as in Bi et al. 2019"

    def recording(self, index: int) -> EventArray:
        """See `EventRecordings.recording`."""
        file = self.files[index]
        events, about = file.read(format="matlab")
        # without an event in the first row or column, a MATLAB file is taken for one that counts from 1
        first = about["first row and column"]
        x, y = events.x.astype(np.int64) + first, self.height - 1 - (events.y.astype(np.int64) + first)
        try:
            return EventArray(x, y, events.t, events.p, self.width, self.height)
        except ValueError as error:
            raise EventFileError(str(file), f"is no recording of a DAVIS240C: {error}") from None

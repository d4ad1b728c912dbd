"""ST-MNIST: digits that people wrote with a finger on an event-based skin.

See, Lim, Li, Yao, Cheng, Soh, Tee 2020, "ST-MNIST - The spiking tactile MNIST neuromorphic dataset", arXiv 2005.04319.
10 x 10 taxels whose pressure goes up (ON) or down (OFF), about two seconds a digit: 6,953 recordings by 23 people of
whom the files do not tell which is which.

Published at scholarbank.nus.edu.sg/handle/10635/168106 as ``STMNIST dataset NUS Tee Research Group.zip``: one MATLAB
file for each recording in a folder for each digit, ``data_submission/0`` and so on, with a matrix of 100 taxels and the
time; a table of the taxels (``LUT``) lies beside. There is no official split, and papers do not agree on one.
"""

from __future__ import annotations

from spikelab.datasets.event_recordings.divided_files import UndividedFilesByClass
from spikelab.datasets.recording_files import RecordingFile


class STMNIST(UndividedFilesByClass):
    """Digits on 10 x 10 taxels.

    No official split: test is a fifth of each class, drawn by `seed`. Takes the options of `FilesByClass` and of
    `UndividedFilesByClass`.
    """

    home = "st_mnist"
    pattern = "*.mat"
    source = (
        "ST-MNIST is STMNIST dataset NUS Tee Research Group.zip of scholarbank.nus.edu.sg/handle/10635/168106, or the "
        "folders 0 to 9 of what is in it"
    )
    class_names = tuple("0123456789")
    height = width = 10
    usual_window = None
    usual_test, usual_drawn = 0.2, "random"
    usual_is_from = "4:1, which is ours"
    format = "matlab"

    @classmethod
    def is_recording(cls, file: RecordingFile) -> bool:
        """See `FilesByClass.is_recording`."""
        return "LUT" not in file.place

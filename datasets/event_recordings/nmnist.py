"""N-MNIST: the digits of MNIST on a screen, before an event camera that makes three small movements.

Orchard, Jayawant, Cohen, Thakor 2015, "Converting static image datasets to spiking neuromorphic datasets using
saccades", Frontiers in Neuroscience 9:437. An ATIS camera, 34 x 34 pixels, some 300 ms a digit: 60,000 recordings to
learn from and 10,000 to be judged by.

Published at garrickorchard.com/datasets/n-mnist (Mendeley Data 468j46mzdv) as ``Train.zip`` and ``Test.zip``, which
hold ``Train/0/00002.bin`` and so on: 40 bits for each event.
"""

from __future__ import annotations

from typing import ClassVar

from spikelab.datasets.event_recordings.divided_files import DividedFilesByClass


class NMNIST(DividedFilesByClass):
    """Handwritten digits, 34 x 34 pixels, in the official split; takes the options of `FilesByClass`."""

    home = "nmnist"
    pattern = "*.bin"
    source = "N-MNIST is Train.zip and Test.zip, or the folders Train and Test, of garrickorchard.com/datasets/n-mnist"
    class_names = tuple("0123456789")
    part_folders: ClassVar = {"train": "train", "test": "test"}
    height = width = 34
    usual_window = 300_000
    format = "atis_bin"

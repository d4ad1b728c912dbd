"""N-Caltech101: the pictures of Caltech-101 on a screen, before an event camera that makes three small movements.

Orchard, Jayawant, Cohen, Thakor 2015, "Converting static image datasets to spiking neuromorphic datasets using
saccades", Frontiers in Neuroscience 9:437. An ATIS camera, pictures of up to 240 x 180 pixels, some 300 ms each: 8,709
recordings of 100 objects and of backgrounds, from 31 to 800 a class.

Published at garrickorchard.com/datasets/n-caltech101 (Mendeley Data cy6cvx3ryv) as an archive that holds
``Caltech101.zip``, in which there is ``Caltech101/accordion/image_0001.bin`` and so on: 40 bits for each event. The
outlines of the objects in ``Caltech101_annotations`` are not read. There is no official split: papers divide the
recordings of each class at random, with 9:1 (Li et al. 2022, "Neuromorphic data augmentation for training spiking
neural networks", ECCV) and other shares.
"""

from __future__ import annotations

from spikelab.datasets.event_recordings.divided_files import UndividedFilesByClass


class NCaltech101(UndividedFilesByClass):
    """Pictures of 101 classes, 180 x 240 pixels, smaller ones in the corner at the top left.

    No official split: test is a tenth of each class, drawn by `seed`. Takes the options of `FilesByClass` and of
    `UndividedFilesByClass`.
    """

    home = "ncaltech101"
    pattern = "image_*.bin"
    source = (
        "N-Caltech101 is Caltech101.zip, or the folder Caltech101, out of the archive of "
        "garrickorchard.com/datasets/n-caltech101"
    )
    class_names = ()
    height, width = 180, 240
    usual_window = 300_000
    usual_test, usual_drawn = 0.1, "random"
    usual_is_from = "9:1 as in Li et al. 2022 (NDA)"
    format = "atis_bin"

"""CIFAR10-DVS: pictures of CIFAR-10 that move on a screen before an event camera.

Li, Liu, Ji, Li, Shi 2017, "CIFAR10-DVS: An event-stream dataset for object classification", Frontiers in Neuroscience
11:309. A DVS128, 128 x 128 pixels, some 1.3 s each: 1,000 recordings of each of ten classes.

Published at figshare.com/articles/dataset/CIFAR10-DVS_New/4724671 as ``airplane.zip`` and so on, which hold
``airplane/cifar10_airplane_0.aedat``: AEDAT 2.0. The AEDAT 4 files that the library tonic fetches are read as well.
There is no official split: papers take 9:1, most of them the first 900 of each class in the order of the files' names
for training, as SpikingJelly's ``split_to_train_test_set(0.9, ...)`` does.
"""

from __future__ import annotations

from spikelab.datasets.event_recordings.divided_files import UndividedFilesByClass


class CIFAR10DVS(UndividedFilesByClass):
    """Pictures of ten classes, 128 x 128 pixels.

    No official split: test is the last tenth of each class in the order of the names, as in SpikingJelly; what is left
    for training is a tenth less than in papers without a validation split, unless `validation` is 0. Takes the options
    of `FilesByClass` and of `UndividedFilesByClass`.
    """

    home = "cifar10_dvs"
    pattern = "*.aedat*"
    source = (
        "CIFAR10-DVS is airplane.zip and the nine others, or their folders, of "
        "figshare.com/articles/dataset/CIFAR10-DVS_New/4724671"
    )
    class_names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    height = width = 128
    usual_window = 1_200_000
    usual_test, usual_drawn = 0.1, "last"
    usual_is_from = "9:1 as SpikingJelly's split_to_train_test_set(0.9)"

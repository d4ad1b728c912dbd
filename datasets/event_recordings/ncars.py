"""N-Cars: cars and what is no car, cut out of recordings from behind a windscreen.

Sironi, Brambilla, Bourdis, Lagorce, Benosman 2018, "HATS: Histograms of averaged time surfaces for robust event-based
object classification", CVPR. An ATIS camera, cut-outs of different sizes up to 120 x 100 pixels, 100 ms each: 7,940
cars and 7,482 backgrounds to learn from, 4,396 and 4,211 to be judged by.

Published at prophesee.ai/2018/03/13/dataset-n-cars as an archive that holds ``n-cars_train.zip`` and
``n-cars_test.zip``, in which there is ``n-cars_train/cars/obj_004396_td.dat`` and so on. The files do not say a size.
"""

from __future__ import annotations

from typing import ClassVar

from spikelab.datasets.event_recordings.divided_files import DividedFilesByClass


class NCars(DividedFilesByClass):
    """Background (0) or a car (1), 100 x 120 pixels, smaller ones in the corner at the top left, in the official split.

    Takes the options of `FilesByClass`.
    """

    home = "ncars"
    pattern = "*.dat"
    source = (
        "N-Cars is n-cars_train.zip and n-cars_test.zip, or the folders n-cars_train and n-cars_test with cars and "
        "background in them, out of the archive of prophesee.ai/2018/03/13/dataset-n-cars"
    )
    class_names = ("background", "cars")
    part_folders: ClassVar = {"n-cars_train": "train", "n-cars_test": "test", "train": "train", "test": "test"}
    height, width = 100, 120
    usual_window = 100_000
    format = "dat"

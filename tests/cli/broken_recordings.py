"""Ways in which folders of recordings with one class each are broken: N-MNIST, DVS Gesture, SHD, spoken digits.

Each function breaks a good miniature and gives what must then be printed: the file, what is wrong, what to do.
"""

import shutil
import zipfile

import h5py
import numpy as np


def half_an_event(folder):
    path = next((folder / "Train/3").iterdir())
    path.write_bytes(path.read_bytes()[:-2])
    return f"{path}: byte {path.stat().st_size // 5 * 5}: the last event is cut short", "Fetch the file again"


def an_empty_file(folder):
    path = next((folder / "Test/3").iterdir())
    path.write_bytes(b"")
    return f"{path}: is empty"


def an_empty_folder_of_a_class(folder):
    for path in (folder / "Train/7").iterdir():
        path.unlink()
    return "train: no sample of class '7'", "validation: no sample of class '7'"


def events_beyond_the_sensor(folder):
    path = next((folder / "Train/5").iterdir())
    content = bytearray(path.read_bytes())
    content[0] = 99
    path.write_bytes(content)
    return f"{path}: event 0 at x = 99", "beyond the sensor of 34 x 34 pixels"


def a_part_missing(folder):
    shutil.rmtree(folder / "Test")
    return f"{folder} holds no recordings for test", "Train.zip and Test.zip"


def a_broken_archive_beside(folder):
    (folder / "Train.zip").write_bytes(b"PK\3\4" + bytes(500))
    return f"{folder}/Train.zip cannot be read", "fetch the archive again"


def gestures_after_the_end(folder):
    path = next((folder / "DvsGesture").glob("user03_*_labels.csv"))
    path.write_text(path.read_text() + "4,7200000,9900000\n3,7000000,9900000\n")
    return (
        f"{path}: 'right arm clockwise' from 7200000 to 9900000 us ends after the last event of user03",
        "(2 such gestures)",
        "the recording is cut short",
    )


def a_listed_file_missing(folder):
    for pattern in ("user02_*.aedat", "user24_*_labels.csv"):
        next((folder / "DvsGesture").glob(pattern)).unlink()
    return "user02_", "line 2 of trials_to_train.txt names it", "user24_", "line 1 of trials_to_test.txt names it"


def a_list_that_makes_no_sense(folder):
    path = next((folder / "DvsGesture").glob("user04_*_labels.csv"))
    path.write_text(path.read_text().replace("\n5,", "\n15,"))
    return f"{path}, line 6: '15,", "must be a class from 1 to 11"


def an_aedat_file_cut_short(folder):
    path = next((folder / "DvsGesture").glob("user25_*.aedat"))
    path.write_bytes(path.read_bytes()[:20_000])
    return f"{path}: byte", "the file ends within a packet", "Fetch the file again"


def spikes_cut_short(folder):
    path = folder / "shd_train.h5"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return f"{path}: is no HDF5 file, or is cut short", "fetch it again"


def units_beyond_the_cochlea(folder):
    with h5py.File(folder / "shd_test.h5", "r+") as file:
        for place in (4, 9):
            units = file["spikes/units"][place]
            units[3] = 812
            file["spikes/units"][place] = units
    return f"{folder}/shd_test.h5: recording 4:", "812", f"{folder}/shd_test.h5: recording 9:"


def spikes_of_another_set(folder):
    with h5py.File(folder / "shd_test.h5", "w") as file:
        file["events/x"] = np.arange(3)
    return f"{folder}/shd_test.h5: holds no list 'labels'", "it is no file of the Heidelberg spiking data sets"


def spikes_still_packed(folder):
    for path in sorted(folder.glob("*.h5")):
        with zipfile.ZipFile(path.with_name(f"{path.name}.zip"), "w") as archive:
            archive.write(path, path.name)
        path.unlink()
    return f"{folder} has no shd_train.h5; unpack shd_train.h5.zip", "unpack shd_test.h5.zip"


def a_sound_without_its_header(folder):
    path = folder / "4_ann_1.wav"
    path.write_bytes(path.read_bytes()[:20])
    return f"{path} is no whole wav file"


def a_broken_archive_of_sounds(folder):
    (folder / "recordings.zip").write_bytes(b"PK\3\4" + bytes(500))
    return f"{folder}/recordings.zip is no whole zip archive", "fetch it again"


def a_download_that_was_not_finished(folder):
    (folder / "shd_test.h5.crdownload").write_bytes(b"half")
    return f"{folder}/shd_test.h5.crdownload: is a download that was not finished"


WAYS = {
    "nmnist": [
        half_an_event, an_empty_file, an_empty_folder_of_a_class, events_beyond_the_sensor, a_part_missing,
        a_broken_archive_beside,
    ],
    "dvs_gesture": [
        gestures_after_the_end, a_listed_file_missing, a_list_that_makes_no_sense, an_aedat_file_cut_short,
    ],
    "shd": [
        spikes_cut_short, units_beyond_the_cochlea, spikes_of_another_set, spikes_still_packed,
        a_download_that_was_not_finished,
    ],
    "spoken_digits": [a_sound_without_its_header, a_broken_archive_of_sounds],
}  # fmt: skip

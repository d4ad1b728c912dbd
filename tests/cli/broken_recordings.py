"""Ways in which folders of recordings with one class each are broken: N-MNIST, DVS Gesture, SHD, spoken digits.

Each function breaks a good miniature and gives what must then be printed: the file, what is wrong, what to do.
"""

import shutil
import zipfile

import h5py
import numpy as np
from miniature_heidelberg import ssc


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
    return (
        f"{path}: event 0 at x = 99",
        "beyond the sensor of 34 x 34 pixels",
        "--outside drop (options of `spikelab data convert FILE NEW.h5`",
    )


def a_copy_of_training_for_testing(folder):
    shutil.rmtree(folder / "Test")
    shutil.copytree(folder / "Train", folder / "Test")
    return "test: 90 of 100 recordings are also in train", "/Test/0/00001.bin is a copy of", "also in validation"


def polarities_lost(folder):
    for path in sorted((folder / "Test").rglob("*.bin")):
        content = np.fromfile(path, np.uint8).reshape(-1, 5)
        content[:, 2] |= 0x80
        content.tofile(path)
    return "test: all events are ON; their polarity was lost"


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


def lists_alike(folder):
    lists = folder / "DvsGesture"
    shutil.copy(lists / "trials_to_train.txt", lists / "trials_to_test.txt")
    return "test: 4 of 5 recordings are also in train, the first: ", "test: 1 of 5 recordings are also in validation"


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


def times_in(folder, factor, kind):
    path = folder / "shd_train.h5"
    with h5py.File(path, "r+") as file:
        times = [np.asarray(each, np.float64) * factor for each in file["spikes/times"]]
        del file["spikes/times"]
        written = file.create_dataset("spikes/times", (len(times),), h5py.vlen_dtype(kind))
        for place, each in enumerate(times):
            written[place] = each.astype(kind)
    return f"{path}: recording 0 has times up to 1."


def times_in_microseconds(folder):
    return f"{times_in(folder, 1e6, np.int64)}", "e+06; seconds are expected", "Are these microseconds?"


def times_in_milliseconds(folder):
    times_in(folder, 1e3, np.float32)
    return f"{folder}/shd_train.h5: recording 0 has times up to 1", "Are these milliseconds?"


def words_of_another_set(folder):
    (folder / "other").mkdir()
    ssc(folder / "other")
    shutil.move(folder / "other/ssc_train.h5", folder / "shd_train.h5")
    shutil.rmtree(folder / "other")
    return (
        f"{folder}/shd_train.h5: names other words than shd_test.h5",
        f"{folder}/shd_test.h5: names other words than shd_train.h5",
    )


def silence(folder):
    with h5py.File(folder / "shd_test.h5", "r+") as file:
        for place in (3, 8):
            for name in ("times", "units"):
                file[f"spikes/{name}"][place] = file[f"spikes/{name}"][place][:0]
    return f"test: 2 of 60 samples have no events in their window, the first is sample 3 ({folder}/shd_test.h5)"


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
        a_broken_archive_beside, a_copy_of_training_for_testing, polarities_lost,
    ],
    "dvs_gesture": [
        gestures_after_the_end, a_listed_file_missing, a_list_that_makes_no_sense, an_aedat_file_cut_short,
        lists_alike,
    ],
    "shd": [
        spikes_cut_short, units_beyond_the_cochlea, spikes_of_another_set, spikes_still_packed,
        a_download_that_was_not_finished, times_in_microseconds, times_in_milliseconds, words_of_another_set, silence,
    ],
    "spoken_digits": [a_sound_without_its_header, a_broken_archive_of_sounds],
}  # fmt: skip

"""Ways in which folders of DSEC-Semantic, DDD17 and MVSEC are broken.

Each function breaks a good miniature and gives what must then be printed: the file, what is wrong, what to do.
"""

import json
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
from PIL import Image


def train(folder, name="zurich_city_00_a"):
    return folder / "train" / name


def labels_of_another_sequence(folder):
    (train(folder) / "semantic/left/11classes/data/000004.png").unlink()
    return "11classes/data holds 4 labels", "semantic/timestamps.txt 5 times", "unpack the archive again"


def a_label_of_19_classes(folder):
    path = train(folder) / "semantic/left/11classes/data/000002.png"
    label = np.array(Image.open(path))
    label[3, 5:8] = 17
    Image.fromarray(label).save(path)
    return f"{path}: class 17 at 3 pixels", "0 to 10", "another number of classes"


def labels_of_11_classes_as_those_of_19(folder):
    for path in sorted(folder.rglob("19classes/data/*.png")):
        shutil.copy(Path(str(path).replace("19classes", "11classes")), path)
    return "labels of 19 classes in train end with class 8", "are they those of 11 classes", "Set classes=11"


def too_few_times(folder):
    path = train(folder) / "images/timestamps.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))
    return "images/left/rectified holds 5 pictures", f"{path} 3 times"


def times_that_go_back(folder):
    path = train(folder) / "semantic/timestamps.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1], lines[3], lines[2], lines[4]]))
    return f"{path}: line 4 is {lines[2]} us, not later than line 3 with {lines[3]} us", "unpack the archive again"


def times_of_pictures_that_go_back(folder):
    path = train(folder) / "images/timestamps.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[1], lines[0], *lines[2:]]))
    return f"{path}: line 2 is {lines[0]} us, not later than line 1"


def times_that_are_no_numbers(folder):
    path = train(folder) / "semantic/timestamps.txt"
    path.write_text(path.read_text().replace("\n", ".5\n", 1))
    return f"{path}: line 1 is", "not a time in whole microseconds"


def no_rectify_map(folder):
    (train(folder) / "events/left/rectify_map.h5").unlink()
    return "zurich_city_00_a has no map that rectifies events", "rectify_map.h5", "unpack the archive that holds it"


def rectify_map_of_another_camera(folder):
    path = train(folder) / "events/left/rectify_map.h5"
    with h5py.File(path, "w") as file:
        file["rectify_map"] = np.zeros((7, 9, 2), np.float32)
    return f"{path}: the map is for an event camera of (7, 9) pixels", "events.h5 has (48, 64)"


def calibration_without_a_key(folder):
    path = train(folder) / "calibration/cam_to_cam.yaml"
    content = json.loads(path.read_text())
    del content["extrinsics"]["R_rect1"]
    path.write_text(json.dumps(content))
    return f"{path}: has no extrinsics/R_rect1", "is this the cam_to_cam.yaml of a sequence of DSEC?"


def calibration_of_another_camera(folder):
    path = train(folder) / "calibration/cam_to_cam.yaml"
    content = json.loads(path.read_text())
    content["intrinsics"]["camRect1"]["resolution"] = [100, 80]
    path.write_text(json.dumps(content))
    return f"the calibration {path} is for (80, 100)", "Are these the rectified pictures of this sequence?"


def events_cut_short(folder):
    path = train(folder) / "events/left/events.h5"
    path.write_bytes(path.read_bytes()[:-200])
    return f"{path}: cannot be read as HDF5", "truncated", "fetch the file again"


def events_of_another_set(folder):
    path = train(folder) / "events/left/events.h5"
    with h5py.File(path, "w") as file:
        file["labels"] = np.arange(4)
    return f"{path}: is no event file of a known format"


def index_of_other_events(folder):
    path = train(folder) / "events/left/events.h5"
    with h5py.File(path, "r+") as file:
        file["ms_to_idx"][20:] = file["ms_to_idx"][20:] + 2
    return f"{path}: ms_to_idx says that event", "is the first of millisecond 20", "the index is of other events"


def a_sequence_missing(folder):
    shutil.rmtree(folder / "test/zurich_city_14_c")
    return "1 of the 3 sequences of test are missing: zurich_city_14_c", "Fetch them"


def a_picture_missing(folder):
    (train(folder) / "images/left/rectified/000003.png").unlink()
    return f"{train(folder)}/images/left/rectified holds 4 pictures", "timestamps.txt 5 times"


def a_picture_and_its_time_missing(folder):
    place = train(folder) / "images"
    (place / "left/rectified/000003.png").unlink()
    lines = (place / "timestamps.txt").read_text().splitlines()
    (place / "timestamps.txt").write_text("\n".join(lines[:3] + lines[4:]))
    return "000003.png: the label at", "has no picture; the nearest", "50000 us away"


def labels_resized(folder):
    for path in sorted((train(folder) / "semantic/left/11classes/data").iterdir()):
        Image.open(path).resize((32, 22), Image.Resampling.NEAREST).save(path)
    return "zurich_city_00_a", "labels have height and width (22, 32)", "labels must be as wide and no higher"


def a_label_resized(folder):
    path = train(folder) / "semantic/left/11classes/data/000003.png"
    Image.open(path).resize((32, 22), Image.Resampling.NEAREST).save(path)
    return "11classes/data: label 3 has height and width (22, 32)", "(44, 64)"


def a_label_half_written(folder):
    path = train(folder) / "semantic/left/11classes/data/000003.png"
    path.write_bytes(path.read_bytes()[:60])
    return f"{path}: cannot be read as PNG", "fetch it again"


def events_without_their_offset(folder):
    path = train(folder) / "events/left/events.h5"
    with h5py.File(path, "r+") as file:
        del file["t_offset"]
    return (
        f"{path}: has no t_offset",
        "11classes/data: the last events before 4 labels of zurich_city_00_a are more than 1 s older",
        "labels and events are on different clocks",
    )


def a_rectify_map_of_zeros(folder):
    path = train(folder) / "events/left/rectify_map.h5"
    with h5py.File(path, "r+") as file:
        file["rectify_map"][...] = 0
    return f"{path}: puts 3072 pixels on 1; it is damaged"


def labels_of_the_first_sequence_higher(folder):
    for path in sorted((train(folder) / "semantic/left/11classes/data").iterdir()):
        Image.open(path).resize((64, 48), Image.Resampling.NEAREST).save(path)
    place = train(folder) / "semantic/left/11classes/data"
    return f"{place}: label 1 has height and width (48, 64); most of the split", "of zurich_city_01_a, have (44, 64)"


DSEC = [
    events_without_their_offset, a_rectify_map_of_zeros, labels_of_the_first_sequence_higher,
    labels_of_another_sequence, a_label_of_19_classes, too_few_times, times_that_go_back,
    times_of_pictures_that_go_back, times_that_are_no_numbers, no_rectify_map, rectify_map_of_another_camera,
    calibration_without_a_key, calibration_of_another_camera, events_cut_short, events_of_another_set,
    index_of_other_events, a_sequence_missing, a_picture_missing, a_picture_and_its_time_missing, labels_resized,
    a_label_resized, a_label_half_written,
]  # fmt: skip


# --- DDD17 ------------------------------------------------------------------------------------------------------------


def a_picture_of_a_label_missing(folder):
    (folder / "dir4/imgs/img_00000004.png").unlink()
    return "segmentation_00000004.png has no picture 4", f"{folder}/dir4/imgs"


def index_beyond_the_end(folder):
    path = folder / "dir0/index/index_50ms.npy"
    index = np.load(path)
    index[3, 1] = 10**7
    np.save(path, index)
    return f"{path}: row 3 says that 10000000 events come before picture 4", "the index is of other events"


def an_array_of_events_cut_short(folder):
    path = folder / "dir6/events.dat.xyp"
    path.write_bytes(path.read_bytes()[:-4])
    return f"{path} has", "they must be 6 and 8 for each event", "unpack the archive of the recording again"


def labels_wider_than_pictures(folder):
    path = folder / "dir7/segmentation_masks/segmentation_00000003.png"
    Image.open(path).resize((90, 40), Image.Resampling.NEAREST).save(path)
    return f"the label {path} (40, 90)", "pictures must be as wide as labels"


def labels_still_packed(folder):
    shutil.rmtree(folder / "dir3/segmentation_masks")
    with zipfile.ZipFile(folder / "dir3/segmentation_masks.zip", "w") as archive:
        archive.writestr("segmentation_00000003.png", b"")
    return "the labels are still packed", "unzip segmentation_masks.zip"


def an_array_without_its_picture(folder):
    path = next((folder / "images/train").glob("rec1487779465*.png"))
    path.unlink()
    return f"labels/train/{path.name} has no partner in {folder}/images", "unpack the archive again"


def an_array_of_another_kind(folder):
    path = next((folder / "events/test").glob("*.npy"))
    np.save(path, np.zeros((40, 69, 2)))
    return f"{path}: is float64 of shape (40, 69, 2), not numbers [H, W, 6]"


def a_label_of_a_picture_that_is_not_there(folder):
    place = folder / "run3/rec1487417411/segmentation_masks"
    shutil.move(place / "segmentation_00000004.png", place / "segmentation_00000099.png")
    return "segmentation_00000099.png: there is no picture 99 in", "rec1487417411.hdf5, which has 5"


def a_raw_recording_cut_short(folder):
    path = folder / "run2/rec1487339175.hdf5"
    path.write_bytes(path.read_bytes()[:5000])
    return "1 of the 4 recordings of train are missing: rec1487339175", f"{path}: cannot be read as HDF5"


def polarities_lost(folder):
    path = folder / "dir4/events.dat.xyp"
    np.memmap(path, "<i2", "r+").reshape(-1, 3)[:, 2] = 0
    return "events that belong to labels of dir4 are OFF; their polarity was lost"


def black_pictures(folder):
    for path in sorted((folder / "dir0/imgs").iterdir()):
        Image.fromarray(np.zeros_like(np.array(Image.open(path)))).save(path)
    return "the frames of all labels of dir0 are of one value each (0), and show nothing"


def a_recording_under_two_names(folder):
    shutil.rmtree(folder / "dir1")
    shutil.copytree(folder / "dir4", folder / "dir1")
    return (
        "test: 1 of 1 recordings are also in train",
        f"{folder}/dir1/events.dat.xyp is a copy of {folder}/dir4/events.dat.xyp",
    )


def text_in_place_of_the_index(folder):
    path = folder / "dir6/index/index_50ms.npy"
    path.write_text("Not found\n")
    return f"{path}: is no NPY file of numbers, or is cut short; unpack the archive"


# --- MVSEC ------------------------------------------------------------------------------------------------------------


def labels_after_the_recording(folder):
    place = folder / "outdoor_day2_labels"
    shutil.move(place / "000007.png", place / "000031.png")
    return f"{place}/000031.png: there is no picture 31", "outdoor_day2_data.hdf5, which has 8"


def pictures_of_another_clock(folder):
    with h5py.File(folder / "outdoor_day1_data.hdf5", "r+") as file:
        file["davis/left/image_raw_ts"][...] += 3600
    return "outdoor_day1_labels: no events belong to 3 labels", "labels and events are on different clocks"


def a_clock_that_was_set_back(folder):
    with h5py.File(folder / "outdoor_day1_data.hdf5", "r+") as file:
        events = file["davis/left/events"]
        half = len(events) // 2
        later = events[half:]
        later[:, 2] -= events[half, 2] - events[0, 2]
        events[half:] = later
    return "outdoor_day1_data.hdf5", "With --resets continue", "(options of `spikelab data convert FILE NEW.h5`"


def labels_of_rectified_pictures(folder):
    for path in sorted((folder / "outdoor_day2_labels").iterdir()):
        Image.open(path).resize((40, 30), Image.Resampling.NEAREST).save(path)
    return "outdoor_day2_labels/000003.png has height and width (30, 40)", "make labels of the raw pictures"


def labels_not_made(folder):
    shutil.rmtree(folder / "outdoor_day1_labels")
    return f"{folder}/outdoor_day1_labels: no such folder", "MVSEC has no labels: make some"


WAYS = {
    "dsec": DSEC,
    "repacked": [
        a_picture_of_a_label_missing, index_beyond_the_end, an_array_of_events_cut_short, labels_wider_than_pictures,
        labels_still_packed, polarities_lost, black_pictures, a_recording_under_two_names, text_in_place_of_the_index,
    ],
    "evsegnet": [an_array_without_its_picture, an_array_of_another_kind],
    "raw": [a_label_of_a_picture_that_is_not_there, a_raw_recording_cut_short],
    "mvsec": [
        labels_after_the_recording, pictures_of_another_clock, a_clock_that_was_set_back,
        labels_of_rectified_pictures, labels_not_made,
    ],
}  # fmt: skip

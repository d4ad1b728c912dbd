"""Writes small sets of event recordings exactly as the real ones are published.

Each function writes a set below a folder and gives what is in it: part ("train", "test" or "all"), class and name of
the file -> its events.
"""

import io
import zipfile

import encode_aedat2
import encode_atis_bin
import encode_dat
import numpy as np
import scipy.io

from spikelab.events import EventArray


def events(rng, width, height, last, count=80):
    """Random events, the first and the last at the ends of the time."""
    t = np.sort(rng.integers(0, last, count))
    t[0], t[-1] = 0, last - 1
    return EventArray(
        rng.integers(0, width, count), rng.integers(0, height, count), t, rng.integers(0, 2, count), width, height
    )


def nmnist(folder, seed=0, count=10):
    """The folders that Train.zip and Test.zip unpack to."""
    rng, truth = np.random.default_rng(seed), {}
    for part, name in (("train", "Train"), ("test", "Test")):
        for digit in range(10):
            place = folder / name / str(digit)
            place.mkdir(parents=True)
            for number in range(count if part == "train" else 3):
                made = events(rng, 34, 34, 305_000)
                file = f"{10 * number + digit + 1:05}.bin"
                encode_atis_bin.write(place / file, made)
                truth[part, str(digit), file] = made
    return truth


def ncaltech101(folder, seed=0, count=10):
    """Recordings of three classes and the outlines beside them, which have the same suffix."""
    rng, truth = np.random.default_rng(seed), {}
    for name in ("BACKGROUND_Google", "accordion", "yin_yang"):
        place, outlines = folder / "Caltech101" / name, folder / "Caltech101_annotations" / name
        place.mkdir(parents=True)
        outlines.mkdir(parents=True)
        for number in range(1, count + 1):
            width, height = rng.integers(120, 241), rng.integers(90, 181)
            made = events(rng, width, height, 300_000)
            file = f"image_{number:04}.bin"
            encode_atis_bin.write(place / file, made)
            (outlines / f"annotation_{number:04}.bin").write_bytes(bytes(52))
            truth["all", name, file] = made
    return truth


NCARS_HEADER = b"% Data file containing N9Chronocam7Event2dE events.\n% Version 2\n% Date 2017-10-31 11:29:21\n"


def ncars(folder, seed=0, count=10):
    """Cut-outs of many sizes, whose headers do not say any."""
    rng, truth = np.random.default_rng(seed), {}
    for part in ("train", "test"):
        number = 0
        for name in ("cars", "background"):
            place = folder / f"n-cars_{part}" / name
            place.mkdir(parents=True)
            for _ in range(count if part == "train" else 3):
                made = events(rng, rng.integers(30, 121), rng.integers(30, 101), 100_000)
                file = f"obj_{number:06}_td.dat"
                encode_dat.write(place / file, made, NCARS_HEADER, kind=0x00)
                truth[part, name, file] = made
                number += 1
    return truth


CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_HEADER = (
    b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n"
    b"# Data format is int32 address, int32 timestamp (8 bytes total), repeated for each event\r\n"
    b"# Timestamps tick is 1 us\r\n# created Mon Oct 12 19:15:16 CST 2015\r\n"
)


def cifar10_dvs(folder, seed=0, count=12):
    """AEDAT 2.0 of a DVS128: columns from the right, rows from below, and 0 for brighter."""
    rng, truth = np.random.default_rng(seed), {}
    for name in CIFAR10_CLASSES:
        place = folder / name
        place.mkdir()
        for number in range(count):
            made = events(rng, 128, 128, 1_300_000)
            file = f"cifar10_{name}_{number}.aedat"
            x, y, p = (column.astype(np.int64) for column in (made.x, made.y, made.p))
            records = encode_aedat2.records((127 - y) << 8 | (127 - x) << 1 | (1 - p), made.t)
            (place / file).write_bytes(CIFAR10_HEADER + records.tobytes())
            truth["all", name, file] = made
    return truth


def asl_dvs(folder, seed=0, count=5):
    """One zip for each person; x, y, ts and pol from 0, rows from below. Some recordings have nothing at the edge."""
    rng, truth = np.random.default_rng(seed), {}
    for person in (1, 2):
        with zipfile.ZipFile(folder / f"Yin_{person}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name in "abcdefghiklmnopqrstuvwxy":
                for number in range(count * (person - 1) + 1, count * person + 1):
                    made = events(rng, 240, 180, 100_000)
                    if number % 2:  # rows and columns beside the edge
                        made = EventArray(made.x.clip(2, 230), made.y.clip(2, 170), made.t, made.p, 240, 180)
                    columns = {"x": made.x, "y": 179 - made.y, "ts": made.t.astype(np.int32), "pol": made.p}
                    file = f"{name}_{number:04}.mat"
                    content = io.BytesIO()
                    scipy.io.savemat(content, {key: column[:, None] for key, column in columns.items()})
                    archive.writestr(f"{name}/{file}", content.getvalue())
                    truth["all", name, file] = made
    return truth


def st_mnist(folder, seed=0, count=10):
    """A matrix in which each column is a moment: what each of 100 taxels does, and the time in seconds."""
    rng, truth = np.random.default_rng(seed), {}
    for digit in range(10):
        place = folder / "data_submission" / str(digit)
        place.mkdir(parents=True)
        for number in range(1, count + 1):
            taxel, t, p = rng.integers(0, 100, 60), np.cumsum(rng.integers(1, 60_000, 60)), rng.integers(0, 2, 60)
            matrix = np.zeros((101, 60))
            matrix[taxel, np.arange(60)] = 2 * p - 1.0
            matrix[100] = t * 1e-6
            file = f"digit{digit}_{number}.mat"
            scipy.io.savemat(place / file, {"spiketrain": matrix})
            truth["all", str(digit), file] = EventArray(taxel % 10, taxel // 10, t, p, 10, 10)
    scipy.io.savemat(folder / "data_submission" / "LUT.mat", {"LUT": np.arange(100).reshape(10, 10)})
    return truth


def zipped(folder, place):
    """Puts the folders of a set into one zip each, named after them, as they are published."""
    for inner in sorted(path for path in folder.iterdir() if path.is_dir() and path != place):
        with zipfile.ZipFile(place / f"{inner.name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(inner.rglob("*")):
                archive.write(path, path.relative_to(folder))
            archive.writestr(f"__MACOSX/{inner.name}/0/._0.bin", b"not a recording")


BY_CLASS = {
    "nmnist": nmnist, "ncaltech101": ncaltech101, "ncars": ncars, "cifar10_dvs": cifar10_dvs, "asl_dvs": asl_dvs,
    "st_mnist": st_mnist,
}  # fmt: skip

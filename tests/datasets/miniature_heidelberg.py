"""Writes small SHD and SSC files exactly as the real ones are published."""

import h5py
import numpy as np

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
          "null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun")  # fmt: skip
WORDS = ("yes", "no", "up", "down", "left")


def write(path, labels, keys, speakers, rng, last):
    """Gives the times in seconds and the channels of each recording."""
    truth = []
    with h5py.File(path, "w") as file:
        spikes, extra = file.create_group("spikes"), file.create_group("extra")
        times = spikes.create_dataset("times", (len(labels),), h5py.vlen_dtype(np.float16))
        units = spikes.create_dataset("units", (len(labels),), h5py.vlen_dtype(np.uint16))
        for place in range(len(labels)):
            count = int(rng.integers(20, 60))
            when = np.sort(rng.uniform(0, last, count)).astype(np.float16)
            channel = rng.integers(0, 700, count).astype(np.uint16)
            times[place], units[place] = when, channel
            truth.append((when, channel))
        file["labels"] = np.asarray(labels, np.uint16)
        extra["keys"] = np.array([name.encode() for name in keys])
        extra["speaker"] = np.asarray(speakers, np.uint16)
        extra.create_group("meta_info")["gender"] = np.array([b"f", b"m"])
    return truth


def shd(folder, seed=0):
    """Ten speakers in training, of whom each says each word once; two more in the test file."""
    rng = np.random.default_rng(seed)
    truth = {}
    for part, people in (("train", (0, 1, 2, 3, 6, 7, 8, 9, 10, 11)), ("test", (0, 4, 5))):
        labels, speakers = np.tile(np.arange(20), len(people)), np.repeat(people, 20)
        order = rng.permutation(len(labels))
        truth[part] = write(folder / f"shd_{part}.h5", labels[order], DIGITS, speakers[order], rng, 1.3)
    return truth


def ssc(folder, seed=0):
    """Three files."""
    rng = np.random.default_rng(seed)
    truth = {}
    for part, count in (("train", 20), ("valid", 5), ("test", 10)):
        labels = rng.permutation(np.arange(count) % 5)
        truth[part] = write(folder / f"ssc_{part}.h5", labels, WORDS, rng.integers(0, 9, count), rng, 1.0)
    return truth

"""Pictures of bars in MNIST's format, and the words that train a small spiking classifier on them."""

import gzip
import struct

import numpy as np


def bars(folder):
    """Pictures 6 x 6 with a bright bar at the left, at the right or at the top, and noise."""
    for part, count in (("train", 90), ("t10k", 30)):
        random = np.random.default_rng(count)
        labels = np.arange(count, dtype=np.uint8) % 3
        pictures = random.integers(0, 60, (count, 6, 6), dtype=np.uint8)
        for picture, label in zip(pictures, labels, strict=True):
            bar = (slice(1, 6), slice(0, 2)) if label == 0 else (slice(1, 6), slice(4, 6)) if label == 1 else (0,)
            picture[bar] = 220
        for name, values in ((f"{part}-images-idx3-ubyte.gz", pictures), (f"{part}-labels-idx1-ubyte.gz", labels)):
            header = struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
            (folder / name).write_bytes(gzip.compress(header + values.tobytes()))
    return folder


def words(folder, run, **options):
    given = {
        "folder": run,
        "task": "classification",
        "model.name": "spiking_classifier",
        "model.options.hidden": "[16]",
        "model.options.steps": 8,
        "data.name": "mnist",
        "data.options.folder": folder,
        "data.options.class_names": "left,right,top",
        "data.options.validation": 5,
        "data.batch_size": 15,
        "optimiser.learning_rate": 0.01,
        "tensorboard": "false",
        "device": "cpu",
        "threads": 1,
        "epochs": 6,
    } | options
    return ["train", *(f"--{key}={value}" for key, value in given.items())]

"""Video files of one's own, whose classes nobody knows yet, seen as a trained model saw its data."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spikelab import registry
from spikelab.datasets.videos.kept_videos import KeptVideos

UNKNOWN = -1
"""The label of a video whose class is not known."""


class VideoFiles(KeptVideos):
    """Videos without labels.

    Args:
        paths: of the files.
        class_names: of the classes that a model tells apart.
        options: the others are those of `KeptVideos`.

    Raises:
        FileNotFoundError: if a file is not there.
        ValueError: if an argument is out of range.
    """

    def __init__(self, paths: Sequence[str | Path], *, class_names: Sequence[str], **options: Any):
        super().__init__("files", "test", **options)
        self.paths, self.class_names = [Path(path).expanduser() for path in paths], tuple(class_names)
        self.labels = np.full(len(self.paths), UNKNOWN)
        for path in self.paths:
            if not path.is_file():
                raise FileNotFoundError(f"{path}: {'a folder; name files' if path.is_dir() else 'no such file'}")


def files_for(
    paths: Sequence[str | Path],
    class_names: Sequence[str],
    shapes: Mapping[str, Sequence[int]],
    data: str,
    options: Mapping[str, Any],
) -> VideoFiles:
    """Files in the form in which a model saw its training data.

    Args:
        paths: of the files.
        class_names: of its classes.
        shapes: name -> shape of a training sample, see `VideoSample`.
        data: registered name of the data set that it was trained on.
        options: of that data set, in the types that it takes.

    Raises:
        FileNotFoundError: if a file is not there.
        ValueError: if the model was trained on anything but compressed video, or on decoded pictures.
    """
    if not {"image", "motion", "residual", "valid"} <= set(shapes):
        raise ValueError(f"files: video files are for models of compressed video, and this one was trained on {data}")
    groups, steps = shapes["valid"]
    if not steps:
        raise ValueError("files: this model was trained on decoded pictures (decoded), which files are not read as")
    own = inspect.signature(registry.load("datasets", data)).parameters
    given = {name: parameter.default for name, parameter in own.items()} | dict(options)
    height, width = shapes["image"][-2:]
    # a data set that makes its own clips has no size to resize to
    size = given.get("size", (height, width))
    crop = None if tuple(size) == (height, width) else (height, width)
    residual = "luma" if shapes["residual"][2] == 1 else "rgb"
    return VideoFiles(
        paths, class_names=class_names, size=tuple(size), crop=crop, flip=0.0, groups=groups, kept=groups, steps=steps,
        accumulate=given.get("accumulate", True), residual=residual, decoded=False,
        transcode=given.get("transcode", "needed"), seed=0, cache=given.get("cache"),
    )  # fmt: skip

"""Action recognition on your own folders: UCF-101, HMDB-51, Kinetics, Something-Something v2, or one folder a class.

Every video is decoded once, at its first use, and what a sample can take of it is kept in the cache; an epoch that is
interrupted loses no more than the video under way. See `spikelab.datasets.action_layouts` for the layouts.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from spikelab.datasets.action_layouts import ClipLists, find_clips, source_of
from spikelab.datasets.kept_videos import KeptVideos, Transcode
from spikelab.datasets.video_samples import Residual


class ActionVideos(KeptVideos):
    """Videos of actions in a folder.

    **Splits.** Where the publisher has labelled train, validation and test splits, they are these. Where one of the
    last two is missing (UCF-101 and HMDB-51 have no validation split, Something-Something v2 holds back the labels of
    its test split), the published one is ``"test"``, and ``"validation"`` is taken out of the training split: of each
    class a share of the recordings, chosen by `seed`. In a folder without lists the test split is taken out likewise.
    Clips of one recording (UCF-101: one group) are never divided between splits.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        folder: holds the videos, and their lists in one of the usual places.
        layout: ``"ucf101"``, ``"hmdb51"``, ``"kinetics"``, ``"something_something_v2"``, ``"coviar"`` (the lists of
            pytorch-coviar), ``"split_folders"`` or ``"folders"``; None finds out.
        lists: folder of the lists, where it is not in the data's.
        split_number: which of the official splits, from 1.
        validation: share of each class's recordings that the validation split takes from training.
        test: share that the test split takes in a folder without lists.
        missing: listed videos that are not there are an ``"error"``, or are left out with a warning (``"skip"``).
        size: height and width that pictures are resized to.
        crop: height and width that are cut out, at a random place in training and from the middle otherwise; None keeps
            the whole picture.
        flip: probability of a mirror image in training; 0 where classes tell left from right.
        groups: groups of pictures of a sample, one from each of so many equal parts of the video: a random one in
            training, the middle one otherwise. A video with fewer repeats its last.
        kept: groups of a video, evenly spread, that are kept in the cache to choose from.
        steps: P-frames of each group, the first ones; what a shorter group lacks is marked as not valid.
        accumulate: motion and residual against the I-frame of the group, as in CoViAR; otherwise against the picture
            before.
        residual: ``"luma"`` or ``"rgb"``.
        decoded: show all pictures decoded, each as an I-frame, and neither motion nor residual: for the comparison with
            models that know nothing of compression.
        transcode: ``"needed"`` codes a video anew before it is read (MPEG-4 part 2, at `size`, groups of `steps` and
            one more frames) if it gives no motion vectors, has B-frames, or groups of more than twice that length;
            ``"never"`` reads all as they are. `spikelab data transcode` does so once and for all.
        seed: of the splits and of everything random.
        cache: root of the cache; None takes ``$SPIKELAB_CACHE`` or ``~/.cache/spikelab``.

    Attributes:
        class_names: of all classes.
        paths: of the videos of the split.
        labels: int64 ``[N]``.
        layout: the one that was found.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if the layout is not recognised, a list is damaged, a listed video is missing, the split is empty or
            an argument is out of range.
    """

    def __init__(
        self,
        split: str,
        *,
        folder: str | Path,
        layout: str | None = None,
        lists: str | Path | None = None,
        split_number: int = 1,
        validation: float = 0.1,
        test: float = 0.2,
        missing: Literal["error", "skip"] = "error",
        size: tuple[int, int] = (128, 172),
        crop: tuple[int, int] | None = (112, 112),
        flip: float = 0.0,
        groups: int = 3,
        kept: int = 8,
        steps: int = 11,
        accumulate: bool = True,
        residual: Residual = "luma",
        decoded: bool = False,
        transcode: Transcode = "needed",
        seed: int = 0,
        cache: str | Path | None = None,
    ):
        super().__init__(
            "action_videos", split, size=size, crop=crop, flip=flip, groups=groups, kept=kept, steps=steps,
            accumulate=accumulate, residual=residual, decoded=decoded, transcode=transcode, seed=seed, cache=cache,
        )  # fmt: skip
        if missing not in ("error", "skip"):
            raise ValueError(f"action_videos: missing is {missing!r}, must be one of error, skip")
        if split_number < 1:
            raise ValueError(f"action_videos: split_number is {split_number}, must be at least 1")
        for name, share in (("validation", validation), ("test", test)):
            if not 0.0 <= share < 1.0:
                raise ValueError(f"action_videos: {name} is {share}, must be a share from 0 to less than 1")
        self.root = Path(folder).expanduser()
        found = find_clips(self.root, layout, None if lists is None else Path(lists).expanduser(), split_number)
        if found.missing:
            message = (
                f"action_videos: {len(found.missing)} listed videos are not below {self.root.absolute()}, the first is "
                f"{found.missing[0]}"
            )
            if missing == "error":
                raise ValueError(f"{message}; put them there, or leave them out with missing=skip")
            warnings.warn(message, stacklevel=2)
        self.layout, self.class_names = found.layout, found.class_names
        chosen = _splits(found, validation, test, seed)[split]
        if not chosen:
            raise ValueError(
                f"action_videos: no video below {self.root.absolute()} is left for the split {split!r} (layout "
                f"{found.layout}); give a larger share, or use another split"
            )
        self.paths = [path for path, _ in chosen]
        self.labels = np.array([label for _, label in chosen], dtype=np.int64)


def _splits(found: ClipLists, validation: float, test: float, seed: int) -> dict[str, list[tuple[Path, int]]]:
    """Our three splits, out of what the publisher has."""
    splits = dict(found.splits)
    if "all" in splits:
        splits["train"], splits["test"] = _divided(splits.pop("all"), test, [seed, 0])
    if "test" not in splits:
        splits["test"] = splits.pop("validation", [])
    if "validation" not in splits:
        splits["train"], splits["validation"] = _divided(splits["train"], validation, [seed, 1])
    return splits


def _divided(
    clips: Sequence[tuple[Path, int]], share: float, seed: Sequence[int]
) -> tuple[list[tuple[Path, int]], list[tuple[Path, int]]]:
    """What stays and what is taken out: of each class a share of its recordings, at least one if it has two or more."""
    recordings: dict[int, dict[str, list[tuple[Path, int]]]] = {}
    for path, label in clips:
        recordings.setdefault(label, {}).setdefault(source_of(path), []).append((path, label))
    stays: list[tuple[Path, int]] = []
    taken: list[tuple[Path, int]] = []
    for label, sources in sorted(recordings.items()):
        names = sorted(sources)
        count = min(max(round(share * len(names)), 1), len(names) - 1) if share > 0 else 0
        chosen = set(np.random.default_rng([*seed, label]).permutation(len(names))[:count].tolist())
        for place, name in enumerate(names):
            (taken if place in chosen else stays).extend(sources[name])
    return stays, taken

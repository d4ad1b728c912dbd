"""Action recognition on your own folders: UCF-101, HMDB-51, Kinetics, Something-Something v2, or one folder a class.

Every video is decoded once, at its first use, and what a sample can take of it is kept in the cache; an epoch that is
interrupted loses no more than the video under way. See `spikelab.datasets.videos.action_layouts` for the layouts.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from functools import cache as once
from pathlib import Path
from typing import Literal

import numpy as np

from spikelab.datasets.videos.action_clips import find_clips
from spikelab.datasets.videos.action_layouts import NUMBERED, ClipLists, source_of
from spikelab.datasets.videos.kept_videos import KeptVideos
from spikelab.datasets.videos.samples import Residual
from spikelab.datasets.videos.video_cache import StoredVideo
from spikelab.datasets.videos.video_keeping import Transcode
from spikelab.video.errors import VideoError, VideoWarning

logger = logging.getLogger(__name__)
#: How many files a warning names.
NAMED = 20


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
        lists: folder of the lists, where it is neither in the data's nor beside it.
        split_number: which of several official splits, from 1; None takes the first, or the only one.
        validation: share of each class's recordings that the validation split takes from training.
        test: share that the test split takes in a folder without lists.
        missing: listed videos that are not there are an ``"error"``, or are left out with a warning (``"skip"``).
        broken: videos that cannot be read are an ``"error"`` when they are first used; ``"skip"`` fills the cache at
            once, and leaves out those that cannot be read with a warning. Either way the splits are the same.
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
        workers: processes that fill the cache; None takes all cores, or one for few videos.

    Attributes:
        class_names: of all classes.
        paths: of the videos of the split.
        labels: int64 ``[N]``.
        layout: the one that was found.
        origin: a sentence on the layout, the lists, and how many videos each split has; it is logged once.

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
        split_number: int | None = None,
        validation: float = 0.1,
        test: float = 0.2,
        missing: Literal["error", "skip"] = "error",
        broken: Literal["error", "skip"] = "error",
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
        workers: int | None = None,
    ):
        super().__init__(
            "action_videos", split, size=size, crop=crop, flip=flip, groups=groups, kept=kept, steps=steps,
            accumulate=accumulate, residual=residual, decoded=decoded, transcode=transcode, seed=seed, cache=cache,
            workers=workers,
        )  # fmt: skip
        for name, choice in (("missing", missing), ("broken", broken)):
            if choice not in ("error", "skip"):
                raise ValueError(f"action_videos: {name} is {choice!r}, must be one of error, skip")
        if split_number is not None and split_number < 1:
            raise ValueError(f"action_videos: split_number is {split_number}, must be at least 1")
        for name, share in (("validation", validation), ("test", test)):
            if not 0.0 <= share < 1.0:
                raise ValueError(f"action_videos: {name} is {share}, must be a share from 0 to less than 1")
        self.root = Path(folder).expanduser()
        found = find_clips(self.root, layout, None if lists is None else Path(lists).expanduser(), split_number)
        if found.missing:
            message = (
                f"action_videos: {len(found.missing)} listed videos are not below {self.root.absolute()}, the first is "
                f"{found.missing[0]} (lists in {found.lists})"
            )
            if missing == "error":
                raise ValueError(f"{message}; put them there, or leave them out with missing=skip")
            warnings.warn(message, stacklevel=2)
        self.layout, self.class_names = found.layout, found.class_names
        splits = _splits(found, validation, test, seed)
        self.origin = _origin(found, splits, split_number or 1, seed)
        _log_once(f"action_videos: {self.root.absolute()}: {self.origin}")
        if not splits[split]:
            why = _why_empty(found, split, {"validation": validation, "test": test})
            raise ValueError(f"action_videos: no video below {self.root.absolute()} is left for {split}: {why}")
        self._take(splits[split])
        if split in _drawn(found):
            self._tell_absent_classes(splits)
        if broken == "skip":
            self._leave_out_broken()

    def _take(self, clips: Sequence[tuple[Path, int]]) -> None:
        self.paths = [path for path, _ in clips]
        self.labels = np.array([label for _, label in clips], dtype=np.int64)

    def _tell_absent_classes(self, splits: Mapping[str, Sequence[tuple[Path, int]]]) -> None:
        """A class of one recording has it in training, and nothing to be tested on."""
        here, trained = ({label for _, label in splits[split]} for split in (self.split, "train"))
        if absent := [self.class_names[label] for label in sorted(trained - here)]:
            named = ", ".join([*absent[:NAMED], *(["..."] if len(absent) > NAMED else [])])
            count = f"{len(absent)} of {len(self.class_names)} classes"
            message = f"action_videos: {count} have one recording only, in training, and none in {self.split}: {named}"
            warnings.warn(message, stacklevel=3)

    def _leave_out_broken(self) -> None:
        failed = self.make()
        if not failed:
            return
        named = "; ".join([*list(failed.values())[:NAMED], *(["..."] if len(failed) > NAMED else [])])
        message = f"action_videos: {len(failed)} of {len(self)} videos of {self.split} cannot be read"
        if len(failed) == len(self):
            raise ValueError(f"{message}: {named}")
        warnings.warn(f"{message} and are left out: {named}", VideoWarning, stacklevel=3)
        kept = [index for index in range(len(self)) if index not in failed]
        self._take([(self.paths[index], int(self.labels[index])) for index in kept])

    def _stored(self, index: int) -> StoredVideo:
        try:
            return super()._stored(index)
        except VideoError as error:
            raise VideoError(f"{error}; or leave such videos out with broken=skip (data check lists them)") from error


@once
def _log_once(message: str) -> None:
    """The splits of a data set are opened one by one, and all say the same."""
    logger.info(message)


def _drawn(found: ClipLists) -> list[str]:
    """Splits that nobody published, and that are taken out of training."""
    if "all" in found.splits:
        return ["validation", "test"]
    return [] if {"validation", "test"} <= set(found.splits) else ["validation"]


def _origin(found: ClipLists, splits: Mapping[str, Sequence[object]], split_number: int, seed: int) -> str:
    parts = [f"layout {found.layout}"]
    if found.lists is not None:
        parts.append(f"lists in {found.lists}")
    if found.layout in NUMBERED:
        parts.append(f"split {split_number}")
    if "test" not in found.splits and "validation" in found.splits:
        parts.append("what is published for validation is our test split")
    if drawn := _drawn(found):
        parts.append(f"{' and '.join(drawn)} drawn from training by seed {seed}")
    counts = ", ".join(f"{len(splits[name])} {name}" for name in ("train", "validation", "test"))
    return f"{', '.join(parts)}: {counts} videos of {len(found.class_names)} classes"


def _why_empty(found: ClipLists, split: str, shares: Mapping[str, float]) -> str:
    if split not in _drawn(found) and (split == "train" or {"test", "validation"} & set(found.splits)):
        return "its lists name none that is there"
    if split == "test" and "all" not in found.splits:
        return f"the layout {found.layout} has neither test nor validation videos; add some, or use another split"
    if not shares[split]:
        return f"{split} is 0, and nobody published such a split; give a share of training such as {split}=0.1"
    return "every class has one recording only, which stays in training; add videos, or lists of the splits"


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

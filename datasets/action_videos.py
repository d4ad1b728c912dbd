"""Action recognition on your own folders: UCF-101, HMDB-51, Kinetics, Something-Something v2, or one folder a class.

Every video is decoded once, at its first use, and what a sample can take of it is kept in the cache; an epoch that is
interrupted loses no more than the video under way. See `spikelab.datasets.action_layouts` for the layouts.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from spikelab.datasets.action_layouts import ClipLists, find_clips, source_of
from spikelab.datasets.cache import cache_folder, settings_digest
from spikelab.datasets.generate import ShardTask, generate_shards
from spikelab.datasets.video_cache import StoredVideo, write_groups
from spikelab.datasets.video_samples import Residual, VideoArrays, VideoDataset, choose_groups, read_arrays
from spikelab.video.errors import VideoError
from spikelab.video.groups import VideoInfo
from spikelab.video.reader import VideoReader
from spikelab.video.transcode import transcode

VERSION = 1  # raise it with every change of the code that changes what is kept of a video

Transcode = Literal["needed", "never"]


class ActionVideos(VideoDataset):
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
        if len(size) != 2 or not 16 <= min(size) <= max(size) <= 4096:
            raise ValueError(f"action_videos: size is {size}, must be a height and a width from 16 to 4096 pixels")
        super().__init__(
            "action_videos", split, size=(size[0], size[1]), groups=groups, crop=crop, flip=flip, seed=seed
        )
        for name, value, known in (
            ("residual", residual, get_args(Residual)),
            ("transcode", transcode, get_args(Transcode)),
            ("missing", missing, ("error", "skip")),
        ):
            if value not in known:
                raise ValueError(f"action_videos: {name} is {value!r}, must be one of {', '.join(known)}")
        if kept < groups or steps < 1 or split_number < 1:
            raise ValueError(
                f"action_videos: kept = {kept}, steps = {steps}, split_number = {split_number}: keep at least the "
                f"{groups} groups of a sample, and use 1 or more of the others"
            )
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
        self.kept, self.steps, self.accumulate, self.residual = kept, steps, accumulate, residual
        self.decoded, self.transcode = decoded, transcode
        settings = {"size": list(self.size), "kept": kept, "steps": steps, "accumulate": accumulate}
        settings |= {"version": VERSION, "residual": residual, "decoded": decoded, "transcode": transcode}
        self._key = settings_digest(settings)
        self.folder = cache_folder(f"action_videos-{self._key}", cache)

    def __len__(self) -> int:
        return len(self.paths)

    def label(self, index: int) -> int:
        """Number of a video's class."""
        return int(self.labels[index])

    def path(self, index: int) -> Path:
        """The file of a video."""
        return self.paths[index]

    def available(self, index: int) -> int:
        """Groups of pictures of a video that are kept."""
        return len(self._stored(index)) // self._rows

    def arrays(self, index: int, groups: Sequence[int]) -> VideoArrays:
        """The given ones of a video's kept groups."""
        rows = (range(group * self._rows, (group + 1) * self._rows) for group in groups)
        return self._stored(index).read(list(chain.from_iterable(rows)))

    @property
    def _rows(self) -> int:
        """I-frames in the cache for each group of the file."""
        return 1 + self.steps if self.decoded else 1

    def make(self, *, workers: int | None = None, progress: bool = True) -> None:
        """Decode all videos of the split that the cache lacks now, and not at their first use.

        Args:
            workers: processes; None takes all cores.
            progress: show a progress bar.

        Raises:
            VideoError: if a video cannot be read; those that are done are kept.
        """
        tasks = [self._task(index) for index in range(len(self))]
        generate_shards(tasks, f"action_videos, {self.split}", workers=workers, progress=progress)

    def _task(self, index: int) -> ShardTask:
        source = self.paths[index]
        arguments = {
            "source": source, "key": self._key, "kept": self.kept, "steps": self.steps, "size": self.size,
            "residual": self.residual, "accumulate": self.accumulate, "decoded": self.decoded,
            "transcoded": self.transcode,
        }  # fmt: skip
        about = source.stat()
        # a video that was changed or replaced is decoded anew
        text = f"{source.resolve()}\n{about.st_size}\n{about.st_mtime_ns}"
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return ShardTask(self.folder / f"{digest}.safetensors", index, index + 1, _keep_video, arguments)

    def _stored(self, index: int) -> StoredVideo:
        task = self._task(index)
        task.run()
        channels = 1 if self.residual == "luma" else 3
        return StoredVideo(task.path, self._key, self.size, 0 if self.decoded else self.steps, channels)


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


def _keep_video(
    path: Path,
    start: int,
    stop: int,
    *,
    source: Path,
    key: str,
    kept: int,
    steps: int,
    size: tuple[int, int],
    residual: Residual,
    accumulate: bool,
    decoded: bool,
    transcoded: Transcode,
) -> None:
    """Decode a video and write its kept groups to `path`."""
    info = _info(source) if transcoded == "needed" else None
    with tempfile.TemporaryDirectory(prefix="spikelab-") as temporary:
        video: str | os.PathLike[str] = source
        if transcoded == "needed" and not _readable(info, steps):
            video = Path(temporary) / "video.mp4"
            try:
                transcode(source, video, group=steps + 1, height=size[0], width=size[1])
            except VideoError as error:
                raise VideoError(f"{source}: cannot be coded anew for reading ({error})") from error
            info = None
        if info is None:
            with VideoReader(video) as reader:
                info = reader.info
        # at least one, so that a file without I-frames is read, and refused with the reader's reason
        groups = choose_groups(info.frames["I"], min(kept, info.frames["I"])) if info.frames["I"] else [0]
        arrays = read_arrays(
            video, steps, groups=groups, size=size, residual=residual, accumulate=accumulate, decoded=decoded
        )
    write_groups(path, arrays, key)


def _info(source: Path) -> VideoInfo | None:
    """What a video holds; None if the reader refuses it, as it does codecs without vectors."""
    try:
        with VideoReader(source) as reader:
            return reader.info
    except VideoError:
        return None


def _readable(info: VideoInfo | None, steps: int) -> bool:
    """Whether a video gives vectors, has no B-frames, and groups of about the length that is looked at."""
    if info is None or info.frames["B"] or not info.frames["I"]:
        return False
    return sum(info.frames.values()) <= 2 * (steps + 1) * info.frames["I"]

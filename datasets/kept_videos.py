"""Videos of which each is decoded once, at its first use, and what a sample can take of it is kept in the cache.

An epoch that is interrupted loses no more than the video under way.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

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


class KeptVideos(VideoDataset):
    """Samples of video files; a subclass sets which: `paths`, `labels` and `class_names`.

    Args:
        name: of the data set, for messages.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        size: height and width that pictures are resized to.
        crop: see `VideoDataset`.
        flip: see `VideoDataset`.
        groups: of a sample.
        kept: groups of a video, evenly spread, that are kept in the cache to choose from.
        steps: P-frames of each group, the first ones.
        accumulate: motion and residual against the I-frame of the group; otherwise against the picture before.
        residual: ``"luma"`` or ``"rgb"``.
        decoded: all pictures as I-frames.
        transcode: ``"needed"`` codes a video anew before it is read (MPEG-4 part 2, at `size`, groups of `steps` and
            one more frames) if it gives no motion vectors, has B-frames, or groups of more than twice that length;
            ``"never"`` reads all as they are.
        seed: of everything random.
        cache: root of the cache; None takes ``$SPIKELAB_CACHE`` or ``~/.cache/spikelab``.

    Attributes:
        paths: of the videos.
        labels: int64 ``[N]``.

    Raises:
        ValueError: if an argument is out of range.
    """

    paths: Sequence[Path]
    labels: npt.NDArray[np.int64]

    def __init__(
        self,
        name: str,
        split: str,
        *,
        size: tuple[int, int],
        crop: tuple[int, int] | None,
        flip: float,
        groups: int,
        kept: int,
        steps: int,
        accumulate: bool,
        residual: Residual,
        decoded: bool,
        transcode: Transcode,
        seed: int,
        cache: str | Path | None,
    ):
        if len(size) != 2 or not 16 <= min(size) <= max(size) <= 4096:
            raise ValueError(f"{name}: size is {size}, must be a height and a width from 16 to 4096 pixels")
        super().__init__(name, split, size=(size[0], size[1]), groups=groups, crop=crop, flip=flip, seed=seed)
        for option, value, known in (
            ("residual", residual, get_args(Residual)),
            ("transcode", transcode, get_args(Transcode)),
        ):
            if value not in known:
                raise ValueError(f"{name}: {option} is {value!r}, must be one of {', '.join(known)}")
        if kept < groups or steps < 1:
            raise ValueError(
                f"{name}: kept = {kept}, steps = {steps}: keep at least the {groups} groups of a sample, and use 1 or "
                "more steps"
            )
        self.kept, self.steps, self.accumulate, self.residual = kept, steps, accumulate, residual
        self.decoded, self.transcode = decoded, transcode
        settings = {"size": list(self.size), "kept": kept, "steps": steps, "accumulate": accumulate}
        settings |= {"version": VERSION, "residual": residual, "decoded": decoded, "transcode": transcode}
        self._key = settings_digest(settings)
        # one folder whatever the data set: a video is kept once
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
        generate_shards(tasks, f"{self.name}, {self.split}", workers=workers, progress=progress)

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
    if info.frames["I"] > 1 and not info.frames["P"]:
        return False
    return sum(info.frames.values()) <= 2 * (steps + 1) * info.frames["I"]

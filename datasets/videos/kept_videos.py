"""Videos of which each is decoded once, at its first use, and what a sample can take of it is kept in the cache.

An epoch that is interrupted loses no more than the video under way.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt

from spikelab.datasets.cache import cache_folder, settings_digest
from spikelab.datasets.generate import ShardTask, generate_shards
from spikelab.datasets.videos.samples import (
    Residual,
    VideoArrays,
    VideoDataset,
    check_size,
    check_whole,
)
from spikelab.datasets.videos.video_cache import StoredVideo
from spikelab.datasets.videos.video_keeping import VERSION, Transcode, keep_video
from spikelab.video.errors import VideoError, VideoWarning

FEW = 32
"""Videos that are decoded in this process, unless `workers` says otherwise: to start others takes some seconds."""


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
        workers: processes that fill the cache; None takes all cores, or one for few videos.

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
        workers: int | None = None,
    ):
        check_size(name, "size", size, 16)
        check_whole(name, kept=kept, steps=steps)
        super().__init__(name, split, size=(size[0], size[1]), groups=groups, crop=crop, flip=flip, seed=seed)
        for option, value, known in (
            ("residual", residual, get_args(Residual)),
            ("transcode", transcode, get_args(Transcode)),
            ("accumulate", accumulate, (True, False)),
            ("decoded", decoded, (True, False)),
        ):
            if value not in known:
                raise ValueError(f"{name}: {option} is {value!r}, must be one of {', '.join(map(str, known))}")
        if workers is not None:
            check_whole(name, workers=workers)
            if workers < 1:
                raise ValueError(f"{name}: workers is {workers}, must be at least 1 (or None for all cores)")
        if kept < groups or steps < 1:
            raise ValueError(
                f"{name}: kept = {kept}, steps = {steps}: keep at least the {groups} groups of a sample, and use 1 or "
                "more steps"
            )
        self.kept, self.steps, self.accumulate, self.residual = kept, steps, accumulate, residual
        self.decoded, self.transcode, self.workers = decoded, transcode, workers
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

    def make(self, *, progress: bool = True) -> dict[int, str]:
        """Decode all videos of the split that the cache lacks now, and not at their first use.

        Args:
            progress: show a progress bar.

        Returns:
            Of videos that cannot be read, which do not stop the others, the number and the reason.
        """
        tasks, failed = [], {}
        for index in range(len(self)):
            try:
                tasks.append(self._task(index))
            except VideoError as error:
                failed[index] = str(error)
        few = sum(not task.path.is_file() for task in tasks) <= FEW
        workers = self.workers or (1 if few else None)
        about = f"{self.name}, {self.split}"
        for task, reason in generate_shards(tasks, about, workers=workers, progress=progress, spare=(VideoError,)):
            failed[task.start] = str(reason)
        return dict(sorted(failed.items()))

    def faults(self, index: int) -> list[str]:
        """What was found wrong with a video that was read all the same: parts that are missing, no P-frames.

        Raises:
            VideoError: if it cannot be read at all.
        """
        stored = self._stored(index)
        return stored.faults + self._without_motion(stored, index)

    def _without_motion(self, stored: StoredVideo, index: int) -> list[str]:
        """A model that looks at motion only has nothing to learn from such a video."""
        if self.decoded or stored.has_motion:
            return []
        remedy = "leave it out" + (", or code it anew with transcode=needed" if self.transcode == "never" else "")
        return [f"{self.paths[index]}: has no P-frame, so that its motion and residual are empty; {remedy}"]

    def _task(self, index: int) -> ShardTask:
        source = self.paths[index]
        arguments = {
            "source": source, "key": self._key, "kept": self.kept, "steps": self.steps, "size": self.size,
            "residual": self.residual, "accumulate": self.accumulate, "decoded": self.decoded,
            "transcoded": self.transcode,
        }  # fmt: skip
        try:
            about = source.stat()
        except OSError as error:
            raise VideoError(f"{source}: {error.strerror}; it was moved, or is a link that leads nowhere") from error
        # a video that was changed or replaced is decoded anew
        text = f"{source.resolve()}\n{about.st_size}\n{about.st_mtime_ns}"
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return ShardTask(self.folder / f"{digest}.safetensors", index, index + 1, keep_video, arguments)

    def _stored(self, index: int) -> StoredVideo:
        task = self._task(index)
        known = task.path.is_file()
        task.run()
        channels = 1 if self.residual == "luma" else 3
        stored = StoredVideo(task.path, self._key, self.size, 0 if self.decoded else self.steps, channels)
        # what is damaged is told once, when it is found; what is empty to whoever uses it
        for fault in [*([] if known else stored.faults), *self._without_motion(stored, index)]:
            warnings.warn(fault, VideoWarning, stacklevel=2)
        return stored

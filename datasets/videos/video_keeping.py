"""Decode one video into what is kept of it in the cache, and find out what is wrong with it."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path
from typing import Literal

from spikelab.datasets.videos.samples import Residual, VideoArrays, choose_groups, read_arrays
from spikelab.datasets.videos.video_cache import write_groups
from spikelab.video.errors import VideoError, VideoWarning
from spikelab.video.groups import VideoInfo
from spikelab.video.reader import VideoReader
from spikelab.video.transcode import transcode

VERSION = 2  # raise it with every change of the code that changes what is kept of a video

Transcode = Literal["needed", "never"]


def keep_video(
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
    """Decode a video and write its kept groups to `path`, with what is wrong with it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        arrays, b_frames = _decode(source, kept, steps, size, residual, accumulate, decoded, transcoded)
    # each pass over a file warns of the same
    faults = list(dict.fromkeys(str(each.message) for each in caught if each.category is VideoWarning))
    for each in caught:
        if each.category is not VideoWarning:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if b_frames:
        faults.append(f"{source}: its {b_frames} B-frames are left out; transcode=needed codes it anew without any")
    write_groups(path, arrays, key, faults)


def _decode(
    source: Path,
    kept: int,
    steps: int,
    size: tuple[int, int],
    residual: Residual,
    accumulate: bool,
    decoded: bool,
    transcoded: Transcode,
) -> tuple[VideoArrays, int]:
    """The groups of a video that are kept, and how many B-frames were left out on the way."""
    info = _info(source) if transcoded == "needed" else None
    with tempfile.TemporaryDirectory(prefix="spikelab-") as temporary:
        video: str | os.PathLike[str] = source
        if transcoded == "needed" and not _readable(info, steps):
            video = Path(temporary) / "video.mp4"
            try:
                transcode(source, video, group=steps + 1, height=size[0], width=size[1])
            except VideoError as error:
                reason = str(error).removeprefix(f"{source}: ")
                raise VideoError(f"{source}: cannot be coded anew for reading: {reason}") from error
            info = None
        if info is None:
            with VideoReader(video) as reader:
                info = reader.info
        # at least one, so that a file without I-frames is read, and refused with the reader's reason
        groups = choose_groups(info.frames["I"], min(kept, info.frames["I"])) if info.frames["I"] else [0]
        arrays = read_arrays(
            video, steps, groups=groups, size=size, residual=residual, accumulate=accumulate, decoded=decoded
        )
    return arrays, info.frames["B"]


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

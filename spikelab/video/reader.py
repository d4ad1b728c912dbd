"""Read compressed video files as groups of pictures: I-frames, motion vectors and residuals of P-frames.

    with VideoReader("clip.mp4") as reader:
        for group in reader:
            group.image, group.predicted[0].motion, group.predicted[0].residual

**B-frames** refer to the future as well as to the past and have up to two vectors a block; CoViAR and its kin use none
of them. They are decoded, because others may depend on them, and dropped, with a warning. A P-frame's vectors are taken
as against the I- or P-frame before it, which is what they are in MPEG-1, 2 and 4 and in H.264 with one reference
picture; vectors of H.264 do not say which picture they mean, so with several the residual takes up the difference.
`spikelab data transcode` makes files without B-frames and with one reference.
"""

from __future__ import annotations

import os
import warnings
import weakref
from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from typing import Any, Literal

import numpy as np

from spikelab.video.building import GroupBuilder, Interpolation, Wanted
from spikelab.video.colour import Colour
from spikelab.video.decode import (
    PICTURE_TYPES,
    Opened,
    check_vectors,
    decoded_frames,
    open_video,
    remedy,
    video_info,
)
from spikelab.video.errors import VideoError, VideoWarning
from spikelab.video.groups import GroupOfPictures, VideoInfo
from spikelab.video.vectors import exported_vectors

_CHOICES = {
    "colour": ("rgb", "luma"), "interpolation": ("auto", "half", "integer"), "b_frames": ("warn", "drop", "error"),
    "accumulate": (True, False), "colours": (True, False),
}  # fmt: skip


class VideoReader:
    """A video file as an iterable of groups of pictures; each pass over it reads the file anew, one group at a time.

    Args:
        path: The file, of any container that FFmpeg reads and a codec whose vectors it exports (MPEG-1, 2, 4 part 2,
            H.263, H.264 and their kin; not HEVC, VP9, AV1).
        colour: "rgb", or "luma" as it is stored.
        accumulate: Motion and residual against the I-frame of the group, in whole pixels, as in CoViAR; otherwise
            against the previous I- or P-frame, with fractions.
        interpolation: How predictions of one step read between pixels. "half" is the codec's own at half pixels,
            "integer" drops fractions; "auto" takes "half" where vectors are half pixels and pictures keep their size.
        b_frames: "drop" them, do so and "warn" how many there were, or make them an "error".
        size: Height and width that pictures are resized to before anything is computed; vectors are scaled alike.
        groups: Which groups to give, by their index; all if left out.
        predicted: How many P-frames of a group to give at most, the first ones; all if left out.
        threads: For decoding the slices of a frame. Results are the same for any number.
        colours: Also give the I-frames in colour, where all else is of luma.

    A group is in memory as a whole: each P-frame with its motion and residual, 8 bytes a pixel with luma or 10 in
    colour when accumulated, so limit `predicted` where groups are long. Pictures lie as they are stored: a container's
    note to turn them when they are shown is not followed.

    Raises:
        FileNotFoundError: If there is no such file.
        VideoError: If the file is broken, no video, or of a codec without vectors, or an argument is unknown; names the
            file, the reason and the remedy. Iterating may raise it as well.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        colour: Colour = "rgb",
        accumulate: bool = True,
        interpolation: Interpolation = "auto",
        b_frames: Literal["warn", "drop", "error"] = "warn",
        size: tuple[int, int] | None = None,
        groups: Collection[int] | None = None,
        predicted: int | None = None,
        threads: int = 1,
        colours: bool = False,
    ) -> None:
        given = {"colour": colour, "interpolation": interpolation, "b_frames": b_frames}
        for name, value in (given | {"accumulate": accumulate, "colours": colours}).items():
            # by type as well: 1 is no True here
            if not any(value == known and type(value) is type(known) for known in _CHOICES[name]):
                raise VideoError(f"{path}: {name} = {value!r}: use one of {', '.join(map(str, _CHOICES[name]))}")
        if size is not None and (not _are_numbers(size, 2, 8192) or len(size) != 2):
            raise VideoError(f"{path}: size = {size!r}: give height and width in pixels, from 2 to 8192")
        if groups is not None and not _are_numbers(groups, 0):
            raise VideoError(f"{path}: groups = {groups!r}: give a list of indices from 0, or None for all")
        if predicted is not None and not _are_numbers([predicted], 0):
            raise VideoError(f"{path}: predicted = {predicted!r}: use 0 or more, or None for all")
        if not _are_numbers([threads], 1):
            raise VideoError(f"{path}: threads = {threads!r}: use a whole number, 1 or more")
        self._passes: weakref.WeakSet[Generator[GroupOfPictures, None, None]] = weakref.WeakSet()
        # the first pass goes on with it: to open a short file takes longer than to decode it
        self._opened: Opened | None = open_video(path)
        try:
            check_vectors(path, self._opened[1])
        except VideoError:
            self.close()
            raise
        self.path = path
        self.b_frames = b_frames
        self.groups = None if groups is None else frozenset(groups)
        self.threads = threads
        self._wanted = Wanted(colour, accumulate, interpolation, size, predicted, colours)
        self._info: VideoInfo | None = None

    @property
    def info(self) -> VideoInfo:
        """What the file holds; the first use decodes all of it, to count frames, without converting a pixel."""
        if self._info is None:
            self._info = video_info(self.path)
        return self._info

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; passes over it that were not finished end here."""
        for each in list(self._passes):
            each.close()
        self._passes.clear()
        if self._opened is not None:
            self._opened[0].close()
            self._opened = None

    def __iter__(self) -> Iterator[GroupOfPictures]:
        """Give the groups in order.

        Raises:
            VideoError: As the class says; or a B-frame where none may be, or no P-frame with any vector in the file.

        Warns:
            VideoWarning: If a part of the file cannot be read, or lies before its first I-frame; or B-frames were
                dropped, unless that was asked for.
        """
        opened, self._opened = self._opened, None
        groups = self._groups(opened)
        self._passes.add(groups)
        return groups

    def _groups(self, opened: Opened | None) -> Generator[GroupOfPictures, None, None]:
        last = max(self.groups, default=-1) if self.groups is not None else None
        building: GroupBuilder | None = None
        index = -1
        early = p_frames = b_frames = vectors = 0
        steps = 0
        with closing(decoded_frames(self.path, self.threads, opened=opened)) as frames:
            for place, frame in enumerate(frames):
                kind = PICTURE_TYPES[int(frame.pict_type)]
                if kind == "B":
                    b_frames += 1
                    if self.b_frames == "error":
                        raise VideoError(f"{self.path}: frame {place} is a B-frame; {remedy(self.path)}")
                elif kind == "I":
                    if building is not None:
                        yield building.group()
                    building = None
                    index += 1
                    if last is not None and index > last:
                        self._tell_dropped(b_frames)
                        return
                    if self.groups is None or index in self.groups:
                        building = GroupBuilder(self._wanted, index, place, frame)
                else:
                    early += index < 0
                    p_frames += 1
                    if building is not None and building.wants_more:
                        found, of_frame = exported_vectors(frame)
                        steps = steps or of_frame
                        vectors += len(found)
                        building.add(place, frame, found, steps)
                    elif not vectors:
                        vectors += exported_vectors(frame)[1]
        self._tell_dropped(b_frames)
        if early:
            message = f"{self.path}: the {early} P-frames before the first I-frame cannot be used"
            warnings.warn(message, VideoWarning, stacklevel=2)
        if index < 0:
            raise VideoError(f"{self.path}: there is no I-frame; {remedy(self.path)}")
        if p_frames and not vectors:
            raise VideoError(f"{self.path}: none of its {p_frames} P-frames has a motion vector; {remedy(self.path)}")
        if building is not None:
            yield building.group()

    def _tell_dropped(self, count: int) -> None:
        if count and self.b_frames == "warn":
            message = f"{self.path}: {count} B-frames were dropped (b_frames='drop' says nothing); {remedy(self.path)}"
            warnings.warn(message, VideoWarning, stacklevel=3)


def _are_numbers(values: Any, least: int, most: int = 1 << 31) -> bool:
    whole = isinstance(values, Collection) and all(
        isinstance(value, int | np.integer) and not isinstance(value, bool) for value in values
    )
    return whole and all(least <= value <= most for value in values)


def read_video(path: str | os.PathLike[str], **options: Any) -> list[GroupOfPictures]:
    """All groups of a file at once; the options are those of `VideoReader`."""
    with VideoReader(path, **options) as reader:
        return list(reader)

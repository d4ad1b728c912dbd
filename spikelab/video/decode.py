"""Open a video file and decode its frames, with a clear reason where that cannot be done.

Decoding is deterministic: on one thread, or on several that share the slices of one frame. FFmpeg's frame threads are
never used, because the vectors that they export differ from run to run in files with B-frames.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from spikelab.video.errors import VideoError, VideoWarning
from spikelab.video.groups import VideoInfo
from spikelab.video.pyav import av

#: Codecs whose decoders export motion vectors; tests encode each of them. HEVC, VP9 and AV1 export none, silently.
CODECS_WITH_VECTORS = (
    "mpeg4", "h264", "mpeg1video", "mpeg2video", "h263", "h263p", "flv1", "msmpeg4v2", "msmpeg4v3", "wmv1", "wmv2",
)  # fmt: skip
#: FFmpeg's picture types. S is a sprite of MPEG-4 and SP a switching frame of H.264: predicted from the past, like P.
#: 0 is a frame whose type got lost.
PICTURE_TYPES = {0: "P", 1: "I", 2: "P", 3: "B", 4: "P", 5: "I", 6: "P", 7: "B"}
#: More pixels than this in a frame are taken for a broken header; it is that of 16k video.
MOST_PIXELS = 15360 * 8640

#: A file that says how long it is may end this much earlier before anything counts as missing, in seconds.
TOLERANCE = 0.25

#: A container and its stream of video.
Opened = tuple[Any, Any]

_UNREADABLE = (av.FFmpegError, ValueError, EOFError, UnicodeDecodeError)


def remedy(path: str | os.PathLike[str]) -> str:
    """How to make a readable file of this one."""
    return f"make one that is with: spikelab data transcode {path} --folder FOLDER"


def open_video(path: str | os.PathLike[str]) -> Opened:
    """Open a file whatever its codec.

    Returns:
        The container and its first stream of video; close the container.

    Raises:
        FileNotFoundError: If there is no such file.
        VideoError: If it is empty, broken, no video, or of a codec that FFmpeg cannot decode.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: {'a folder, not a video file' if path.is_dir() else 'no such file'}")
    if path.stat().st_size == 0:
        raise VideoError(f"{path}: the file is empty; copy or download it again")
    try:
        # old files name titles in encodings that nobody wrote down; the pictures are none the worse for it
        container = av.open(str(path), metadata_errors="ignore")
    except _UNREADABLE as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(f"{path}: no video file, or a broken one ({reason}); copy or download it again") from None
    try:
        _refuse_pictures(path, container)
        return container, _video_stream(path, container)
    except BaseException:
        container.close()
        raise


def _refuse_pictures(path: Path, container: Any) -> None:
    """FFmpeg takes a picture for a video of one frame, whatever the file is called."""
    kind = container.format.name
    if kind == "image2" or kind.endswith("_pipe"):
        raise VideoError(f"{path}: a picture ({kind.removesuffix('_pipe')}), not a video; name another file")


def _video_stream(path: Path, container: Any) -> Any:
    if not container.streams.video:
        raise VideoError(f"{path}: there is no video in this file; name another")
    stream = container.streams.video[0]
    context = stream.codec_context
    if context is None or context.codec is None:
        raise VideoError(f"{path}: FFmpeg has no decoder for its codec; convert it elsewhere")
    pixels = context.width * context.height
    if not 0 < pixels <= MOST_PIXELS:
        raise VideoError(f"{path}: its header says {context.width} x {context.height} pixels; it is broken")
    return stream


def codec_name(stream: Any) -> str:
    """The codec's own name, whichever decoder reads it: "av1" for libdav1d."""
    return str(stream.codec_context.codec.canonical_name)


def check_vectors(path: str | os.PathLike[str], stream: Any) -> None:
    """Refuse a codec that gives no motion vectors.

    Raises:
        VideoError: With the remedy.
    """
    codec = codec_name(stream)
    if codec not in CODECS_WITH_VECTORS:
        known = ", ".join(CODECS_WITH_VECTORS)
        raise VideoError(f"{path}: FFmpeg gives no motion vectors of {codec}, only of {known}; {remedy(path)}")


def decoded_frames(
    path: str | os.PathLike[str], threads: int = 1, vectors: bool = True, opened: Opened | None = None
) -> Generator[Any, None, None]:
    """Decode the frames of a file, in the order of display.

    Args:
        path: The file.
        threads: That share the slices of a frame, where the codec has slices; the frames are the same for any number.
        vectors: Whether to export motion vectors; a codec that has none is refused.
        opened: The file as `open_video` gave it, not read from yet; it is closed at the end.

    Yields:
        `av.VideoFrame`s, each to be used before the next is asked for.

    Raises:
        FileNotFoundError: If there is no such file.
        VideoError: If no frame can be decoded, or the size of the pictures changes.

    Warns:
        VideoWarning: At the end, if a part of the file could not be decoded.
    """
    container, stream = opened or open_video(path)
    with container:
        if vectors:
            check_vectors(path, stream)
            stream.codec_context.flags2 |= av.codec.context.Flags2.export_mvs
        stream.thread_type = "SLICE" if threads > 1 else "NONE"
        stream.codec_context.thread_count = threads
        count = damaged = dropped = 0
        size = None
        end, announced = 0.0, _announced_seconds(stream)
        for packet, frames in _decoded_packets(container, stream):
            damaged += frames is None
            # an AVI file keeps the place of a frame that was left out by a packet without content; so is the last one
            # of all, which has no time
            placed = packet is not None and packet.dts is not None and packet.size <= 1
            dropped += placed and frames is not None and not frames
            for frame in frames or ():
                size = size or (frame.width, frame.height)
                if (frame.width, frame.height) != size:
                    change = f"from {size[0]} x {size[1]} to {frame.width} x {frame.height} pixels"
                    raise VideoError(f"{path}: its size changes {change} at frame {count}; {remedy(path)}")
                count += 1
                damaged += bool(frame.is_corrupt)
                end = max(end, float((frame.pts or 0) + (frame.duration or 0)) * float(frame.time_base or 0))
                yield frame
        promised = stream.frames - dropped
    if not count:
        raise VideoError(f"{path}: no frame can be decoded; the file is broken, copy or download it again")
    if damaged or count < promised:
        lost = f"{max(promised - count, 0)} of {promised} frames are missing, {damaged} packets or frames are damaged"
        warnings.warn(f"{path}: {lost}; the other {count} are given", VideoWarning, stacklevel=2)
    elif end + TOLERANCE < announced:
        lost = f"it ends after {end:.2f} of {announced:.2f} seconds, the rest is missing"
        warnings.warn(f"{path}: {lost}; the {count} frames before are given", VideoWarning, stacklevel=2)


def _announced_seconds(stream: Any) -> float:
    """How long the video is by its container's own account, where that counts no frames (Matroska, WebM); else 0."""
    found = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", "").strip("\0 "))
    if stream.frames or found is None:
        return 0.0
    hours, minutes, seconds = map(float, found.groups())
    return 3600 * hours + 60 * minutes + seconds


def _decoded_packets(container: Any, stream: Any) -> Iterator[tuple[Any, list[Any] | None]]:
    """Each packet with the frames that it brings to light; None for frames where it cannot be decoded."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except _UNREADABLE:
            # the container breaks off here; what the decoder still holds is good
            yield None, None
            yield None, _decode(stream, None)
            return
        yield packet, _decode(stream, packet)


def _decode(stream: Any, packet: Any) -> list[Any] | None:
    try:
        return list(stream.codec_context.decode(packet))
    except _UNREADABLE:
        return None


def video_info(path: str | os.PathLike[str]) -> VideoInfo:
    """What a file holds; this decodes all of it, without converting a pixel.

    Raises:
        FileNotFoundError: If there is no such file.
        VideoError: If it cannot be read. A codec without vectors is no reason.
    """
    container, stream = open_video(path)
    with container:
        context = stream.codec_context
        codec, rate = codec_name(stream), float(stream.average_rate or 0)
        width, height = context.width, context.height
    counts = {"I": 0, "P": 0, "B": 0}
    subpixel = 1
    with closing(decoded_frames(path, vectors=codec in CODECS_WITH_VECTORS)) as frames:
        for frame in frames:
            counts[PICTURE_TYPES[int(frame.pict_type)]] += 1
            found = frame.side_data.get("MOTION_VECTORS") if subpixel == 1 else None
            if found is not None and len(found):
                subpixel = int(found.to_ndarray()["motion_scale"][0])
            width, height = frame.width, frame.height
    return VideoInfo(str(path), codec, width, height, counts, rate, subpixel)

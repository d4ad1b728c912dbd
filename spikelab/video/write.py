"""Write video files of the kind that `spikelab.video.reader` makes the most of.

Groups of pictures have a fixed length and no B-frames, and every P-frame refers to the picture just before it, so that
the vectors tell the whole prediction. The same pictures give the same bytes, on one thread and without time stamps of
the clock.
"""

from __future__ import annotations

import errno
import io
import itertools
import os
import secrets
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spikelab.video.errors import VideoError
from spikelab.video.pyav import av

Codec = Literal["mpeg4", "h264"]
#: Codec -> (FFmpeg's encoder, range of `quality`, its default).
ENCODERS: dict[str, tuple[str, tuple[int, int], int]] = {
    "mpeg4": ("mpeg4", (1, 31), 4),
    "h264": ("libx264", (0, 51), 23),
}
#: Side of a picture in pixels; MPEG-4 part 2 has 13 bits for it.
LONGEST_SIDE = 8190


def write_video(
    path: str | os.PathLike[str],
    frames: Iterable[npt.NDArray[np.uint8]],
    codec: Codec = "mpeg4",
    group: int = 12,
    quality: int | None = None,
    rate: float = 25.0,
    small_blocks: bool = False,
) -> int:
    """Encode pictures into a file, which appears whole or not at all.

    Args:
        path: The file, whose suffix names the container: .mp4, .avi or .mkv. Its folder must exist.
        frames: uint8 [T, H, W, 3], red, green, blue; or any iterable of pictures [H, W, 3]. Height and width must be
            even, since colour is stored at half the resolution.
        codec: "mpeg4" (MPEG-4 part 2) or "h264".
        group: Frames from one I-frame to the next.
        quality: The quantiser of MPEG-4 part 2 (1 is best, 31 worst; 4 if left out), or the rate factor of H.264 (0 is
            best, 51 worst; 23 if left out).
        rate: Frames per second.
        small_blocks: Let MPEG-4 part 2 use four vectors a macroblock, for blocks of 8 pixels instead of 16. H.264
            always chooses its block sizes itself.

    Returns:
        The number of frames.

    Raises:
        VideoError: If there is no picture, or a picture, setting or suffix cannot be used; names what and the remedy.
        OSError: If the file cannot be written.
    """
    return write_frames(path, _as_frames(path, frames), codec, group, quality, rate, small_blocks)


def encode_video(
    frames: Iterable[npt.NDArray[np.uint8]],
    codec: Codec = "mpeg4",
    group: int = 12,
    quality: int | None = None,
    rate: float = 25.0,
    small_blocks: bool = False,
    container: str = "mp4",
) -> bytes:
    """Encode pictures into the bytes of a file; see `write_video`.

    Args:
        frames: uint8 [T, H, W, 3].
        codec: "mpeg4" or "h264".
        group: Frames from one I-frame to the next.
        quality: Of the codec.
        rate: Frames per second.
        small_blocks: Blocks of 8 pixels in MPEG-4 part 2.
        container: "mp4", "avi" or "matroska".

    Raises:
        VideoError: As `write_video` does.
    """
    target = io.BytesIO()
    pictures = _as_frames("encode_video", frames)
    _encode("encode_video", target, container, pictures, codec, group, quality, rate, small_blocks)
    return target.getvalue()


def write_frames(
    path: str | os.PathLike[str],
    frames: Iterable[Any],
    codec: Codec = "mpeg4",
    group: int = 12,
    quality: int | None = None,
    rate: float = 25.0,
    small_blocks: bool = False,
    comment: str = "",
) -> int:
    """Encode `av.VideoFrame`s of no picture type, one a time step, with a comment in the file; see `write_video`."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}; make it first")
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.{secrets.token_hex(4)}{path.suffix}")
    try:
        count = _encode(str(path), str(temporary), None, frames, codec, group, quality, rate, small_blocks, comment)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _encode(
    name: str,
    target: Any,
    container: str | None,
    frames: Iterable[Any],
    codec: str,
    group: int,
    quality: int | None,
    rate: float,
    small_blocks: bool,
    comment: str = "",
) -> int:
    """Encode and return the number of frames; `name` is how errors call the file."""
    if codec not in ENCODERS:
        raise VideoError(f"{name}: codec = {codec!r}: use one of {', '.join(ENCODERS)}")
    encoder, (best, worst), usual = ENCODERS[codec]
    quality = usual if quality is None else quality
    if not best <= quality <= worst:
        raise VideoError(f"{name}: quality = {quality}: {codec} takes {best} (best) to {worst} (worst)")
    if not 1 <= group <= 600:
        raise VideoError(f"{name}: group = {group}: a group of pictures has 1 to 600 frames")
    if not 0.1 <= rate <= 1000:
        raise VideoError(f"{name}: rate = {rate}: use 0.1 to 1000 frames per second")
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise VideoError(f"{name}: there is no picture to write")
    height, width = first.height, first.width
    _check_size(name, height, width)
    # FFmpeg encoders write their version and the muxer the time unless they are told to be exact to the bit.
    try:
        out: Any = av.open(target, "w", format=container, container_options={"fflags": "+bitexact"})
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(f"{name}: no such kind of file ({error}); use the suffix .mp4, .avi or .mkv") from error
    count = 0
    with out:
        if comment:
            out.metadata["comment"] = comment
        step = Fraction(rate).limit_denominator(1001)
        stream: Any = out.add_stream(encoder, rate=step)
        _configure(stream, codec, group, quality, small_blocks)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for count, frame in enumerate(itertools.chain([first], pictures), 1):
            if (frame.height, frame.width) != (height, width):
                found = f"{frame.width} x {frame.height}"
                raise VideoError(f"{name}: picture {count - 1} is {found}, those before it {width} x {height}")
            frame.pts, frame.time_base = count - 1, 1 / step
            _mux(name, out, stream, frame)
        _mux(name, out, stream, None)
    return count


def _mux(name: str, out: Any, stream: Any, frame: Any) -> None:
    try:
        out.mux(stream.encode(frame))
    except av.FFmpegError as error:
        # the system's own words about a full disk or a lost folder are the better ones
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EDQUOT):
            raise
        raise VideoError(f"{name}: FFmpeg cannot encode this ({error})") from error


def _configure(stream: Any, codec: str, group: int, quality: int, small_blocks: bool) -> None:
    context = stream.codec_context
    context.gop_size, context.max_b_frames, context.thread_count = group, 0, 1
    if codec == "mpeg4":
        # the threshold keeps the encoder from putting in I-frames where the scene changes
        stream.options = {"qmin": str(quality), "qmax": str(quality), "sc_threshold": "1000000000"}
        stream.options |= {"flags": "+bitexact" + ("+mv4" if small_blocks else "")}
        context.bit_rate = 1_000_000_000
    else:
        # with AVX-512, x264's macroblock tree reads memory that nobody wrote: the bytes would differ now and then
        parameters = f"scenecut=0:ref=1:bframes=0:weightp=0:mbtree=0:threads=1:keyint={group}:min-keyint={group}"
        stream.options = {"crf": str(quality), "x264-params": parameters, "flags": "+bitexact"}


def _as_frames(name: object, pictures: Iterable[npt.NDArray[np.uint8]]) -> Iterator[Any]:
    for index, picture in enumerate(pictures):
        array = isinstance(picture, np.ndarray)
        if not array or picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            found = f"{picture.dtype} {picture.shape}" if array else type(picture).__name__
            raise VideoError(f"{name}: picture {index} is {found}; it must be uint8 [H, W, 3], red, green, blue")
        yield av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")


def _check_size(name: str, height: int, width: int) -> None:
    if height % 2 or width % 2 or not 16 <= min(height, width) or max(height, width) > LONGEST_SIDE:
        limits = f"sides must be even and from 16 to {LONGEST_SIDE} pixels"
        raise VideoError(f"{name}: pictures of {width} x {height} cannot be written; {limits}")

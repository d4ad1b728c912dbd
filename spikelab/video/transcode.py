"""Make files that `spikelab.video.reader` makes the most of, out of any file that FFmpeg can decode.

HEVC, VP9 and AV1 give no motion vectors; H.264 from the camera or the web has long groups, B-frames and several
reference pictures. Action recognition from compressed video therefore begins, since CoViAR, by coding all clips anew:
short groups of pictures, no B-frames, one reference.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

from spikelab.video.decode import decoded_frames, open_video
from spikelab.video.errors import VideoError
from spikelab.video.write import ENCODERS, Codec, write_frames

#: What counts as a video file in a folder.
SUFFIXES = frozenset(
    ".3gp .asf .avi .divx .flv .m2ts .m2v .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .vob .webm .wmv .y4m".split()
)
_BT709 = 1


def transcode(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    codec: Codec = "mpeg4",
    group: int = 12,
    quality: int | None = None,
    width: int = 0,
    height: int = 0,
) -> int:
    """Code a video file anew, without sound; the new file appears whole or not at all, and says how it was made.

    Args:
        source: Any file that FFmpeg decodes.
        target: The new file, .mp4, .avi or .mkv; another than the source.
        codec: "mpeg4" (MPEG-4 part 2) or "h264".
        group: Frames from one I-frame to the next.
        quality: As in `spikelab.video.write.write_video`.
        width: Pixels of the new pictures, made even; 0 follows from the height, or keeps the source's.
        height: The same of the height.

    Returns:
        The number of frames.

    Raises:
        FileNotFoundError: If there is no such source, or no folder for the target.
        VideoError: If the source cannot be decoded or a setting cannot be honoured; names the file and the remedy.

    Warns:
        VideoWarning: If a part of the source could not be decoded; the rest is in the new file.
    """
    if Path(source).resolve() == Path(target).resolve():
        raise VideoError(f"{source}: cannot be written over itself; name another file")
    container, stream = open_video(source)
    with container:
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        size = _size(stream.codec_context.width, stream.codec_context.height, width, height)
    comment = json.dumps(recipe(source, codec, group, quality, width, height), sort_keys=True)
    with closing(_pictures(source, *size)) as pictures:
        rate = min(max(rate, 0.1), 1000.0)
        return write_frames(target, pictures, codec, group, quality, rate, comment=comment)


def recipe(
    source: str | os.PathLike[str],
    codec: Codec = "mpeg4",
    group: int = 12,
    quality: int | None = None,
    width: int = 0,
    height: int = 0,
) -> dict[str, str | int]:
    """What a file depends on that `transcode` makes; it is kept in the file, as its comment.

    Raises:
        FileNotFoundError: If there is no such source.
    """
    usual = ENCODERS[codec][2] if codec in ENCODERS else 0
    made = {"codec": codec, "group": group, "quality": usual if quality is None else quality}
    return {**made, "width": width, "height": height, "source": Path(source).name, "bytes": Path(source).stat().st_size}


def recorded_recipe(path: str | os.PathLike[str]) -> dict[str, str | int] | None:
    """The recipe of a file that `transcode` made; None for any other.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    try:
        container, _ = open_video(path)
    except VideoError:
        return None
    with container:
        words = {name.lower(): value for name, value in container.metadata.items()}
    try:
        found = json.loads(words.get("comment", ""))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _pictures(source: str | os.PathLike[str], width: int, height: int) -> Generator[Any, None, None]:
    with closing(decoded_frames(source, vectors=False)) as frames:
        for frame in frames:
            # the new file cannot say which matrix its colours have, so they get the one that is meant without a word
            colours = {"dst_colorspace": "ITU601"} if int(frame.colorspace) == _BT709 else {}
            picture = frame.reformat(width=width, height=height, format="yuv420p", **colours)
            # otherwise the encoder would repeat the old group structure
            picture.pict_type = 0
            yield picture


def _size(old_width: int, old_height: int, width: int, height: int) -> tuple[int, int]:
    """Width and height of the new pictures, even numbers."""
    if not width and not height:
        width, height = old_width, old_height
    width = width or round(old_width * height / old_height)
    height = height or round(old_height * width / old_width)
    return max(width // 2 * 2, 2), max(height // 2 * 2, 2)


def video_files(folder: str | os.PathLike[str]) -> list[Path]:
    """The video files in a folder and the folders below it, by their suffix, sorted."""
    found = (path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES)
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))

"""Clips of two codecs for the tests of video files."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> dict[str, Path]:
    """A clip of each codec, 30 frames in groups of 12; content moves by 3 to the right and 2 down a frame."""
    from video_samples import moving_texture

    from spikelab.video.write import write_video

    folder = tmp_path_factory.mktemp("clips")
    for codec in ("mpeg4", "h264"):
        write_video(folder / f"{codec}.mp4", moving_texture(), codec=codec, group=12)
    return {codec: folder / f"{codec}.mp4" for codec in ("mpeg4", "h264")}

"""A maker of files that other processes can import."""

from spikelab.video.errors import VideoError


def make_or_refuse(path, start, stop):
    """Make a file, but for task 1."""
    if start == 1:
        raise VideoError("1: broken")
    path.write_text("made")

"""What can be wrong with a video file."""


class VideoError(ValueError):
    """A video file that cannot be read, written or used; the message names the file, the reason and the remedy."""


class VideoWarning(UserWarning):
    """A part of a video file could not be read; the rest is given."""

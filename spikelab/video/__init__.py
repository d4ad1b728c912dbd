"""Compressed video files: what the codec already knows of the motion, without optical flow or a patched decoder.

What one meets first is found here: `VideoReader`, `read_video`, `GroupOfPictures`, `block_motion`, `write_video`,
`VideoError` and `VideoWarning`. `reconstruct` and `transcode` are in the modules that are called so.
"""

import importlib
from typing import Any

_PLACES = {
    "GroupOfPictures": "groups",
    "VideoError": "errors",
    "VideoReader": "reader",
    "VideoWarning": "errors",
    "block_motion": "motion",
    "read_video": "reader",
    "write_video": "write",
}

__all__ = list(_PLACES)


def __getattr__(name: str) -> Any:
    """PyAV and compiled code are loaded with the first name that needs them."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)

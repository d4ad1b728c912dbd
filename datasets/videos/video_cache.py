"""Decoded groups of pictures on disk, one file for each video, so that no video is decoded twice.

Vectors are kept as float16: all that a codec writes into pictures of up to 512 pixels are exact in it, those of resized
pictures keep eleven bits. torch converts them, several times as fast as numpy. Each group is compressed by itself
(deflate: vectors are the same over whole blocks and residuals mostly small), so that a sample reads the groups that it
takes and no more. Three clips of UCF-101 with eight groups of eleven P-frames at 128 x 172 took 1.0 to 1.8 MB each, an
eighth of what they are unpacked.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from spikelab.datasets.cache import CacheFileError, write_atomically
from spikelab.datasets.videos.samples import VideoArrays

_TYPES = {"data": "U8", "offsets": "I64", "valid": "U8"}


def write_groups(path: Path, arrays: VideoArrays, key: str, faults: Sequence[str] = ()) -> None:
    """Write all groups of a video.

    Args:
        path: of the file.
        arrays: at least one group.
        key: digest of the settings that made them; it is compared when the file is opened.
        faults: what is wrong with the video.

    Raises:
        OSError: if the file cannot be written.
    """
    packed = []
    for group in range(len(arrays)):
        motion = torch.from_numpy(np.ascontiguousarray(arrays.motion[group])).half().numpy()
        parts = (arrays.image[group], motion, arrays.residual[group])
        packed.append(zlib.compress(b"".join(np.ascontiguousarray(part).tobytes() for part in parts), 1))
    tensors: dict[str, np.ndarray] = {
        "data": np.frombuffer(b"".join(packed), np.uint8),
        "offsets": np.cumsum([0, *map(len, packed)], dtype=np.int64),
        "valid": arrays.valid.astype(np.uint8),
    }
    size, channels = list(arrays.image.shape[2:]), arrays.residual.shape[2]
    about = {"key": key, "size": size, "channels": channels}
    write_atomically(path, tensors, {"video": json.dumps(about, sort_keys=True), "faults": json.dumps(list(faults))})


class StoredVideo:
    """The groups of one file; it is opened for each use, as a data set may have thousands.

    Args:
        path: of the file.
        key: digest of the settings that the file must belong to.
        size: height and width of its pictures.
        steps: P-frames of each group.
        channels: of the residual.

    Raises:
        CacheFileError: if the file is missing, damaged or of other settings.
    """

    def __init__(self, path: Path, key: str, size: tuple[int, int], steps: int, channels: int):
        self.path, self.size, self.steps, self.channels = path, size, steps, channels
        try:
            self._file: Any = safe_open(path, framework="numpy")
            metadata = self._file.metadata() or {}
            about = json.loads(metadata.get("video", "{}"))
            #: what is wrong with the video that it was made from
            self.faults = [str(fault) for fault in json.loads(metadata.get("faults", "[]"))]
            if set(self._file.keys()) != set(_TYPES) or about.get("key") != key:
                raise CacheFileError(path, "is no video of this data set, or was made with other settings")
            slices = {name: self._file.get_slice(name) for name in _TYPES}
            right = all(slices[name].get_dtype() == dtype for name, dtype in _TYPES.items())
            self._data, self._offsets = slices["data"], self._file.get_tensor("offsets")
            self._valid = self._file.get_tensor("valid")
        except FileNotFoundError:
            raise CacheFileError(path, "is missing") from None
        except (SafetensorError, ValueError, TypeError, OSError, AttributeError) as error:
            raise CacheFileError(path, f"is cut short or damaged ({error})") from error
        groups = len(self._offsets) - 1
        right &= about == {"key": key, "size": list(size), "channels": channels} and groups >= 1
        if not right or self._valid.shape != (groups, steps) or np.any(np.diff(self._offsets) < 0):
            raise CacheFileError(path, "does not hold what its settings say")

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @property
    def has_motion(self) -> bool:
        """Whether any group has a P-frame."""
        return bool(self._valid.any())

    def read(self, groups: Sequence[int]) -> VideoArrays:
        """Some groups, in the order given; a group may be given more than once.

        Raises:
            CacheFileError: if their bytes have changed.
        """
        height, width = self.size
        unpacked = [self._unpacked(group) for group in groups]
        residual = (self.steps, self.channels, height, width)
        image_end = 3 * height * width
        motion_end = image_end + self.steps * 2 * height * width * 2
        motion = [raw[image_end:motion_end].view(np.float16).reshape(self.steps, 2, height, width) for raw in unpacked]
        return VideoArrays(
            np.stack([raw[:image_end].reshape(3, height, width) for raw in unpacked]),
            torch.from_numpy(np.stack(motion)).float().numpy(),
            np.stack([raw[motion_end:].view(np.int16).reshape(residual) for raw in unpacked]),
            self._valid[list(groups)] != 0,
        )

    def _unpacked(self, group: int) -> np.ndarray:
        height, width = self.size
        expected = height * width * (3 + self.steps * (2 * 2 + 2 * self.channels))
        packed = self._data[int(self._offsets[group]) : int(self._offsets[group + 1])]
        unpacker = zlib.decompressobj()
        try:
            raw = unpacker.decompress(packed.tobytes(), expected)
            unpacker.decompress(unpacker.unconsumed_tail, 1)  # the checksum is compared at the end
        except zlib.error as error:
            raise CacheFileError(self.path, f"is damaged ({error})") from error
        if len(raw) != expected or not unpacker.eof:
            raise CacheFileError(self.path, f"holds {len(raw)} bytes in group {group}, expected {expected}")
        return np.frombuffer(raw, np.uint8)

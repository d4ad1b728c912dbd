"""A labelled video as CamVid's SegNet edition lays it out: pictures and labels in two folders, or in a zip file."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import itertools
import os
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

VIDEO_RATE = 30.0
"""Frames a second of the video that the numbers in the file names count."""

LONGEST_INTERVAL = 4  # video frames; events between frames further apart have little to do with the motion
_NUMBER = re.compile(r"(\d+)\.(png|jpg|jpeg)$", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class LabelledVideo:
    """Pictures and labels, not yet decoded, in the order of time.

    Attributes:
        source: the zip file or folder, for messages.
        numbers: of the frames, in the original video.
        pictures: name and content of each frame's picture.
        labels: name and content of each frame's label.
    """

    source: Path
    numbers: tuple[int, ...]
    pictures: tuple[tuple[str, bytes], ...]
    labels: tuple[tuple[str, bytes], ...]

    @classmethod
    def read(cls, source: Path) -> LabelledVideo:
        """Read a recording and check that it is one evenly spaced video with a label for every picture.

        Args:
            source: a zip file or folder with ``gray/`` (or else ``rgb/``) and ``label/``.

        Raises:
            ValueError: if it is not; the message names the file.
        """
        files = _read_files(source)
        labels = {_number(source, name): name for name in files if name.startswith("label/")}
        pictures = {_number(source, name): name for name in files if not name.startswith("label/")}
        if not labels and not pictures:
            raise ValueError(f"camvid: {source} holds no pictures (gray/ or rgb/) and no labels (label/)")
        for these, others, lack in ((pictures, labels, "label"), (labels, pictures, "picture")):
            lonely = sorted(these[number] for number in these.keys() - others.keys())
            if lonely:
                raise ValueError(f"camvid: {source}: {lonely[0]} has no {lack} ({len(lonely)} such files)")
        frames = sorted(labels)
        for (sequence, number), (next_sequence, next_number) in itertools.pairwise(frames):
            if sequence != next_sequence or next_number - number > LONGEST_INTERVAL:
                raise ValueError(
                    f"camvid: {source}: {labels[next_sequence, next_number]} does not follow "
                    f"{labels[sequence, number]} within {LONGEST_INTERVAL} video frames; events can only be simulated "
                    "along one continuous video"
                )
        steps = {next_number - number for (_, number), (_, next_number) in itertools.pairwise(frames)}
        if len(steps) != 1:
            raise ValueError(f"camvid: {source}: frames must be evenly spaced, not {sorted(steps)} video frames apart")
        return cls(
            source,
            tuple(number for _, number in frames),
            tuple((pictures[frame], files[pictures[frame]]) for frame in frames),
            tuple((labels[frame], files[labels[frame]]) for frame in frames),
        )

    @property
    def interval(self) -> int:
        """Time between two frames, microseconds."""
        return round((self.numbers[1] - self.numbers[0]) / VIDEO_RATE * 1e6)

    def digest(self) -> str:
        """SHA-256 of all names and contents."""
        digest = hashlib.sha256()
        for name, content in (*self.pictures, *self.labels):
            digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
        return digest.hexdigest()

    def picture(self, index: int) -> np.ndarray:
        """A frame in grey, uint8 ``[H, W]``.

        Raises:
            ValueError: if it cannot be decoded or has another size than the first.
        """
        name, content = self.pictures[index]
        with self._decoded(name, content) as image:
            return np.array(image.convert("L"), dtype=np.uint8)

    def label(self, index: int) -> np.ndarray:
        """CamVid's class ids of a frame, uint8 ``[H, W]``.

        Raises:
            ValueError: if it cannot be decoded, has several channels, or another size than the first picture.
        """
        name, content = self.labels[index]
        with self._decoded(name, content) as image:
            if image.mode not in ("L", "P"):
                raise ValueError(f"camvid: {self.source}: {name} has mode {image.mode}; labels hold one id a pixel")
            return np.array(image, dtype=np.uint8)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the first picture, which all others must have."""
        name, content = self.pictures[0]
        with self._opened(name, content) as image:
            return image.height, image.width

    def _opened(self, name: str, content: bytes) -> Image.Image:
        try:
            return Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(f"camvid: {self.source}: {name} cannot be read ({error})") from error

    def _decoded(self, name: str, content: bytes) -> Image.Image:
        image = self._opened(name, content)
        if (image.height, image.width) != self.size:
            raise ValueError(
                f"camvid: {self.source}: {name} has height and width {(image.height, image.width)}, "
                f"the first picture has {self.size}"
            )
        try:
            image.load()
        except (OSError, SyntaxError) as error:
            raise ValueError(f"camvid: {self.source}: {name} cannot be read ({error})") from error
        return image


def find_recording(path: str | Path | None) -> Path:
    """The zip file or folder that holds the recording.

    Args:
        path: a zip file; a folder with ``label/``; a folder that holds one file ``camvid_*_15Hz_*.zip``; None takes
            ``$SPIKELAB_SHARED/data/camvid_driving``.

    Raises:
        FileNotFoundError: if there is none; the message says where it was sought.
        ValueError: if a folder holds several.
    """
    if path is None:
        shared = os.environ.get("SPIKELAB_SHARED")
        if not shared:
            raise FileNotFoundError(
                "camvid: no recording given. Pass path=..., or set SPIKELAB_SHARED to the folder that holds "
                "data/camvid_driving"
            )
        path = Path(shared) / "data" / "camvid_driving"
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"camvid: {path} does not exist")
    if path.is_file() or (path / "label").is_dir():
        return path
    found = sorted(path.glob("camvid_*_15Hz_*.zip"))
    if not found:
        raise FileNotFoundError(f"camvid: {path} holds neither a folder label/ nor a file camvid_*_15Hz_*.zip")
    if len(found) > 1:
        raise ValueError(
            f"camvid: {path} holds several recordings ({', '.join(f.name for f in found)}); pass one of them"
        )
    return found[0]


def _read_files(source: Path) -> dict[str, bytes]:
    """All pictures and labels, by name such as ``gray/0016E5_07959.png``."""
    if source.is_dir():
        folders = [source / "label", source / ("gray" if (source / "gray").is_dir() else "rgb")]
        paths = [path for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_file()]
        return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in paths}
    try:
        with zipfile.ZipFile(source) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            pictures = "gray/" if any(name.startswith("gray/") for name in names) else "rgb/"
            return {name: archive.read(name) for name in names if name.startswith(("label/", pictures))}
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"camvid: {source} is not a whole zip file ({error}); fetch it again") from error


def _number(source: Path, name: str) -> tuple[str, int]:
    """Name of the sequence and number of the frame."""
    match = _NUMBER.search(name)
    if match is None:
        raise ValueError(f"camvid: {source}: {name}: the name does not end in a frame number and .png or .jpg")
    return name[: match.start()].split("/")[-1], int(match.group(1))

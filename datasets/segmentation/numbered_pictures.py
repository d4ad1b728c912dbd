"""Folders of PNG pictures that are numbered in their names, and labels that hold one class a pixel."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

_NUMBER = re.compile(r"(\d+)\.png$", re.IGNORECASE)


def numbered(folder: Path) -> dict[int, Path]:
    """The PNG files of a folder by the number at the end of their names, in order.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if a PNG file has no number, or two have the same.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() != ".png" or path.name.startswith("."):
            continue
        match = _NUMBER.search(path.name)
        if match is None:
            raise ValueError(f"{path}: the name does not end in a number and .png; rename it or take it away")
        number = int(match.group(1))
        if number in found:
            raise ValueError(f"{path} has the same number as {found[number].name}; take one of them away")
        found[number] = path
    return dict(sorted(found.items()))


def read_picture(path: Path, *, colour: bool = False) -> np.ndarray:
    """A picture in grey, uint8 ``[H, W]``, or in colour, ``[H, W, 3]``.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it cannot be decoded.
    """
    return _decoded(path, "RGB" if colour else "L")


def read_label(path: Path, classes: Sequence[str], ignore: int) -> np.ndarray:
    """A label, uint8 ``[H, W]``.

    Args:
        path: of a picture that holds one number a pixel.
        classes: names of the classes; their numbers begin with 0.
        ignore: number of pixels without a class.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it cannot be decoded, has colours, or holds another number.
    """
    label = _decoded(path, None)
    wrong = label[(label >= len(classes)) & (label != ignore)]
    if wrong.size:
        raise ValueError(
            f"{path}: class {int(wrong[0])} at {wrong.size} pixels; the {len(classes)} classes are 0 to "
            f"{len(classes) - 1}, and {ignore} where there is none. Are these labels of another number of classes?"
        )
    return label


def picture_size(path: Path) -> tuple[int, int]:
    """Height and width of a picture, of which no more than the header is read.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is no picture.
    """
    with _opened(path) as image:
        return image.height, image.width


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path, formats=("PNG",))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such picture") from None
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: cannot be read as PNG ({error}); fetch it again") from error


def _decoded(path: Path, mode: str | None) -> np.ndarray:
    with _opened(path) as image:
        if mode is None and image.mode not in ("L", "P"):
            raise ValueError(f"{path}: is a picture of mode {image.mode}; labels hold one number of 8 bits a pixel")
        try:
            return np.array(image if mode is None else image.convert(mode), dtype=np.uint8)
        except (OSError, SyntaxError) as error:
            raise ValueError(f"{path}: cannot be read as PNG ({error}); fetch it again") from error

"""Pictures of a sample: frame, events, label and prediction side by side, with the classes named below."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]  # [H, W, 3]

ON_COLOUR, OFF_COLOUR = (200, 30, 30), (30, 60, 200)
BACKGROUND, INK = (255, 255, 255), (20, 20, 20)
IGNORED_COLOUR = (0, 0, 0)
_MARGIN, _TITLE, _SWATCH = 8, 20, 12
_FADED = 0.5  # of a frame's contrast, under events


def frame_picture(frame: NDArray[np.floating]) -> Picture:
    """A frame, grey [1, H, W] or [H, W] or in colour [3, H, W], 0 to 1, as a picture."""
    if frame.ndim == 3 and len(frame) == 3:
        return (np.clip(np.moveaxis(frame, 0, -1), 0, 1) * 255).round().astype(np.uint8)
    grey = np.asarray(frame).reshape(frame.shape[-2:])
    return np.repeat((np.clip(grey, 0, 1) * 255).round().astype(np.uint8)[..., None], 3, axis=2)


def events_picture(events: NDArray[np.floating]) -> Picture:
    """Events [T, 2, H, W] on white: ON red, OFF blue, the darker the more; channel 0 is OFF.

    The colour saturates at the 99th percentile of the pixels that saw anything, so that a few hot pixels do not fade
    the rest.
    """
    off, on = np.asarray(events, dtype=np.float32).sum(axis=0)
    active = np.concatenate([off[off > 0], on[on > 0]])
    full = float(np.percentile(active, 99)) if active.size else 1.0
    picture = np.full((*on.shape, 3), 255.0, dtype=np.float32)
    for counts, colour in ((on, ON_COLOUR), (off, OFF_COLOUR)):
        share = np.clip(counts / full, 0, 1)[..., None]
        picture *= 1 - share * (1 - np.array(colour, dtype=np.float32) / 255)
    return picture.round().astype(np.uint8)


def over_frame(events: Picture, frame: Picture) -> Picture:
    """Events as `events_picture` draws them, laid over a frame whose contrast is halved, so that they stand out."""
    faded = (255 - (255 - frame.astype(np.float32)) * _FADED) / 255
    return np.asarray((faded * events).round().astype(np.uint8))


def class_picture(classes: NDArray[np.integer], palette: Picture, frame: Picture | None = None) -> Picture:
    """Class numbers [H, W] in colour; anything outside of the palette is black.

    Args:
        classes: Class numbers.
        palette: Colours [C, 3].
        frame: If given, shines through by a quarter, so that one sees what lies under an edge.
    """
    table = np.vstack([palette, np.array([IGNORED_COLOUR], dtype=np.uint8)])
    known = (classes >= 0) & (classes < len(palette))
    picture = table[np.where(known, classes, len(palette))]
    if frame is None:
        return picture
    blended = (0.75 * picture + 0.25 * frame).round().astype(np.uint8)
    return np.where(known[..., None], blended, picture)


def side_by_side(
    panels: Sequence[tuple[str, Picture]], class_names: Sequence[str], palette: Picture, scale: int = 2
) -> Image.Image:
    """Panels of equal size in a row, each with its title above, and a legend of the classes below.

    Args:
        panels: Titles and pictures [H, W, 3].
        class_names: C names for the legend.
        palette: Their colours [C, 3].
        scale: Screen pixels per pixel; enlarged without smoothing, so that single pixels stay visible.
    """
    height, width = panels[0][1].shape[0] * scale, panels[0][1].shape[1] * scale
    full_width = _MARGIN + len(panels) * (width + _MARGIN)
    font = ImageFont.load_default(size=13)
    entries = [*zip(class_names, palette, strict=True), ("not labelled", IGNORED_COLOUR)]
    lines = _legend_lines([name for name, _ in entries], full_width, font)
    picture = Image.new("RGB", (full_width, _TITLE + height + _MARGIN + _TITLE * len(lines) + 4), BACKGROUND)
    draw = ImageDraw.Draw(picture)
    for place, (title, panel) in enumerate(panels):
        left = _MARGIN + place * (width + _MARGIN)
        draw.text((left, 3), title, INK, font)
        picture.paste(Image.fromarray(panel).resize((width, height), Image.Resampling.NEAREST), (left, _TITLE))
        draw.rectangle((left - 1, _TITLE - 1, left + width, _TITLE + height), outline=(160, 160, 160))
    top = _TITLE + height + _MARGIN
    for line in lines:
        left = _MARGIN
        for index in line:
            name, colour = entries[index]
            draw.rectangle((left, top + 2, left + _SWATCH, top + 2 + _SWATCH), tuple(map(int, colour)), INK)
            draw.text((left + _SWATCH + 5, top), name, INK, font)
            left += _entry_width(name, font)
        top += _TITLE
    return picture


def _entry_width(name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return _SWATCH + 5 + round(font.getlength(name)) + 18


def _legend_lines(
    names: Sequence[str], width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> list[list[int]]:
    """Which entries stand on which line."""
    lines: list[list[int]] = [[]]
    left = _MARGIN
    for index, name in enumerate(names):
        if lines[-1] and left + _entry_width(name, font) > width:
            lines.append([])
            left = _MARGIN
        lines[-1].append(index)
        left += _entry_width(name, font)
    return lines

"""Events as pictures: ON red, OFF blue, on white or on the camera's own picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spikelab.events import EventArray
from spikelab.report.overlay import OFF_COLOUR, ON_COLOUR

BOTH = (130, 60, 140)


def event_picture(
    events: EventArray, background: npt.NDArray[np.uint8] | None = None, full: int = 3
) -> npt.NDArray[np.uint8]:
    """Draw events.

    Args:
        events: those of one picture.
        background: `[H, W]` or `[H, W, 3]`, uint8; None draws on white.
        full: events of a pixel that give its colour in full; fewer let the background through.

    Returns:
        `[H, W, 3]`, uint8. A pixel with as many ON as OFF events is purple.
    """
    shape = (events.height, events.width)
    places = events.y.astype(np.int64) * events.width + events.x
    on = np.bincount(places[events.p == 1], minlength=shape[0] * shape[1]).reshape(shape)
    off = np.bincount(places[events.p == 0], minlength=shape[0] * shape[1]).reshape(shape)
    colour = np.where((on > off)[..., None], ON_COLOUR, np.where((off > on)[..., None], OFF_COLOUR, BOTH))
    # one event shows clearly already
    strength = np.where(on + off > 0, np.clip(0.5 + 0.5 * (on + off) / full, 0.0, 1.0), 0.0)[..., None]
    picture = np.full((*shape, 3), 255.0) if background is None else _in_colour(background)
    return np.rint(picture * (1 - strength) + colour * strength).astype(np.uint8)


def _in_colour(image: npt.NDArray[np.uint8]) -> np.ndarray:
    picture = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    # paler, so that events stand out
    return 110 + picture * (145 / 255)


def eight_bits(image: np.ndarray) -> npt.NDArray[np.uint8]:
    """A camera's picture as uint8; pictures of more bits are stretched from their darkest to their brightest pixel."""
    if image.dtype == np.uint8:
        return image
    low, high = float(image.min()), float(image.max())
    return np.rint((image - low) * (255 / max(high - low, 1))).astype(np.uint8)

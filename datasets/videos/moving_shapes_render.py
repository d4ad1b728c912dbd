"""Pictures of moving shapes: what a clip shows, drawn from a random generator, and how it is rendered.

A clip is a row of shots, one for each group of pictures. All its shots show one object (contour, colour, texture) with
one motion, each anew: another place, orientation, size, speed and background. Three properties make the appearance
tell nothing about the motion, and the motion nothing about the appearance:

* Everything but the motion is drawn before the motion is looked at, and every motion leaves the first picture of a
  shot as it is. So the first pictures of a clip are the same, pixel for pixel, whichever motion it shows.
* Colours differ in chroma only, by angles of about 120 degrees and the same distance from grey. So the luma of a clip
  is the same, but for rounding, whichever colour it shows.
* Contours have equal areas.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt
from numba import njit

from spikelab.datasets.roads.texture import value_noise

MOTIONS = (
    "left",
    "right",
    "up",
    "down",
    "turn clockwise",
    "turn counterclockwise",
    "grow",
    "shrink",
    "orbit clockwise",
    "orbit counterclockwise",
)
CONTOURS = ("disc", "square", "triangle")
COLOURS: dict[str, float] = {"red": 110.0, "green": 230.0, "blue": 350.0}
"""Angles in the plane of Cb (to the right) and Cr (upwards), degrees."""
CAMERAS: dict[str, float] = {"still": 0.0, "slow": 0.3, "fast": 1.5}
"""Fastest pan of the camera, pixels a frame in a picture whose shorter side is 96 pixels."""

SATURATION = 45.0  # distance of the colours from grey; from 52 to 176 in luma, no colour is clipped in RGB
LUMA, CONTRAST = 114.0, 55.0  # mean, and largest distance from it, of every texture
NOISE = 2.0  # standard deviation of the sensor's noise, grey levels
_REFERENCE_SIDE = 96.0  # sizes and speeds are given for a picture whose shorter side has so many pixels


@dataclasses.dataclass(frozen=True)
class Shot:
    """One shot, apart from its motion. Lengths are pixels of a picture whose shorter side is 96.

    Attributes:
        centre: of the object in the first picture: x over the picture's width, y over its height.
        radius: of the disc, or of the disc of the same area.
        angle: orientation of the object, radians.
        speed: 0 to 1, slow to fast, whatever the motion.
        phase: where on its orbit the object is, radians (used by orbits only).
        pan: x and y of the camera's speed, pixels a frame.
        background: number of its texture.
        noise: seed of the sensor's noise.
    """

    centre: tuple[float, float]
    radius: float
    angle: float
    speed: float
    phase: float
    pan: tuple[float, float]
    background: int
    noise: int


@dataclasses.dataclass(frozen=True)
class Clip:
    """What a clip shows, apart from its motion.

    Attributes:
        contour: 0 disc, 1 square, 2 triangle.
        hue: of the object: angle in the plane of Cb and Cr, degrees.
        texture: number of the object's texture.
        shots: one for each group of pictures.
    """

    contour: int
    hue: float
    texture: int
    shots: tuple[Shot, ...]


def draw_clip(rng: np.random.Generator, shots: int, pan: float) -> Clip:
    """Draw a clip whose contour is one of the three, and whose hue is any; motion and identity are laid over it.

    Args:
        rng: source of randomness; the same number of draws is taken for all arguments but `shots`.
        shots: how many.
        pan: the camera's fastest speed, see `CAMERAS`.
    """
    contour, texture = int(rng.integers(len(CONTOURS))), int(rng.integers(1 << 15))
    hue = float(rng.uniform(0.0, 360.0))
    drawn = []
    for _ in range(shots):
        x, y = rng.uniform(0.3, 0.7, 2)
        radius, angle, speed = rng.uniform(12.0, 17.0), rng.uniform(0.0, 2.0 * math.pi), rng.uniform()
        phase, direction = rng.uniform(0.0, 2.0 * math.pi, 2)
        pace = pan * math.sqrt(rng.uniform())  # uniform in the disc of velocities
        velocity = (pace * math.cos(direction), pace * math.sin(direction))
        background, noise = (int(value) for value in rng.integers(1 << 15, size=2))
        drawn.append(Shot((float(x), float(y)), radius, angle, speed, phase, velocity, background, noise))
    return Clip(contour, hue, texture, tuple(drawn))


def pose(motion: str, shot: Shot, time: float) -> tuple[float, float, float, float]:
    """Where a motion has brought the object: shift in x and y (down), turn (clockwise), and factor of its size.

    The shift is in pixels of a picture whose shorter side is 96; at time 0 nothing has changed.

    Args:
        motion: one of `MOTIONS`.
        shot: gives speed and phase.
        time: frames since the shot began.

    Raises:
        ValueError: if there is no such motion.
    """
    kind, _, direction = motion.partition(" ")
    way = -1.0 if direction == "counterclockwise" else 1.0
    if kind in ("left", "right", "up", "down"):
        length = time * (1.2 + shot.speed)
        x, y = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}[kind]
        return x * length, y * length, 0.0, 1.0
    if kind == "turn":
        return 0.0, 0.0, way * time * (0.10 + 0.08 * shot.speed), 1.0
    if kind in ("grow", "shrink"):
        rate = 0.03 + 0.02 * shot.speed
        return 0.0, 0.0, 0.0, math.exp(rate * time if kind == "grow" else -rate * time)
    if kind == "orbit":
        radius, now = 9.0, shot.phase + way * time * (0.22 + 0.13 * shot.speed)
        return (
            radius * (math.cos(now) - math.cos(shot.phase)),
            radius * (math.sin(now) - math.sin(shot.phase)),
            0.0,
            1.0,
        )
    raise ValueError(f"moving_shapes: no motion {motion!r}; there are {', '.join(MOTIONS)}")


def render_clip(clip: Clip, motion: str, frames: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Render every shot of a clip.

    Args:
        clip: what it shows.
        motion: one of `MOTIONS`.
        frames: of each shot.
        height: of the pictures, pixels.
        width: of the pictures, pixels.

    Returns:
        uint8 ``[shots * frames, H, W, 3]``, red, green, blue.

    Raises:
        ValueError: if there is no such motion.
    """
    unit = min(height, width) / _REFERENCE_SIDE
    hue = math.radians(clip.hue)
    chroma = SATURATION * math.cos(hue), SATURATION * math.sin(hue)
    pictures = np.empty((len(clip.shots) * frames, height, width, 3), dtype=np.uint8)
    for place, shot in enumerate(clip.shots):
        noise = np.random.default_rng(shot.noise).standard_normal((frames, height, width), dtype=np.float32)
        for time in range(frames):
            x, y, turn, scale = pose(motion, shot, time)
            pan_x, pan_y = shot.pan[0] * time, shot.pan[1] * time
            # Seen by a camera that pans, everything moves the other way.
            middle = shot.centre[0] * width + (x - pan_x) * unit, shot.centre[1] * height + (y - pan_y) * unit
            state = (*middle, shot.angle + turn, scale, shot.radius * unit, pan_x * unit, pan_y * unit, unit)
            picture = pictures[place * frames + time]
            _draw(picture, noise[time], clip.contour, clip.texture, shot.background, chroma, state)
    return pictures


@njit(cache=True)
def _draw(picture, noise, contour, texture, background, chroma, state):
    """Render one picture [H, W, 3]; luma first, then chroma, so that the luma is the same for every colour."""
    middle_x, middle_y, angle, scale, radius, pan_x, pan_y, unit = state
    cosine, sine = math.cos(angle), math.sin(angle)
    for row in range(picture.shape[0]):
        for column in range(picture.shape[1]):
            u, v = (column + pan_x) / unit, (row + pan_y) / unit
            value = _texture(u, v, background)
            x, y = column - middle_x, row - middle_y
            # into the object's own axes; y points down, so a positive angle turns clockwise
            own_x, own_y = (cosine * x + sine * y) / scale, (cosine * y - sine * x) / scale
            covered = min(1.0, max(0.0, 0.5 - scale * _distance(contour, own_x, own_y, radius)))
            if covered > 0.0:
                value += covered * (_texture(own_x / unit, own_y / unit, texture) - value)
            luma = LUMA + 2.0 * CONTRAST * (value - 0.5) + NOISE * noise[row, column]
            # The background has a little chroma of its own, so that grey is no sign of it.
            blue = 40.0 * (value_noise(u / 19.0, v / 19.0, background + 2) - 0.5)
            red = 40.0 * (value_noise(u / 19.0, v / 19.0, background + 3) - 0.5)
            blue, red = blue + covered * (chroma[0] - blue), red + covered * (chroma[1] - red)
            picture[row, column, 0] = _byte(luma + 1.402 * red)
            picture[row, column, 1] = _byte(luma - 0.344136 * blue - 0.714136 * red)
            picture[row, column, 2] = _byte(luma + 1.772 * blue)


@njit(cache=True)
def _texture(u, v, seed):
    """Noise of two scales, 0 to 1."""
    return 0.6 * value_noise(u / 7.0 + 40.0, v / 7.0 + 40.0, seed) + 0.4 * value_noise(u / 3.1, v / 3.1, seed + 1)


@njit(cache=True)
def _distance(contour, x, y, radius):
    """Distance from the contour, pixels, negative inside (at corners: from its sides); areas are that of the disc."""
    if contour == 0:
        return math.hypot(x, y) - radius
    if contour == 1:
        return max(abs(x), abs(y)) - 0.8862269 * radius  # sqrt(pi) / 2
    side = 0.8660254 * abs(x) + 0.5 * y
    return max(side, -y) - 0.7775642 * radius  # inradius: sqrt(pi / (3 sqrt(3)))


@njit(cache=True)
def _byte(value):
    return np.uint8(min(255.0, max(0.0, value + 0.5)))

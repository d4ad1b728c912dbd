"""Perspective renderer of the procedural streets: luminance and class of every pixel at one moment.

Upright planes and a camera that only turns about the vertical axis and looks level make the depth of a plane a
function of the picture's column alone. So each primitive is drawn column by column, near ones first with a depth
buffer, and the ground and the sky fill what is left: the cost follows the covered pixels, not pixels times primitives.
(The camera's pitch is a shift of the horizon, which keeps upright things upright, exact to second order in the angle.)
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numba import njit

from spikelab.datasets.roads.scene import (
    ALONG,
    AXIS,
    BOTTOM,
    CLOUDS,
    CONSTRUCTION_SKY,
    HAZE,
    HEIGHT,
    HORIZON_LUMINANCE,
    KIND,
    LABEL,
    LUMINANCE,
    NATURE,
    PERSON,
    PHASE,
    SKY_TEXTURE,
    STYLE,
    TEXTURE,
    VELOCITY_X,
    VELOCITY_Z,
    WIDTH,
    ZENITH_LUMINANCE,
    Scene,
    X,
    Z,
)
from spikelab.datasets.roads.texture import shade, shade_ground, value_noise

NEAR = 0.5  # nothing closer than this is drawn, metres
FAR = 150.0  # the ground ends here, metres
GAIT = 2.0 * math.pi * 0.7  # phase of a walking person, radians per metre: two steps take about 1.4 m
IGNORE = 255


@dataclasses.dataclass(frozen=True)
class Lens:
    """Picture size and focal length.

    Attributes:
        height: pixels.
        width: pixels.
        focal: focal length over picture width; 0.9 is a field of view of 58 degrees, about that of DDD17's camera.
        supersampling: rays per pixel along each axis.
    """

    height: int
    width: int
    focal: float = 0.9
    supersampling: int = 2


@njit(cache=True)
def _draw(primitives, order, ground, shadows, sky, light, pose, focal, time, value, label, depth):
    """Render into `value` and `label` [H, W]; `pose` is x, z, yaw, camera height, row of the horizon."""
    rows, columns = value.shape
    camera_x, camera_z, yaw, camera_height, horizon = pose
    cosine, sine = math.cos(yaw), math.sin(yaw)
    haze, haze_value = sky[HAZE], sky[HORIZON_LUMINANCE]
    depth[:] = np.inf
    for index in order:
        p = primitives[index]
        middle_x = p[X] + p[VELOCITY_X] * time - camera_x
        middle_z = p[Z] + p[VELOCITY_Z] * time - camera_z
        half = p[WIDTH] / 2.0
        along = p[AXIS] == ALONG
        # Columns that the primitive can touch: both ends in camera coordinates, cut at the near plane.
        ax, az = (middle_x, middle_z - half) if along else (middle_x - half, middle_z)
        bx, bz = (middle_x, middle_z + half) if along else (middle_x + half, middle_z)
        a_right, a_ahead = cosine * ax - sine * az, sine * ax + cosine * az
        b_right, b_ahead = cosine * bx - sine * bz, sine * bx + cosine * bz
        if a_ahead < NEAR and b_ahead < NEAR:
            continue
        if a_ahead < NEAR:
            a_right += (b_right - a_right) * (NEAR - a_ahead) / (b_ahead - a_ahead)
            a_ahead = NEAR
        if b_ahead < NEAR:
            b_right += (a_right - b_right) * (NEAR - b_ahead) / (a_ahead - b_ahead)
            b_ahead = NEAR
        first = columns / 2.0 + focal * min(a_right / a_ahead, b_right / b_ahead)
        last = columns / 2.0 + focal * max(a_right / a_ahead, b_right / b_ahead)
        if last < 0.0 or first > columns:
            continue
        kind, seed = int(p[KIND]), int(p[TEXTURE])
        gain = light[0]
        if along:
            gain = light[1] if middle_x < 0.0 else light[2]
        speed = math.sqrt(p[VELOCITY_X] ** 2 + p[VELOCITY_Z] ** 2)
        walking = kind == PERSON and speed > 0.3
        phase = p[PHASE] + (GAIT * speed * time if walking else 0.0)
        for column in range(max(0, int(first) - 1), min(columns, int(last) + 2)):
            slope = (column + 0.5 - columns / 2.0) / focal
            ray_x, ray_z = cosine * slope + sine, cosine - sine * slope
            if along:
                if ray_x == 0.0:
                    continue
                distance = middle_x / ray_x
                u = ray_z * distance - middle_z
            else:
                if ray_z == 0.0:
                    continue
                distance = middle_z / ray_z
                u = ray_x * distance - middle_x
            if distance < NEAR or abs(u) > half:
                continue
            top = horizon + focal * (camera_height - p[BOTTOM] - p[HEIGHT]) / distance
            foot = horizon + focal * (camera_height - p[BOTTOM]) / distance
            fog = math.exp(-haze * distance)
            for row in range(max(0, math.ceil(top - 0.5)), min(rows, math.ceil(foot - 0.5))):
                if depth[row, column] <= distance:
                    continue
                v = camera_height - (row + 0.5 - horizon) * distance / focal - p[BOTTOM]
                luminance = shade(
                    kind, u, v, p[WIDTH], p[HEIGHT], p[LUMINANCE], seed, p[STYLE], phase, walking, distance / focal
                )
                if luminance < 0.0:
                    continue
                depth[row, column] = distance
                value[row, column] = gain * luminance * fog + haze_value * (1.0 - fog)
                label[row, column] = int(p[LABEL])
    for row in range(rows):
        drop = (row + 0.5 - horizon) / focal
        for column in range(columns):
            if depth[row, column] < np.inf:
                continue
            slope = (column + 0.5 - columns / 2.0) / focal
            ray_x, ray_z = cosine * slope + sine, cosine - sine * slope
            if drop * FAR > camera_height:
                distance = camera_height / drop
                across = distance / focal
                luminance, kind = shade_ground(
                    camera_x + ray_x * distance,
                    camera_z + ray_z * distance,
                    ground,
                    shadows,
                    time,
                    across,
                    across * distance / camera_height,
                )
                fog = math.exp(-haze * distance)
                value[row, column] = luminance * fog + haze_value * (1.0 - fog)
                label[row, column] = kind
            elif drop > 0.0:  # the strip of ground past the last metre
                value[row, column] = haze_value * 0.8
                label[row, column] = NATURE
            else:
                height = min(1.0, -2.0 * drop)
                cloud = value_noise(3.0 * ray_x / ray_z, -9.0 * drop, int(sky[SKY_TEXTURE])) - 0.5
                base = sky[HORIZON_LUMINANCE] * (1.0 - height) + sky[ZENITH_LUMINANCE] * height
                value[row, column] = base * (1.0 + sky[CLOUDS] * cloud)
                label[row, column] = CONSTRUCTION_SKY


@njit(cache=True)
def _average(fine, factor, coarse):
    """Mean over blocks of `factor` x `factor` rays."""
    for row in range(coarse.shape[0]):
        for column in range(coarse.shape[1]):
            total = 0.0
            for i in range(factor):
                for j in range(factor):
                    total += fine[row * factor + i, column * factor + j]
            coarse[row, column] = total / (factor * factor)


class Renderer:
    """Renders one scene at any time; keeps its buffers between moments.

    Args:
        scene: what to draw.
        lens: picture size and focal length.
        bonnet: depth of the car's bonnet at the lower edge, as a share of the picture's height; it is labelled
            ignore, as the bonnet is cut from DDD17's labels.
    """

    def __init__(self, scene: Scene, lens: Lens, bonnet: float = 0.08):
        self.scene, self.lens = scene, lens
        distance = np.abs(scene.primitives[:, Z])
        self._order = np.argsort(distance, kind="stable")  # near first: what is hidden is never shaded
        self._bonnet, self._bonnet_value = _bonnet(lens, bonnet, scene.sky[HORIZON_LUMINANCE])
        size = (lens.height * lens.supersampling, lens.width * lens.supersampling)
        self._value, self._depth = np.empty(size, np.float32), np.empty(size, np.float32)
        self._label = np.empty(size, np.uint8)

    def _draw_at(self, time: float, factor: int, value: np.ndarray, label: np.ndarray, depth: np.ndarray) -> None:
        scene, lens = self.scene, self.lens
        # At time zero the car drives along the road. With a constant yaw rate its path is an arc, taken as its chord.
        heading = 0.5 * scene.yaw_rate * time
        focal = lens.focal * lens.width
        pitch = scene.vibration * math.sin(2 * math.pi * scene.vibration_hz * time + scene.vibration_phase)
        pose = (
            scene.speed * time * math.sin(heading),
            scene.speed * time * math.cos(heading),
            scene.yaw + scene.yaw_rate * time,
            scene.camera_height,
            (scene.horizon * lens.height + focal * pitch) * factor,
        )
        args = (scene.primitives, self._order, scene.ground, scene.shadows, scene.sky, scene.light)
        _draw(*args, pose, focal * factor, float(time), value, label, depth)

    def luminance(self, time: float) -> np.ndarray:
        """Linear luminance at a moment, float32 ``[H, W]``; 255 is about white, highlights may exceed it."""
        lens = self.lens
        self._draw_at(time, lens.supersampling, self._value, self._label, self._depth)
        picture = np.empty((lens.height, lens.width), np.float32)
        _average(self._value, lens.supersampling, picture)
        picture[self._bonnet] = self._bonnet_value[self._bonnet]
        return picture

    def label(self, time: float) -> np.ndarray:
        """Class at the middle of every pixel, uint8 ``[H, W]``, 255 on the bonnet."""
        size = (self.lens.height, self.lens.width)
        label = np.empty(size, np.uint8)
        self._draw_at(time, 1, np.empty(size, np.float32), label, np.empty(size, np.float32))
        label[self._bonnet] = IGNORE
        return label

    def largest_motion(self, duration: float) -> float:
        """Upper estimate of how far anything in the picture moves, in pixels, in `duration` seconds up to time zero."""
        scene, lens = self.scene, self.lens
        focal = lens.focal * lens.width
        half_width = lens.width / 2
        below = lens.height * (1.0 - scene.horizon)
        reach = max(half_width, below)
        advance = scene.speed * duration
        ground_depth = focal * scene.camera_height / below
        moves = [below * advance / ground_depth]
        for p in scene.primitives:
            along = p[AXIS] == ALONG
            depth = p[Z] - (p[WIDTH] / 2 if along else 0.0)
            if p[Z] + p[WIDTH] / 2 < NEAR:
                continue
            sideways = abs(p[X]) if along else max(0.0, abs(p[X]) - p[WIDTH] / 2)
            # A thing this far to the side leaves the picture before it comes nearer than this.
            depth = max(depth, focal * sideways / (1.3 * half_width), 2.0)
            ahead = abs(p[VELOCITY_Z] * duration - advance)
            moves.append((focal * abs(p[VELOCITY_X]) * duration + reach * ahead) / depth)
        turn = abs(scene.yaw_rate) * duration * focal * (1.0 + (half_width / focal) ** 2)
        shake = focal * scene.vibration * min(2.0, 2 * math.pi * scene.vibration_hz * duration)
        return max(moves) + turn + shake


def _bonnet(lens: Lens, share: float, reflection: float) -> tuple[np.ndarray, np.ndarray]:
    """Mask and luminance of the ego car's bonnet, a flat arch at the lower edge."""
    x = (np.arange(lens.width) + 0.5) / lens.width * 2.0 - 1.0
    y = (np.arange(lens.height) + 0.5)[:, None] / lens.height
    edge = 1.0 - share * (1.0 - 0.55 * x**2)
    mask = (
        np.broadcast_to(y > edge, (lens.height, lens.width)) if share > 0 else np.zeros((lens.height, lens.width), bool)
    )
    value = 0.12 * reflection + 0.5 * reflection * np.clip(1.0 - (y - edge) / 0.05, 0.0, 1.0) ** 2
    return np.ascontiguousarray(mask), value.astype(np.float32)

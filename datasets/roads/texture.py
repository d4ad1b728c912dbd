"""Silhouettes and textures of the procedural streets, as compiled functions of a point on a surface.

Every texture takes the size of a pixel on the surface (its footprint, in metres) and fades out before it becomes finer
than
that: without this, distant facades would flicker from sub-frame to sub-frame and give the event camera events that no
    real
scene gives.
"""

from __future__ import annotations

import math

from numba import njit

from spikelab.datasets.roads.scene import (
    ASPHALT,
    BOARD,
    CAR_END,
    CAR_SIDE,
    CROSSING,
    CROWN,
    FLAT,
    GRASS,
    GROUND_TEXTURE,
    HEDGE,
    LANE_LINE,
    MARK,
    NATURE,
    PAVING,
    PERSON,
    POST,
    ROAD_LEFT,
    ROAD_RIGHT,
    SHADE,
    TRUNK,
    WALK_LEFT,
    WALK_RIGHT,
    WALL,
)

MISS = -1.0  # a silhouette's answer outside of its shape


@njit(cache=True)
def cell_hash(i, j, seed):
    """A number in [0, 1] that depends on a lattice cell and a seed only (a 32-bit multiply-xorshift mix)."""
    n = (i * 374761393 + j * 668265263 + seed * 974634077) & 0xFFFFFFFF
    n = ((n ^ (n >> 13)) * 1274126177) & 0xFFFFFFFF
    n = ((n ^ (n >> 16)) * 2246822519) & 0xFFFFFFFF
    return ((n ^ (n >> 15)) & 0xFFFF) / 65535.0


@njit(cache=True)
def value_noise(u, v, seed):
    """Smooth noise in [0, 1] with a period of about two units: lattice values, joined by smoothstep."""
    i, j = math.floor(u), math.floor(v)
    a, b = u - i, v - j
    a, b = a * a * (3.0 - 2.0 * a), b * b * (3.0 - 2.0 * b)
    i, j = int(i), int(j)
    low = cell_hash(i, j, seed) * (1.0 - a) + cell_hash(i + 1, j, seed) * a
    high = cell_hash(i, j + 1, seed) * (1.0 - a) + cell_hash(i + 1, j + 1, seed) * a
    return low * (1.0 - b) + high * b


@njit(cache=True)
def resolved(period, footprint):
    """How much of a pattern a pixel of this footprint can show: 1 at four pixels a period, 0 at one."""
    return min(1.0, max(0.0, (period / footprint - 1.0) / 3.0))


@njit(cache=True)
def band(distance, half_width, footprint):
    """Coverage of a pixel by a stripe whose middle is `distance` away (box filter)."""
    edge = min(1.0, max(0.0, (half_width - abs(distance)) / footprint + 0.5))
    return edge * min(1.0, 2.0 * half_width / footprint)


@njit(cache=True)
def shade_wall(u, v, height, luminance, seed, style, footprint):
    """A facade with windows and a shop front; ``style >= 2`` is a plain garden wall."""
    value = luminance * (0.85 + 0.3 * (value_noise(u * 1.5, v * 1.5, seed) - 0.5) * resolved(1.3, footprint))
    if style >= 2.0:
        return value
    period = 1.8 + 2.4 * style
    detail = resolved(period, footprint)
    if detail <= 0.0:
        return value
    floor = math.floor(v / 3.1)
    column = math.floor(u / period)
    a, b = u / period - column, v / 3.1 - floor
    if floor == 0 and style < 0.4:  # shop front: wide panes
        inside = 0.08 < a < 0.92 and 0.15 < b < 0.8
    else:
        inside = 0.25 < a < 0.72 and 0.3 < b < 0.82 and v < height - 0.6
    if inside:
        pane = cell_hash(int(column), int(floor), seed + 3)
        target = luminance * 0.3 if pane < 0.7 else min(240.0, luminance * (1.0 + pane))
        value += detail * (target - value)
    return value


@njit(cache=True)
def shade_leaves(u, v, width, height, luminance, seed, crown, footprint):
    """Foliage: a ragged blob (tree) or a ragged upper edge (hedge)."""
    if crown:
        a, b = 2.0 * u / width, 2.0 * v / height - 1.0
        radius = math.sqrt(a * a + b * b)
        if radius > 1.0:
            return MISS
        rough = value_noise(u * 2.2, v * 2.2, seed) * 0.6 + value_noise(u * 6.0, v * 6.0, seed + 1) * 0.4
        if radius > 0.6 + 0.55 * rough:
            return MISS
    elif v > height * (0.72 + 0.28 * value_noise(u * (0.15 if width > 100.0 else 1.6), 0.5, seed)):
        return MISS
    value = 0.6 + 0.5 * v / height
    value += 0.7 * (value_noise(u * 3.0, v * 3.0, seed + 7) - 0.5) * resolved(0.66, footprint)
    value += 0.6 * (value_noise(u * 8.0, v * 8.0, seed + 9) - 0.5) * resolved(0.25, footprint)
    return luminance * max(0.15, value)


@njit(cache=True)
def shade_person(u, v, height, luminance, seed, phase, walking):
    """Head, trunk, swinging arms and legs; clothes above and below differ."""
    a, b = u / height, v / height
    if b > 0.86:
        if a * a + (b - 0.93) ** 2 > 0.0042:
            return MISS
        return 50.0 + 130.0 * cell_hash(3, 1, seed) if b < 0.95 else 30.0
    swing = math.sin(phase) * (0.13 if walking else 0.03)
    if b > 0.46:
        half = 0.115 if b < 0.8 else 0.115 * (0.86 - b) / 0.06 * 0.7 + 0.035
        arm = swing * (0.82 - b) * 2.2
        if abs(a) < half:
            return luminance
        if b < 0.82 and (abs(a - half - 0.02 - max(arm, 0.0)) < 0.028 or abs(a + half + 0.02 + max(-arm, 0.0)) < 0.028):
            return luminance * 0.85
        return MISS
    stride = (0.46 - b) / 0.46 * swing
    if abs(a - 0.05 - stride) < 0.05 or abs(a + 0.05 + stride) < 0.05:
        return (25.0 + 130.0 * cell_hash(5, 2, seed)) * (1.0 if b > 0.04 else 0.5)
    return MISS


@njit(cache=True)
def shade_car_end(u, v, width, height, luminance, seed, style):
    """Front or back of a car; ``style > 0.5`` is a van or truck, whose cabin does not taper."""
    a, b = abs(2.0 * u / width), v / height
    waist = 0.57 if style < 0.5 else 0.5
    if b < 0.13:
        return 18.0 if 0.62 < a < 0.95 else MISS
    if b < waist:
        if a > 1.0 - 0.12 * max(0.0, 0.25 - b) / 0.12:
            return MISS
        if waist - 0.2 < b < waist - 0.07 and a > 0.66:
            return 60.0 if cell_hash(1, 1, seed) < 0.5 else 235.0
        if b < 0.24:
            return luminance * 0.35
        if a < 0.27 and 0.3 < b < 0.38:
            return 200.0
        return luminance * (0.85 + 0.3 * b)
    taper = 0.94 - 0.28 * (b - waist) / (1.0 - waist) if style < 0.5 else 1.0
    if a > taper:
        return MISS
    if a < taper - 0.1 and waist + 0.04 < b < 0.93:
        return 30.0 + 70.0 * cell_hash(2, 7, seed) + 60.0 * (b - waist)
    return luminance


@njit(cache=True)
def shade_car_side(u, v, length, height, luminance, seed, style):
    """Side of a car with wheels, cabin and windows."""
    b = v / height
    wheel = 0.33
    near = abs(abs(u) - 0.31 * length)
    hub = near * near + (v - wheel) ** 2
    if hub < wheel * wheel:
        return 90.0 if hub < 0.03 else 16.0
    if v < 0.22:
        return MISS
    a = 2.0 * u / length
    waist = 0.6 if style < 0.5 else 0.5
    if b < waist:
        return luminance * (0.8 + 0.3 * b) if abs(a) < 1.0 else MISS
    rise = (b - waist) / (1.0 - waist)
    front, back = (0.62 - 0.3 * rise, -0.8 + 0.25 * rise) if style < 0.5 else (0.97 - 0.1 * rise, -0.99)
    if a > front or a < back:
        return MISS
    if 0.12 < rise < 0.85 and a < front - 0.07 and a > back + 0.07 and abs(a + 0.05) > 0.03:
        if style < 0.5 or a > 0.45:
            return 25.0 + 80.0 * cell_hash(4, 7, seed)
    return luminance


@njit(cache=True)
def shade_board(u, v, width, height, luminance, style):
    """A round, triangular or square sign, or (``style > 0.45``) a traffic light."""
    a, b = 2.0 * u / width, 2.0 * v / height - 1.0
    if style > 0.45:
        for lamp in range(3):
            if u * u + (v - height * (0.2 + 0.3 * lamp)) ** 2 < 0.018:
                return 235.0 if lamp == int(style * 100.0) % 3 else luminance * 1.5
        return luminance
    if style < 0.18:
        radius = a * a + b * b
        if radius > 1.0:
            return MISS
        return luminance if radius < 0.6 else luminance * 0.45
    if style < 0.32:
        edge = (1.0 - b) / 2.0 - abs(a)
        if edge < 0.0:
            return MISS
        return luminance if edge > 0.18 else luminance * 0.45
    return luminance if abs(a) < 0.8 and abs(b) < 0.8 else luminance * 0.5


@njit(cache=True)
def shade(kind, u, v, width, height, luminance, seed, style, phase, walking, footprint):
    """Luminance of a primitive ``u`` metres right of its middle and ``v`` above its foot; `MISS` outside its shape."""
    if kind == WALL:
        return shade_wall(u, v, height, luminance, seed, style, footprint)
    if kind == POST or kind == TRUNK:
        return luminance * (0.75 + 0.5 * (0.5 + u / width)) * (0.8 + 0.4 * value_noise(u * 4.0, v * 2.5, seed))
    if kind == BOARD:
        return shade_board(u, v, width, height, luminance, style)
    if kind == CROWN or kind == HEDGE:
        return shade_leaves(u, v, width, height, luminance, seed, kind == CROWN, footprint)
    if kind == PERSON:
        return shade_person(u, v, height, luminance, seed, phase, walking)
    if kind == CAR_END:
        return shade_car_end(u, v, width, height, luminance, seed, style)
    if kind == CAR_SIDE:
        return shade_car_side(u, v, width, height, luminance, seed, style)
    return MISS


@njit(cache=True)
def shade_ground(x, z, ground, shadows, time, across, along):
    """Luminance and class of the ground.

    Args:
        x: metres right of the camera's place at time zero.
        z: metres ahead of it.
        ground: the scene's ground vector.
        shadows: the scene's shadows.
        time: seconds.
        across: footprint of a pixel across the road, metres.
        along: footprint of a pixel along the road, metres.
    """
    seed = int(ground[GROUND_TEXTURE])
    grain = resolved(0.7, along)
    label = FLAT
    if ground[ROAD_LEFT] < x < ground[ROAD_RIGHT]:
        value = ground[ASPHALT] * (1.0 + 0.35 * (value_noise(x * 2.8, z * 2.8, seed) - 0.5) * grain)
        value *= 1.0 + 0.25 * (value_noise(x * 9.0, z * 9.0, seed + 1) - 0.5) * resolved(0.22, along)
        mark = 0.0
        if z % 6.0 < 3.0:
            mark = band(x - ground[LANE_LINE], 0.07, across)
        mark = max(mark, band(x - ground[ROAD_LEFT] - 0.25, 0.06, across))
        mark = max(mark, band(x - ground[ROAD_RIGHT] + 0.25, 0.06, across))
        if ground[CROSSING] > 0.0 and abs(z - ground[CROSSING]) < 1.6 and x % 1.0 < 0.5:
            mark = 1.0
        value += mark * (ground[MARK] - value) * (0.8 + 0.2 * value_noise(x * 6.0, z * 6.0, seed + 2))
    elif ground[WALK_LEFT] < x < ground[WALK_RIGHT]:
        value = ground[PAVING] * (1.0 + 0.3 * (value_noise(x * 2.0, z * 2.0, seed + 3) - 0.5) * grain)
        joint = max(band((x % 0.9) - 0.45, 0.03, across), band((z % 0.9) - 0.45, 0.03, along))
        value *= 1.0 - 0.4 * joint * resolved(0.9, along)
        kerb = min(abs(x - ground[ROAD_LEFT]), abs(x - ground[ROAD_RIGHT]))
        value *= 1.0 + 0.5 * band(kerb - 0.1, 0.1, across)
    else:
        label = NATURE
        value = ground[GRASS] * (1.0 + 0.8 * (value_noise(x * 3.0, z * 3.0, seed + 4) - 0.5) * resolved(0.66, along))
        value *= 1.0 + 0.7 * (value_noise(x * 10.0, z * 10.0, seed + 5) - 0.5) * resolved(0.2, along)
    if ground[SHADE] > 0.0:  # shade of trees and buildings, in patches
        patch = value_noise(x * 0.45, z * 0.3, seed + 6)
        value *= 1.0 - ground[SHADE] * min(1.0, max(0.0, (patch - 0.5) * 8.0))
    for k in range(shadows.shape[0]):
        reach_x = abs(x - shadows[k, 0] - shadows[k, 4] * time) / shadows[k, 2]
        reach_z = abs(z - shadows[k, 1] - shadows[k, 5] * time) / shadows[k, 3]
        reach = max(reach_x, reach_z)
        if reach < 1.15:
            value *= 0.3 if reach < 1.0 else 0.3 + 0.7 * (reach - 1.0) / 0.15
    return value, label

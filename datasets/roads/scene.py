"""What a procedural street is made of: the description that is drawn at random and then rendered.

A scene is a list of upright rectangles ("primitives") on a textured ground. Each primitive stands in a plane that
faces the camera (``z`` constant) or runs along the road (``x`` constant) and carries a silhouette and a texture that
`spikelab.datasets.roads.texture` evaluates. Metres, seconds and radians throughout: ``x`` to the right, ``z`` ahead,
heights above the ground; the camera stands at ``x = z = 0`` at time zero, the moment to which frame and label belong.
Earlier moments have negative times.
"""

from __future__ import annotations

import dataclasses

import numpy as np

# Columns of a primitive. All are float64, so one array can be handed to compiled code.
KIND, X, Z, BOTTOM, WIDTH, HEIGHT, AXIS, LABEL, LUMINANCE, TEXTURE, STYLE, VELOCITY_X, VELOCITY_Z, PHASE = range(14)
FIELDS = 14

WALL, POST, BOARD, TRUNK, CROWN, HEDGE, PERSON, CAR_END, CAR_SIDE = range(9)
FACING, ALONG = 0.0, 1.0  # the plane faces the camera (z constant) or runs along the road (x constant)

FLAT, CONSTRUCTION_SKY, OBJECT, NATURE, HUMAN, VEHICLE = range(6)

# Entries of the ground vector.
(
    ROAD_LEFT,
    ROAD_RIGHT,
    WALK_LEFT,
    WALK_RIGHT,
    LANE_LINE,
    ASPHALT,
    MARK,
    PAVING,
    GRASS,
    CROSSING,
    SHADE,
    GROUND_TEXTURE,
) = range(12)
# Entries of the sky vector.
HORIZON_LUMINANCE, ZENITH_LUMINANCE, CLOUDS, SKY_TEXTURE, HAZE = range(5)


@dataclasses.dataclass(frozen=True)
class Scene:
    """One street with everything that moves in it.

    Attributes:
        primitives: float64 ``[N, 14]``, columns as named at the top of this module.
        ground: float64 ``[12]``; edges of road and pavement (m), the lane line (m), luminances, the zebra crossing (m
            ahead, negative for none), the depth of shadow patches and a texture seed.
        shadows: float64 ``[S, 6]``, dark patches under vehicles: ``x``, ``z``, half width, half length (m), velocities
            (m/s).
        sky: float64 ``[5]``; luminance at the horizon and overhead, cloud contrast, texture seed, haze per metre.
        light: float64 ``[3]``; factor on planes that face the camera, face right and face left.
        speed: of the ego vehicle, m/s.
        yaw: direction of view at time zero, radians from the direction of the road (and of travel), positive to the
            right.
        yaw_rate: radians per second.
        camera_height: metres.
        horizon: height of the horizon in the picture, as a share of the picture's height from the top.
        vibration: amplitude of the vertical vibration of the camera, radians.
        vibration_hz: its frequency.
        vibration_phase: its phase at time zero, radians.
    """

    primitives: np.ndarray
    ground: np.ndarray
    shadows: np.ndarray
    sky: np.ndarray
    light: np.ndarray
    speed: float
    yaw: float
    yaw_rate: float
    camera_height: float
    horizon: float
    vibration: float
    vibration_hz: float
    vibration_phase: float

"""Draws a procedural street: roads, buildings, trees, signs, people and cars, all from one random generator.

Distances of the things that matter are drawn so that near ones fill the picture: every class must have enough pixels
for its score to mean something. The ranges of brightness overlap, so that brightness alone gives no class away.
"""

from __future__ import annotations

import numpy as np

from spikelab.datasets.roads.scene import (
    ALONG,
    ASPHALT,
    BOARD,
    CAR_END,
    CAR_SIDE,
    CONSTRUCTION_SKY,
    CROSSING,
    CROWN,
    FACING,
    GRASS,
    GROUND_TEXTURE,
    HEDGE,
    HUMAN,
    LANE_LINE,
    MARK,
    NATURE,
    OBJECT,
    PAVING,
    PERSON,
    POST,
    ROAD_LEFT,
    ROAD_RIGHT,
    SHADE,
    TRUNK,
    VEHICLE,
    WALK_LEFT,
    WALK_RIGHT,
    WALL,
    Scene,
)


class _Builder:
    """Collects primitives and the places that are taken."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.rows: list[list[float]] = []
        self.shadows: list[list[float]] = []
        self.taken: list[tuple[float, float, float, float]] = []

    def depth(self, near: float, far: float) -> float:
        """A distance whose image size, not metre, is uniform, so that far things do not crowd the picture."""
        return 1.0 / self.rng.uniform(1.0 / far, 1.0 / near)

    def luminance(self, low: float, high: float) -> float:
        """Log-uniform, as reflectances are."""
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def free(self, x: float, z: float, half_width: float, half_length: float) -> bool:
        """Claim a rectangle of the ground; False where something stands already."""
        for other_x, other_z, other_width, other_length in self.taken:
            if abs(x - other_x) < half_width + other_width and abs(z - other_z) < half_length + other_length:
                return False
        self.taken.append((x, z, half_width, half_length))
        return True

    def add(
        self,
        kind: int,
        label: int,
        x: float,
        z: float,
        width: float,
        height: float,
        luminance: float,
        *,
        bottom: float = 0.0,
        axis: float = FACING,
        style: float | None = None,
        velocity: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        style = float(self.rng.random()) if style is None else style
        texture = float(self.rng.integers(1 << 20))
        phase = self.rng.uniform(0, 2 * np.pi)
        self.rows.append([kind, x, z, bottom, width, height, axis, label, luminance, texture, style, *velocity, phase])

    def building(self, side: float, x: float, z: float, length: float, height: float) -> None:
        """A facade along the road and the end wall that closes it towards the camera."""
        style, luminance = float(self.rng.random()), self.luminance(45, 210)
        self.add(WALL, CONSTRUCTION_SKY, x, z + length / 2, length, height, luminance, axis=ALONG, style=style)
        width = self.rng.uniform(6, 12)
        self.add(WALL, CONSTRUCTION_SKY, x + side * width / 2, z, width, height, luminance, style=style)

    def tree(self, x: float, z: float) -> None:
        trunk, crown = self.rng.uniform(1.3, 2.4), self.rng.uniform(2.4, 5.0)
        self.add(TRUNK, NATURE, x, z, self.rng.uniform(0.2, 0.45), trunk + 0.6, self.luminance(30, 90))
        width = crown * self.rng.uniform(0.7, 1.1)
        self.add(CROWN, NATURE, x, z + 0.01, width, crown, self.luminance(35, 130), bottom=trunk)

    def sign(self, x: float, z: float) -> None:
        """A pole with a sign, a traffic light, or a street lamp."""
        style = float(self.rng.random())
        height = self.rng.uniform(2.4, 3.4) if style < 0.75 else self.rng.uniform(4.5, 7.0)
        luminance = self.luminance(25, 200)
        self.add(POST, OBJECT, x, z, self.rng.uniform(0.16, 0.34), height, luminance, style=style)
        if style < 0.45:
            size = self.rng.uniform(0.8, 1.4)
            board = self.luminance(60, 250)
            self.add(BOARD, OBJECT, x, z - 0.01, size, size, board, bottom=height - 0.45 * size, style=style)
        elif style < 0.75:
            self.add(BOARD, OBJECT, x, z - 0.01, 0.42, 1.1, self.luminance(20, 45), bottom=height - 0.3, style=style)
        else:
            reach = -np.sign(x) * self.rng.uniform(0.8, 1.8)
            self.add(POST, OBJECT, x + reach / 2, z, abs(reach), 0.16, luminance, bottom=height - 0.16, style=style)

    def person(self, x: float, z: float, velocity: tuple[float, float]) -> bool:
        if not self.free(x, z, 0.35, 0.35):
            return False
        height = self.rng.uniform(1.55, 1.95)
        self.add(PERSON, HUMAN, x, z, 0.46 * height, height, self.luminance(25, 220), velocity=velocity)
        return True

    def car(self, x: float, z: float, velocity: tuple[float, float], *, crossing: bool = False) -> bool:
        """A car, van or truck whose near end stands at ``z``; ``crossing`` ones show their side to the camera."""
        tall = self.rng.random() < 0.25
        width, height = (2.1, self.rng.uniform(2.1, 3.0)) if tall else (1.8, self.rng.uniform(1.4, 1.65))
        length = self.rng.uniform(4.8, 6.5) if tall else self.rng.uniform(3.9, 4.7)
        half = (length / 2, width / 2) if crossing else (width / 2, length / 2)
        if not self.free(x, z + half[1], half[0] + 0.3, half[1] + 0.6):
            return False
        luminance, style = self.luminance(22, 235), (0.75 if tall else 0.25)
        self.shadows.append([x, z + half[1], half[0] * 1.05, half[1] * 1.02, *velocity])
        if crossing:
            self.add(CAR_SIDE, VEHICLE, x, z, length, height, luminance, style=style, velocity=velocity)
            return True
        self.add(CAR_END, VEHICLE, x, z, width, height, luminance, style=style, velocity=velocity)
        if abs(x) > width / 2:
            side_x = x - np.sign(x) * width / 2
            args = (CAR_SIDE, VEHICLE, side_x, z + length / 2, length, height, 0.8 * luminance)
            self.add(*args, axis=ALONG, style=style, velocity=velocity)
        return True


def compose(rng: np.random.Generator, *, stopped: bool) -> Scene:
    """Draw a street.

    Args:
        rng: source of everything random in the scene.
        stopped: the ego vehicle stands still or creeps (at most 0.1 m/s) and there is crossing traffic; otherwise it
            drives at 4 to 18 m/s.

    Returns:
        The scene at time zero, with the velocities that lead to it.
    """
    build = _Builder(rng)
    lane = rng.uniform(2.9, 3.5)
    right, left = lane * rng.uniform(0.5, 0.7), -lane * rng.choice([0.55, 1.5, 1.6])
    if rng.random() < 0.5:  # left-hand traffic
        right, left = -left, -right
    parking = [rng.random() < 0.45, rng.random() < 0.45]
    road = [left - 2.2 * parking[0], right + 2.2 * parking[1]]
    walk = [road[0] - rng.uniform(1.6, 3.2), road[1] + rng.uniform(1.6, 3.2)]
    speed = rng.uniform(0.0, 0.1) if stopped else rng.uniform(4.0, 18.0)

    _roadside(build, road, walk)
    _backdrop(build)
    _traffic(build, left, right, road, parking, lane, speed, stopped)
    _people(build, road, walk, stopped)

    paved_verge = [rng.random() < 0.5, rng.random() < 0.5]
    ground = np.zeros(12)
    ground[ROAD_LEFT], ground[ROAD_RIGHT] = road
    ground[WALK_LEFT] = -60.0 if paved_verge[0] else walk[0]
    ground[WALK_RIGHT] = 60.0 if paved_verge[1] else walk[1]
    ground[LANE_LINE] = right - lane if right < -left else left + lane
    ground[ASPHALT], ground[MARK] = build.luminance(45, 120), rng.uniform(150, 240)
    ground[PAVING], ground[GRASS] = build.luminance(60, 180), build.luminance(45, 120)
    ground[CROSSING] = rng.uniform(7, 25) if rng.random() < 0.35 else -1.0
    ground[SHADE], ground[GROUND_TEXTURE] = rng.uniform(0.0, 0.55), rng.integers(1 << 20)
    horizon_luminance = build.luminance(130, 240)
    sky = [horizon_luminance, horizon_luminance * rng.uniform(0.55, 1.1), rng.uniform(0, 0.35), rng.integers(1 << 20)]
    sky.append(rng.uniform(0.001, 0.006))
    return Scene(
        primitives=np.array(build.rows, dtype=np.float64),
        ground=ground,
        shadows=np.array(build.shadows, dtype=np.float64).reshape(-1, 6),
        sky=np.array(sky, dtype=np.float64),
        light=rng.uniform(0.5, 1.2, size=3),
        speed=float(speed),
        yaw=float(rng.normal(0.0, 0.06)),
        yaw_rate=0.0 if stopped else float(rng.uniform(-0.25, 0.25)),
        camera_height=float(rng.uniform(1.25, 1.6)),
        horizon=float(rng.uniform(0.38, 0.5)),
        vibration=0.0 if stopped else float(rng.uniform(0.002, 0.006)),
        vibration_hz=float(rng.uniform(2.0, 8.0)),
        vibration_phase=float(rng.uniform(0, 2 * np.pi)),
    )


def _roadside(build: _Builder, road: list[float], walk: list[float]) -> None:
    rng = build.rng
    for side in (0, 1):
        sign = 2.0 * side - 1.0
        built = rng.choice([0.9, 0.55, 0.15])  # city, suburb, park
        set_back = walk[side] + sign * (0.0 if built > 0.8 else rng.uniform(1.0, 4.0))
        z = rng.uniform(-12.0, -4.0)
        while z < 90.0:
            length = rng.uniform(6.0, 16.0)
            if rng.random() < built:
                build.building(sign, set_back, z, length, rng.uniform(4.0, 16.0))
            elif rng.random() < 0.6:
                hedge = (set_back, z + length / 2, length, rng.uniform(0.7, 2.6), build.luminance(35, 120))
                build.add(HEDGE, NATURE, *hedge, axis=ALONG)
            else:
                wall = (set_back, z + length / 2, length, rng.uniform(0.8, 1.8), build.luminance(60, 200))
                build.add(WALL, CONSTRUCTION_SKY, *wall, axis=ALONG, style=2.0)
            z += length + rng.choice([0.0, rng.uniform(1.0, 6.0)])
        kerb = road[side] + sign * 0.45
        z = rng.uniform(3.5, 8.0)
        while z < 60.0:
            x = kerb + sign * rng.uniform(0.0, 0.5)
            kind = rng.random()
            if kind < 0.62:
                if build.free(x, z, 0.3, 0.3):
                    build.sign(x, z)
            elif kind < 0.95 and build.free(x, z, 0.4, 0.4):
                build.tree(x + sign * rng.uniform(0.0, 0.8), z)
            z += rng.uniform(2.5, 7.0) * (1.0 + z / 40.0)
        if built < 0.8:
            for _ in range(rng.integers(1, 5)):
                build.tree(set_back + sign * rng.uniform(0.5, 6.0), build.depth(9.0, 60.0))


def _backdrop(build: _Builder) -> None:
    rng = build.rng
    z = rng.uniform(85.0, 120.0)
    build.add(HEDGE, NATURE, 0.0, z, 400.0, rng.uniform(3.0, 9.0), build.luminance(40, 110))
    if rng.random() < 0.4:
        width = rng.uniform(20, 60)
        build.add(
            WALL,
            CONSTRUCTION_SKY,
            rng.uniform(-20, 20),
            z - 5.0,
            width,
            rng.uniform(6.0, 18.0),
            build.luminance(60, 190),
        )


def _traffic(
    build: _Builder,
    left: float,
    right: float,
    road: list[float],
    parking: list[bool],
    lane: float,
    speed: float,
    stopped: bool,
) -> None:
    rng = build.rng
    own_side = 1.0 if right < -left else -1.0
    if rng.random() < 0.6:  # ahead in the own lane
        own_speed = rng.choice([0.0, rng.uniform(2.0, 8.0)]) if stopped else max(0.0, speed + rng.uniform(-5.0, 4.0))
        nearest = 5.0 if stopped else 6.0
        build.car(rng.uniform(-0.4, 0.4), build.depth(nearest, 30.0), (0.0, own_speed))
    if right - left > 1.6 * lane:  # a second lane: oncoming, or the same way
        for _ in range(rng.integers(1, 3)):
            velocity = -rng.uniform(3.0, 14.0) if rng.random() < 0.7 else rng.uniform(3.0, 14.0)
            velocity = 0.0 if stopped and rng.random() < 0.3 else velocity
            build.car(-own_side * (lane + rng.uniform(-0.3, 0.3)), build.depth(5.5, 40.0), (0.0, velocity))
    for side in (0, 1):
        if parking[side]:
            x, z = road[side] - (2.0 * side - 1.0) * 1.15, rng.uniform(4.0, 12.0)
            while z < 45.0:
                if rng.random() < 0.7:
                    build.car(x, z, (0.0, 0.0))
                z += rng.uniform(6.0, 9.0)
    if rng.random() < (0.5 if stopped else 0.15):  # traffic that crosses
        z = build.depth(8.0, 25.0)
        for _ in range(rng.integers(1, 3)):
            velocity = rng.choice([-1.0, 1.0]) * rng.uniform(3.0, 10.0)
            build.car(rng.uniform(-0.5, 0.5) * z, z, (velocity, 0.0), crossing=True)


def _people(build: _Builder, road: list[float], walk: list[float], stopped: bool) -> None:
    rng = build.rng
    for _ in range(rng.integers(5, 11)):  # on the pavements
        side = int(rng.random() < 0.5)
        share = rng.uniform(0.25, 0.9)
        x = road[side] + share * (walk[side] - road[side])
        z = build.depth(max(4.0, 1.6 * abs(x)), 28.0)
        build.person(x, z, (rng.normal(0.0, 0.15), rng.choice([-1.3, 1.3, 0.0]) * rng.uniform(0.6, 1.3)))
    if rng.random() < 0.65:  # crossing, alone or in a group
        z, direction = build.depth(6.0 if stopped else 7.0, 18.0), rng.choice([-1.0, 1.0])
        for _ in range(rng.integers(1, 4)):
            x = np.clip(rng.uniform(-0.5, 0.5) * z, road[0], road[1])
            build.person(x, z + rng.uniform(-0.8, 0.8), (direction * rng.uniform(0.6, 1.8), 0.0))

"""The renderer against the pinhole camera, worked out by hand."""

import dataclasses

import numpy as np
import pytest

from spikelab.datasets.roads import scene as scene_fields
from spikelab.datasets.roads.compose import compose
from spikelab.datasets.roads.render import Lens, Renderer
from spikelab.datasets.roads.scene import ALONG, FACING, FIELDS, OBJECT, POST, VEHICLE

LENS = Lens(height=80, width=120, focal=0.9)
FOCAL = 0.9 * 120


def post(x, z, width, height, *, label=OBJECT, axis=FACING, luminance=100.0, velocity=(0.0, 0.0)):
    row = np.zeros(FIELDS)
    row[[scene_fields.KIND, scene_fields.X, scene_fields.Z, scene_fields.WIDTH, scene_fields.HEIGHT]] = [
        *(POST, x, z, width, height)
    ]
    row[[scene_fields.AXIS, scene_fields.LABEL, scene_fields.LUMINANCE]] = axis, label, luminance
    row[[scene_fields.VELOCITY_X, scene_fields.VELOCITY_Z]] = velocity
    return row


def renderer(*primitives, **changes):
    still = {"speed": 0.0, "yaw": 0.0, "yaw_rate": 0.0, "camera_height": 1.5, "horizon": 0.5, "vibration": 0.0}
    scene = compose(np.random.default_rng(0), stopped=True)
    scene = dataclasses.replace(scene, primitives=np.array(primitives), shadows=np.zeros((0, 6)), **(still | changes))
    return Renderer(scene, LENS, bonnet=0.0)


def box(mask):
    rows, columns = np.nonzero(mask)
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


def expected_box(x, depth, width, height, camera_height=1.5):
    left, right = (60 + FOCAL * (x + side * width / 2) / depth for side in (-1, 1))
    top, foot = (40 + FOCAL * (camera_height - h) / depth for h in (height, 0.0))
    return tuple(round(edge) for edge in (top, foot, left, right))


@pytest.mark.parametrize(
    ("x", "z", "width", "height"), [(0.0, 10.0, 2.0, 2.0), (2.4, 8.0, 1.0, 3.0), (-4.0, 14.0, 0.7, 1.7)]
)
def test_upright_plane_stands_where_the_pinhole_camera_sees_it(x, z, width, height):
    label = renderer(post(x, z, width, height)).label(0.0)
    mask = label == OBJECT
    top, foot, left, right = box(mask)
    assert (top, foot, left, right) == expected_box(x, z, width, height)
    assert mask.sum() == (foot - top) * (right - left)


def test_camera_drives_forward():
    drawn = renderer(post(1.0, 10.0, 2.0, 2.0), speed=20.0)
    assert box(drawn.label(-0.2) == OBJECT) == expected_box(1.0, 14.0, 2.0, 2.0)
    assert box(drawn.label(0.0) == OBJECT) == expected_box(1.0, 10.0, 2.0, 2.0)


def test_things_move_by_themselves():
    drawn = renderer(post(0.0, 10.0, 1.0, 2.0, velocity=(3.0, -10.0)))
    assert box(drawn.label(0.1) == OBJECT) == expected_box(0.3, 9.0, 1.0, 2.0)


def test_turning_right_moves_the_picture_left():
    _, _, left, right = box(renderer(post(0.0, 10.0, 0.5, 2.0), yaw=0.1).label(0.0) == OBJECT)
    assert (left + right) / 2 == pytest.approx(60 - FOCAL * np.tan(0.1), abs=0.75)


def test_the_nearer_hides_the_farther_in_any_order():
    near, far = post(0.0, 8.0, 1.0, 2.0), post(0.0, 11.5, 4.0, 3.0, label=VEHICLE)
    first, second = renderer(near, far).label(0.0), renderer(far, near).label(0.0)
    assert np.array_equal(first, second)
    assert box(first == OBJECT) == expected_box(0.0, 8.0, 1.0, 2.0)
    assert box(first == VEHICLE) == expected_box(0.0, 11.5, 4.0, 3.0)


def test_a_wall_that_passes_the_camera_is_cut_and_not_lost():
    wall = post(3.0, 5.0, 30.0, 4.0, axis=ALONG)  # from 10 m behind to 20 m ahead, 3 m to the right
    mask = renderer(wall).label(0.0) == OBJECT
    far_end = 60 + FOCAL * 3.0 / 20.0
    assert not mask[:, : int(far_end)].any()
    assert mask[40, int(np.ceil(far_end)) :].all()
    depth = FOCAL * 3.0 / 59.5  # where the ray of the last column meets it
    assert np.array_equal(mask[:, -1], np.arange(80) + 0.5 < 40 + FOCAL * 1.5 / depth)


def test_things_behind_the_camera_are_not_drawn():
    label = renderer(post(0.0, -5.0, 3.0, 3.0), post(4.0, -30.0, 10.0, 3.0, axis=ALONG)).label(0.0)
    assert not (label == OBJECT).any()


def test_picture_and_label_agree():
    drawn = renderer(post(0.5, 10.0, 2.0, 2.0, luminance=1000.0))
    bright = drawn.luminance(0.0) > 400
    assert (bright == (drawn.label(0.0) == OBJECT)).mean() > 0.99


def test_luminance_is_finite_and_not_negative():
    for seed in range(20):
        scene = compose(np.random.default_rng(seed), stopped=seed % 2 == 0)
        picture = Renderer(scene, LENS).luminance(-0.03)
        assert np.isfinite(picture).all()
        assert (picture >= 0).all()


def test_largest_motion_is_an_upper_estimate():
    """Corners of all things that are in the picture at both ends of the window move no further than estimated."""
    for seed in range(40):
        scene = compose(np.random.default_rng(seed), stopped=seed % 3 == 0)
        moved = 0.0
        for p in scene.primitives:
            for side in (-0.5, 0.5):
                for share in (0.0, 1.0):
                    ends = [_project(scene, p, side, share, time) for time in (-0.05, 0.0)]
                    if all(end is not None for end in ends):
                        moved = max(moved, float(np.abs(np.subtract(*ends)).max()))
        assert moved <= 1.05 * Renderer(scene, LENS).largest_motion(0.05) + 0.1


def _project(scene, p, side, share, time):
    along = p[scene_fields.AXIS] == ALONG
    x = p[scene_fields.X] + p[scene_fields.VELOCITY_X] * time + (0.0 if along else side * p[scene_fields.WIDTH])
    z = p[scene_fields.Z] + p[scene_fields.VELOCITY_Z] * time + (side * p[scene_fields.WIDTH] if along else 0.0)
    height = p[scene_fields.BOTTOM] + share * p[scene_fields.HEIGHT]
    heading, yaw = 0.5 * scene.yaw_rate * time, scene.yaw + scene.yaw_rate * time
    x, z = x - scene.speed * time * np.sin(heading), z - scene.speed * time * np.cos(heading)
    right, ahead = np.cos(yaw) * x - np.sin(yaw) * z, np.sin(yaw) * x + np.cos(yaw) * z
    if ahead < 1.0:
        return None
    pitch = scene.vibration * np.sin(2 * np.pi * scene.vibration_hz * time + scene.vibration_phase)
    column = LENS.width / 2 + FOCAL * right / ahead
    row = LENS.height * scene.horizon + FOCAL * pitch + FOCAL * (scene.camera_height - height) / ahead
    return (row, column) if 0 <= row < LENS.height and 0 <= column < LENS.width else None

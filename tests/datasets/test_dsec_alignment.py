"""Frames of DSEC in the view of the event camera: the calibration, the geometry, and what lies between pixels."""

import json

import numpy as np
import pytest

from spikelab.datasets.dsec.alignment import CameraPair, read_calibration, sampled

FRAME, EVENT = (1080, 1440), (480, 640)


def rotation(seed, largest=0.03):
    """A small rotation about any axis (Rodrigues)."""
    vector = np.random.default_rng(seed).uniform(-largest, largest, 3)
    angle = np.linalg.norm(vector)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


@pytest.fixture
def content():
    """A calibration like those of DSEC: both cameras askew, six centimetres apart."""
    between = np.eye(4)
    between[:3, :3], between[:3, 3] = rotation(1), (-0.06, 0.002, 0.001)
    return {
        "intrinsics": {
            "camRect0": {"camera_matrix": [556.0, 556.0, 341.2, 230.7], "resolution": [640, 480]},
            "camRect1": {"camera_matrix": [1164.2, 1164.2, 712.9, 570.3], "resolution": [1440, 1080]},
        },
        "extrinsics": {"T_10": between.tolist(), "R_rect0": rotation(2).tolist(), "R_rect1": rotation(3).tolist()},
    }


@pytest.fixture
def written(tmp_path):
    def written(content):
        path = tmp_path / "cam_to_cam.yaml"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return written


def seen(content, points):
    """Pixels of points (in the frame of the unrectified event camera) in both rectified cameras, by definition."""
    between = np.array(content["extrinsics"]["T_10"])
    pixels = []
    for number, own in ((0, points), (1, points @ between[:3, :3].T + between[:3, 3])):
        rectified = own @ np.array(content["extrinsics"][f"R_rect{number}"]).T
        fx, fy, cx, cy = content["intrinsics"][f"camRect{number}"]["camera_matrix"]
        x, y, z = rectified.T
        pixels.append(np.stack([fx * x / z + cx, fy * y / z + cy], axis=1))
    return pixels


def error_at(content, path, distance):
    """How far from where they are the homography looks for points at a distance, in pixels of the event camera."""
    rng = np.random.default_rng(0)
    points = np.stack([rng.uniform(-0.5, 0.5, 500), rng.uniform(-0.35, 0.35, 500), np.ones(500)], axis=1) * distance
    event, frame = seen(content, points)
    found = np.concatenate([event, np.ones((500, 1))], axis=1) @ read_calibration(path).homography.T
    away = np.linalg.norm(found[:, :2] / found[:, 2:] - frame, axis=1)
    return away.max() * 556.0 / 1164.2


def test_far_points_are_found_within_half_a_pixel(content, written):
    path = written(content)
    assert error_at(content, path, 1e7) < 1e-3
    assert error_at(content, path, 100.0) < 0.5
    # what the distance between the cameras leaves, as the module says
    assert error_at(content, path, 10.0) == pytest.approx(556 * 0.06 / 10, rel=0.15)


def world(directions):
    """Brightness of a world infinitely far away, 20 to 235, by direction; waves of several pixels."""
    x, y = directions[..., 0] / directions[..., 2], directions[..., 1] / directions[..., 2]
    waves = np.sin(47 * x + 11 * y) + np.sin(23 * y - 31 * x + 1) + np.sin(61 * y + 2) + np.sin(53 * x - 37 * y)
    return 127.5 + 26.9 * waves


def test_a_picture_of_a_far_world_is_aligned_within_half_a_pixel(content, written):
    pair = read_calibration(written(content))

    def looked_at(matrix, size, turned):
        y, x = np.mgrid[: size[0], : size[1]].astype(float)
        return world(np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(matrix).T @ turned)

    truth = looked_at(pair.event_matrix, EVENT, np.eye(3))
    picture = np.rint(looked_at(pair.frame_matrix, FRAME, pair.rotation)).astype(np.uint8)
    places = pair.frame_pixels()[:440]
    aligned = sampled(picture, places)
    inside = np.all((places > 2) & (places < np.array(FRAME[::-1]) - 3), axis=-1)
    assert inside.mean() > 0.9
    # a displacement d makes a difference of d times the gradient: least squares over blocks of the picture
    down, right = np.gradient(truth)
    errors = []
    for top in range(0, 400, 40):
        for left in range(0, 600, 40):
            block = (slice(top, top + 40), slice(left, left + 40))
            if inside[block].all():
                slopes = np.stack([right[block].ravel(), down[block].ravel()], axis=1)
                moved = np.linalg.lstsq(slopes, (aligned[block] - truth[block]).ravel(), rcond=None)[0]
                errors.append(np.linalg.norm(moved))
    assert len(errors) > 100
    assert max(errors) < 0.05
    # the check can fail: two pixels of the picture are nearly one of the event camera
    other = sampled(np.roll(picture, 2, axis=1), places).astype(float) - truth[:440]
    slopes = np.stack([right[:440].ravel(), down[:440].ravel()], axis=1)[inside.ravel()]
    assert np.linalg.norm(np.linalg.lstsq(slopes, other[inside], rcond=None)[0]) > 0.5


@pytest.mark.parametrize("interpolation", ["bilinear", "cubic"])
def test_between_pixels(interpolation):
    picture = np.add.outer(20 * np.arange(6), 3 * np.arange(8)).astype(np.uint8)
    whole = np.stack(np.meshgrid(np.arange(8), np.arange(6)), -1).astype(np.float32)
    assert np.array_equal(sampled(picture, whole, interpolation), picture)
    between = whole[1:-2, 1:-2] + np.float32([0.5, 0.25])
    expected = np.rint(20 * (between[..., 1]) + 3 * between[..., 0])
    # the cubic kernel with -0.75 does not keep a slope quite straight
    assert np.abs(sampled(picture, between, interpolation) - expected).max() <= 2
    outside = np.float32([[[-0.6, 2], [2, 5.6], [np.nan, 1], [7.4, 5.4]]])
    assert sampled(picture + 1, outside, interpolation)[0, :3].tolist() == [0, 0, 0]
    assert sampled(picture + 1, outside, interpolation)[0, 3] > 0
    colour = np.stack([picture, picture // 2, picture + 9], axis=-1)
    for channel in range(3):
        one = sampled(np.ascontiguousarray(colour[..., channel]), between, interpolation)
        assert np.array_equal(sampled(colour, between, interpolation)[..., channel], one)


def test_cubic_keeps_more_of_a_fine_pattern_than_bilinear():
    x = np.arange(64)
    picture = np.tile(np.rint(127 + 100 * np.sin(x)), (8, 1)).astype(np.uint8)
    places = np.stack(np.meshgrid(x[4:-4] + 0.5, np.arange(2, 6)), -1).astype(np.float32)
    errors = {
        kind: np.abs(sampled(picture, places, kind) - (127 + 100 * np.sin(places[..., 0]))).max()
        for kind in ("bilinear", "cubic")
    }
    assert errors["cubic"] < 0.6 * errors["bilinear"]


def test_unknown_interpolation():
    with pytest.raises(ValueError, match="interpolation is 'nearest', must be bilinear or cubic"):
        sampled(np.zeros((4, 4), np.uint8), np.zeros((1, 1, 2), np.float32), "nearest")


def changed(content, *names, value):
    place = content
    for name in names[:-1]:
        place = place[name]
    place[names[-1]] = value
    return content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: "a: [1, 2", "cam_to_cam.yaml: is no YAML"),
        (lambda c: "just words", "cam_to_cam.yaml: has no extrinsics/T_10"),
        (lambda c: changed(c, "extrinsics", "T_10", value=[[1, 0]]), r"T_10 must be numbers of shape \[4, 4\]"),
        (lambda c: changed(c, "extrinsics", "R_rect0", value=[["a"] * 3] * 3), "extrinsics/R_rect0 must be numbers"),
        (lambda c: changed(c, "extrinsics", "R_rect1", value=(2 * np.eye(3)).tolist()), "R_rect1 is no rotation"),
        (lambda c: changed(c, "intrinsics", "camRect1", value={}), "has no intrinsics/camRect1/camera_matrix"),
        (lambda c: changed(c, "intrinsics", "camRect0", "resolution", value=[640, -1]), "a side of no more than 0"),
    ],
)  # fmt: skip
def test_wrong_calibrations(change, message, content, written):
    with pytest.raises(ValueError, match=message):
        read_calibration(written(change(content)))


def test_yaml_cannot_execute_code(written):
    with pytest.raises(ValueError, match="is no YAML"):
        read_calibration(written("!!python/object/apply:os.system ['true']"))


def test_missing_calibration(tmp_path):
    with pytest.raises(FileNotFoundError, match="archive of DSEC's calibrations"):
        read_calibration(tmp_path / "cam_to_cam.yaml")


def test_a_pair_without_rotation():
    """By hand: twice the focal length, other centres."""
    event, frame = np.array([[10, 0, 4], [0, 10, 3], [0, 0, 1.0]]), np.array([[20, 0, 9], [0, 20, 7], [0, 0, 1.0]])
    places = CameraPair(event, frame, np.eye(3), (6, 8), (14, 18)).frame_pixels()
    assert places.shape == (6, 8, 2)
    assert places[3, 4].tolist() == [9, 7]
    assert places[0, 7].tolist() == [15, 1]

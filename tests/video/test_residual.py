import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikelab.video.groups import GroupOfPictures, MotionVectors, PredictedFrame
from spikelab.video.motion import dense_motion
from spikelab.video.reconstruct import reconstruct
from spikelab.video.residual import choose_rounding, predict, residual
from spikelab.video.vectors import NO_VECTORS


def slowly(picture, motion, half, rounding):
    """The definition, pixel by pixel (ISO/IEC 14496-2, 7.6.2)."""
    channels, height, width = picture.shape
    out = np.zeros(picture.shape, np.uint8)
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                steps = [int(np.floor(2 * m + 0.5)) if half else 2 * int(m) for m in motion[:, y, x].tolist()]
                sx, sy = 2 * x - steps[0], 2 * y - steps[1]
                xs = np.clip([sx // 2, sx // 2 + sx % 2], 0, width - 1)
                ys = np.clip([sy // 2, sy // 2 + sy % 2], 0, height - 1)
                a, b, d, e = (int(picture[c, row, column]) for row in ys for column in xs)
                if sx % 2 and sy % 2:
                    out[c, y, x] = (a + b + d + e + 2 - rounding) // 4
                elif sx % 2 or sy % 2:
                    out[c, y, x] = (a + e + 1 - rounding) // 2
                else:
                    out[c, y, x] = a
    return out


cases = st.tuples(st.integers(0, 10**6), st.integers(1, 20), st.integers(1, 24), st.sampled_from([1, 3]))


def picture_and_motion(case, fraction):
    seed, height, width, channels = case
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (channels, height, width), dtype=np.uint8)
    coarse = rng.integers(-30, 31, (2, -(-height // 4), -(-width // 8))) / np.float32(fraction)
    return picture, np.ascontiguousarray(coarse.repeat(4, 1).repeat(8, 2)[:, :height, :width].astype(np.float32))


@given(cases, st.sampled_from(["half", "integer"]), st.integers(0, 1), st.sampled_from([1, 2, 4]))
@settings(max_examples=80)
def test_prediction_is_the_definition(case, interpolation, rounding, fraction):
    picture, motion = picture_and_motion(case, fraction)
    expected = slowly(picture, motion, interpolation == "half", rounding)
    np.testing.assert_array_equal(predict(picture, motion, interpolation, rounding), expected)


@given(cases)
@settings(max_examples=20)
def test_whole_pixels_are_moved_alike_as_int16(case):
    picture, motion = picture_and_motion(case, 1)
    np.testing.assert_array_equal(predict(picture, motion.astype(np.int16)), predict(picture, motion, "half"))


@given(cases, st.sampled_from(["half", "integer"]), st.integers(0, 1))
@settings(max_examples=40)
def test_prediction_and_residual_add_up_to_any_picture(case, interpolation, rounding):
    reference, motion = picture_and_motion(case, 2)
    picture = np.random.default_rng(case[0] + 1).integers(0, 256, reference.shape, dtype=np.uint8)
    left = residual(picture, reference, motion, interpolation, rounding)
    frame = PredictedFrame(1, NO_VECTORS, motion, left, rounding)
    group = GroupOfPictures(0, 0, reference, [frame], False, interpolation)
    np.testing.assert_array_equal(reconstruct(group), np.stack([reference, picture]))


@pytest.mark.parametrize("flag", [0, 1])
def test_the_flag_that_the_encoder_used_is_found(flag):
    rng = np.random.default_rng(0)
    reference = rng.integers(0, 256, (1, 64, 64), dtype=np.uint8)
    blocks = np.array([(x, y, 16, 16) for y in range(0, 64, 16) for x in range(0, 64, 16)], np.int16)
    vectors = MotionVectors(blocks, (rng.integers(-6, 7, (16, 2)) / 2).astype(np.float32))
    picture = predict(reference, dense_motion(vectors, 64, 64), "half", flag)
    assert choose_rounding(picture[0], reference[0], vectors, expected=1 - flag) == flag
    whole = MotionVectors(blocks, np.round(vectors.vectors))
    for expected in (0, 1):
        assert choose_rounding(picture[0], reference[0], whole, expected) == expected


def test_shapes_and_names_are_checked():
    picture = np.zeros((1, 8, 8), np.uint8)
    with pytest.raises(ValueError, match="needs motion"):
        predict(picture, np.zeros((2, 8, 9), np.float32))
    with pytest.raises(ValueError, match="interpolation = 'cubic'"):
        predict(picture, np.zeros((2, 8, 8), np.float32), "cubic")
    with pytest.raises(ValueError, match="cannot be predicted"):
        residual(np.zeros((3, 8, 8), np.uint8), picture, np.zeros((2, 8, 8), np.float32))


def test_parts_of_different_groups_are_not_put_together():
    left = np.full((1, 8, 8), 200, np.int16)
    frame = PredictedFrame(5, NO_VECTORS, np.zeros((2, 8, 8), np.int16), left)
    group = GroupOfPictures(2, 4, np.full((1, 8, 8), 100, np.uint8), [frame], True, "integer")
    with pytest.raises(ValueError, match="group 2, frame 5"):
        reconstruct(group)

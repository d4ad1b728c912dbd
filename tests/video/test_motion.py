import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikelab.video.block_prediction import predict_blocks
from spikelab.video.groups import MotionVectors
from spikelab.video.motion import accumulate, accumulate_motion, block_motion, dense_motion
from spikelab.video.residual import predict


def tiling(seed, height, width, side=16, fraction=4):
    """Blocks that tile a picture, and more at its right and bottom edge; some are intra, so without a vector."""
    rng = np.random.default_rng(seed)
    corners = [(x, y) for y in range(0, height, side) for x in range(0, width, side) if rng.random() < 0.8]
    blocks = np.array([(x, y, side, side) for x, y in corners], np.int16).reshape(-1, 4)
    vectors = rng.integers(-40, 41, (len(blocks), 2)) / np.float32(fraction)
    return MotionVectors(blocks, vectors.astype(np.float32))


def pixel_by_pixel(vectors, height, width):
    motion = np.zeros((2, height, width), np.float32)
    for (x, y, w, h), vector in zip(vectors.blocks, vectors.vectors, strict=True):
        for row in range(y, min(y + h, height)):
            for column in range(x, min(x + w, width)):
                motion[:, row, column] = vector
    return motion


sizes = st.tuples(st.integers(0, 10**6), st.integers(1, 50), st.integers(1, 50), st.sampled_from([8, 16]))


@given(sizes)
@settings(max_examples=40)
def test_dense_motion_is_the_vector_of_each_pixels_block(case):
    seed, height, width, side = case
    vectors = tiling(seed, height, width, side)
    np.testing.assert_array_equal(dense_motion(vectors, height, width), pixel_by_pixel(vectors, height, width))


@given(sizes)
@settings(max_examples=40)
def test_accumulated_motion_follows_each_pixel_back_to_the_i_frame(case):
    seed, height, width, side = case
    rows, columns = np.mgrid[:height, :width]
    source = np.stack([columns, rows])  # A_0: every pixel comes from its own place
    motion = np.zeros((2, height, width), np.int16)
    for step in range(4):
        vectors = tiling(seed + step, height, width, side)
        whole = np.trunc(pixel_by_pixel(vectors, height, width)).astype(int)
        at_x = np.clip(columns - whole[0], 0, width - 1)
        at_y = np.clip(rows - whole[1], 0, height - 1)
        source = source[:, at_y, at_x]
        motion = accumulate_motion(vectors, motion)
    np.testing.assert_array_equal(motion, np.stack([columns, rows]) - source)


@given(sizes, st.sampled_from([1, 3]))
@settings(max_examples=40)
def test_moving_the_i_frame_on_is_reading_it_by_the_accumulated_motion(case, channels):
    seed, height, width, side = case
    image = np.random.default_rng(seed).integers(0, 256, (channels, height, width), dtype=np.uint8)
    motion, moved = np.zeros((2, height, width), np.int16), image
    for step in range(4):
        vectors = tiling(seed + step, height, width, side)
        memory = np.full_like(image, 7) if step % 2 else None
        motion, moved = accumulate(vectors, motion, moved, memory)
        assert memory is None or moved is memory
        np.testing.assert_array_equal(moved, predict(image, motion))


@given(sizes, st.sampled_from([1, 3]), st.sampled_from(["half", "integer"]), st.integers(0, 1))
@settings(max_examples=80)
def test_moving_blocks_is_reading_the_picture_by_their_motion(case, channels, interpolation, rounding):
    seed, height, width, side = case
    picture = np.random.default_rng(seed).integers(0, 256, (channels, height, width), dtype=np.uint8)
    vectors = tiling(seed, height, width, side, fraction=2)
    expected = predict(picture, dense_motion(vectors, height, width), interpolation, rounding)
    np.testing.assert_array_equal(predict_blocks(picture, vectors, interpolation, rounding), expected)
    memory = np.full_like(picture, 7)
    np.testing.assert_array_equal(predict_blocks(picture, vectors, interpolation, rounding, memory), expected)


def test_memory_of_another_size_is_refused():
    with pytest.raises(ValueError, match="does not hold"):
        predict_blocks(np.zeros((1, 16, 16), np.uint8), tiling(0, 16, 16), out=np.zeros((3, 16, 16), np.uint8))


def test_fields_and_pictures_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="not of one size"):
        accumulate(tiling(0, 16, 16), np.zeros((2, 16, 16), np.int16), np.zeros((1, 16, 17), np.uint8))


@given(sizes, st.sampled_from([4, 8, 12, 16]))
@settings(max_examples=40)
def test_a_cell_of_the_grid_has_the_mean_of_its_pixels(case, cell):
    seed, height, width, side = case
    vectors = tiling(seed, height, width, side)
    dense = pixel_by_pixel(vectors, height, width)
    grid = block_motion(vectors, height, width, cell)
    assert grid.shape == (2, -(-height // cell), -(-width // cell))
    for row in range(grid.shape[1]):
        for column in range(grid.shape[2]):
            pixels = dense[:, row * cell : (row + 1) * cell, column * cell : (column + 1) * cell]
            np.testing.assert_allclose(grid[:, row, column], pixels.mean((1, 2)), atol=1e-4)


def test_a_block_that_reaches_over_every_edge_is_cut():
    vectors = MotionVectors(np.array([[-4, -4, 30, 30]], np.int16), np.array([[2.5, -1]], np.float32))
    motion = dense_motion(vectors, 10, 12)
    assert (motion[0] == 2.5).all()
    assert (motion[1] == -1).all()
    assert (block_motion(vectors, 10, 12, 8)[0] == 2.5).all()


def test_a_cell_without_size_is_refused():
    with pytest.raises(ValueError, match="block = 0"):
        block_motion(tiling(0, 16, 16), 16, 16, 0)

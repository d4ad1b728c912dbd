"""Representations against slow references, conservation, and every kind of border."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikelab.events import EventArray, event_counts, evsegnet_channels, represent, time_surface, timing, voxel_grid

WIDTH, HEIGHT = 4, 3


def slow_counts(events, bins, start, end):
    counts = np.zeros((bins, 2, events.height, events.width))
    for x, y, t, p in zip(events.x, events.y, events.t.tolist(), events.p, strict=True):
        if start <= t < end:
            counts[(t - start) * bins // (end - start), p, y, x] += 1
    return counts


def slow_voxel_grid(events, bins, start, end):
    grid = np.zeros((bins, 2, events.height, events.width))
    for x, y, t, p in zip(events.x, events.y, events.t.tolist(), events.p, strict=True):
        if start <= t < end:
            position = (bins - 1) * (t - start) / (end - start)
            grid[:, p, y, x] += np.maximum(0, 1 - np.abs(np.arange(bins) - position))
    return grid


def slow_time_surface(events, tau, reference):
    surface = np.zeros((2, events.height, events.width))
    for x, y, t, p in zip(events.x, events.y, events.t.tolist(), events.p, strict=True):
        if t <= reference:
            surface[p, y, x] = np.exp(-(reference - t) * 1e-6 / tau)
    return surface


def slow_evsegnet(events, start, end):
    channels = np.zeros((6, events.height, events.width))
    scaled = 2 * (events.t - start) / (end - start) - 1
    for y in range(events.height):
        for x in range(events.width):
            for p, (count, mean, deviation) in {1: (0, 2, 3), 0: (1, 4, 5)}.items():
                here = scaled[
                    (events.x == x) & (events.y == y) & (events.p == p) & (events.t >= start) & (events.t < end)
                ]
                channels[count, y, x] = here.size
                channels[mean, y, x] = here.mean() if here.size else 0
                channels[deviation, y, x] = here.std(ddof=1) if here.size > 1 else 0
    return channels


@st.composite
def windows(draw):
    """Events around a window: often on its borders, often at equal times, sometimes none."""
    start = draw(st.integers(-(10**12), 10**12))
    duration = draw(st.sampled_from([1, 2, 3, 7, 10, 1000, 999_983]))
    at = st.one_of(
        st.integers(-2, duration + 2),
        st.sampled_from([0, duration - 1, duration, duration // 2, duration // 3, -1]),
    )
    t = np.array(sorted(draw(st.lists(at, max_size=40))), np.int64) + start
    columns = [draw(st.lists(st.integers(0, high), min_size=t.size, max_size=t.size)) for high in (3, 2, 1)]
    return EventArray(columns[0], columns[1], t, columns[2], WIDTH, HEIGHT), start, start + duration


bin_numbers = st.sampled_from([1, 2, 3, 5, 10])


@given(windows(), bin_numbers)
def test_counts_are_exact(window, bins):
    events, start, end = window
    counts = event_counts(events, bins, start, end)
    assert counts.dtype == np.float32
    np.testing.assert_array_equal(counts, slow_counts(events, bins, start, end))
    assert counts.sum() == len(events.between(start, end))


@given(windows(), bin_numbers)
def test_voxel_grid_matches_and_loses_nothing(window, bins):
    events, start, end = window
    expected = slow_voxel_grid(events, bins, start, end)
    separate = voxel_grid(events, bins, start, end, "separate")
    signed = voxel_grid(events, bins, start, end)
    assert separate.dtype == signed.dtype == np.float32
    assert signed.shape == (bins, HEIGHT, WIDTH)
    np.testing.assert_allclose(separate, expected, atol=1e-5)
    np.testing.assert_allclose(signed, expected[:, 1] - expected[:, 0], atol=1e-5)
    np.testing.assert_allclose(separate.sum(0), slow_counts(events, 1, start, end)[0], atol=1e-5)
    assert (separate >= 0).all()


@given(windows(), st.sampled_from([1e-6, 1e-3, 0.05]))
def test_time_surface_matches(window, tau):
    events, _, end = window
    surface = time_surface(events, tau, end)
    assert surface.dtype == np.float32
    np.testing.assert_allclose(surface, slow_time_surface(events, tau, end), rtol=1e-5, atol=1e-30)


@given(windows())
def test_evsegnet_channels_match(window):
    events, start, end = window
    expected = slow_evsegnet(events, start, end)
    channels = evsegnet_channels(events, start, end, normalise_counts=False)
    assert channels.dtype == np.float32
    np.testing.assert_allclose(channels, expected, atol=1e-5)
    normalised = evsegnet_channels(events, start, end)
    np.testing.assert_allclose(normalised[2:], expected[2:], atol=1e-5)
    np.testing.assert_allclose((normalised[:2] + 1) / 2 * max(expected[:2].max(), 1), expected[:2], atol=1e-4)


def test_evsegnet_layout_of_an_empty_pixel_and_of_each_polarity():
    events = EventArray([1, 1, 2], [0, 0, 1], [0, 500, 500], [1, 1, 0], WIDTH, HEIGHT)
    channels = evsegnet_channels(events, 0, 1000)
    np.testing.assert_array_equal(channels[:, 2, 3], [-1, -1, 0, 0, 0, 0])
    np.testing.assert_allclose(channels[:, 0, 1], [1, -1, -0.5, np.sqrt(0.5), 0, 0], rtol=1e-6)
    np.testing.assert_allclose(channels[:, 1, 2], [-1, 0, 0, 0, 0, 0])


def test_nothing_and_everything_outside_the_window_give_zeros():
    for events in (EventArray.empty(WIDTH, HEIGHT), EventArray([0, 0], [0, 0], [-1, 10], [0, 1], WIDTH, HEIGHT)):
        assert not event_counts(events, 3, 0, 10).any()
        assert not voxel_grid(events, 3, 0, 10).any()
        assert not time_surface(events.between(0, 10), 1.0, 5).any()
        np.testing.assert_array_equal(evsegnet_channels(events, 0, 10)[:, 0, 0], [-1, -1, 0, 0, 0, 0])


def test_one_bin_takes_each_event_whole_and_the_last_moment_lands_in_the_last_bins():
    events = EventArray([0, 1], [0, 0], [0, 999_999], [1, 1], WIDTH, HEIGHT)
    np.testing.assert_array_equal(voxel_grid(events, 1, 0, 1_000_000)[0, 0], [1, 1, 0, 0])
    grid = voxel_grid(events, 5, 0, 1_000_000)
    assert grid[0, 0, 0] == 1
    np.testing.assert_allclose(grid[3:, 0, 1], [0, 1], atol=1e-5)


def test_a_later_event_hides_an_earlier_one_and_the_future_is_not_seen():
    events = EventArray([0, 0, 0], [0, 0, 0], [0, 500, 900], [1, 1, 1], WIDTH, HEIGHT)
    np.testing.assert_allclose(time_surface(events, 1e-3, 600)[1, 0, 0], np.exp(-0.1), rtol=1e-6)
    assert time_surface(events, 1e-3, 900)[1, 0, 0] == 1
    assert time_surface(events, 1e-3, -1)[1, 0, 0] == 0


def test_long_windows_do_not_overflow():
    far = 2**62
    events = EventArray([0, 0], [0, 0], [-far + 1, far - 1], [1, 1], 1, 1)
    np.testing.assert_array_equal(event_counts(events, 10, -far, far - 1)[:, 1, 0, 0], [1] + [0] * 9)
    np.testing.assert_allclose(voxel_grid(events, 3, -far + 1, far)[:, 0, 0], [1, 0, 1])
    with pytest.raises(ValueError, match="longer than int64"):
        event_counts(events, 1, -(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda events, **k: event_counts(events, 3, 0, 100, **k),
        lambda events, **k: voxel_grid(events, 3, 0, 100, **k),
        lambda events, **k: voxel_grid(events, 3, 0, 100, "separate", **k),
        lambda events, **k: time_surface(events, 0.1, 100, **k),
        lambda events, **k: evsegnet_channels(events, 0, 100, **k),
    ],
)
def test_given_buffers_are_cleared_filled_and_checked(call):
    events = EventArray([0, 1, 3], [0, 1, 2], [0, 50, 99], [0, 1, 1], WIDTH, HEIGHT)
    expected = call(events)
    out = np.full_like(expected, np.nan)
    assert call(events, out=out) is out
    np.testing.assert_array_equal(out, expected)
    read_only = out.copy()
    read_only.flags.writeable = False
    for bad in (out.astype(np.float64), out[:-1], np.asfortranarray(out), read_only, out.tolist()):
        with pytest.raises(ValueError, match="out must be"):
            call(events, out=bad)


def test_bad_windows_and_settings_are_named():
    events = EventArray.empty(WIDTH, HEIGHT)
    for call in (event_counts, voxel_grid):
        with pytest.raises(ValueError, match="t_start = 5 us to t_end = 5 us is empty"):
            call(events, 3, 5, 5)
        with pytest.raises(ValueError, match="bins = 0 must be at least 1"):
            call(events, 0, 0, 5)
        with pytest.raises(TypeError, match=r"bins = 2\.0 must be an integer"):
            call(events, 2.0, 0, 5)
        with pytest.raises(TypeError, match=r"t_end = 0\.05: times are integer microseconds"):
            call(events, 2, 0, 0.05)
    with pytest.raises(ValueError, match=r'polarity = "?\'both\'"? must be "signed" or "separate"'):
        voxel_grid(events, 3, 0, 5, "both")
    with pytest.raises(ValueError, match="is empty"):
        evsegnet_channels(events, 5, 4)
    for tau in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"tau = .* must be positive and finite"):
            time_surface(events, tau, 0)


def test_each_kernel_is_compiled_once():
    # A second signature would mean a second wait for the compiler, such as in the workers of a data loader.
    for kernel in (represent._count, represent._spread, timing._decay, timing._accumulate):
        assert len(kernel.signatures) <= 1

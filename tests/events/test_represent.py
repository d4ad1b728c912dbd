"""Representations against slow references, conservation, and every kind of border."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikelab.events import (
    EventArray,
    event_counts,
    evsegnet_channels,
    represent,
    scatter,
    time_surface,
    timing,
    voxel_grid,
)

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


def many(events, width, height, last, seed=0):
    """So many events at random, in 0 to `last` microseconds."""
    rng = np.random.default_rng(seed)
    x, y, p = (rng.integers(0, limit, events) for limit in (width, height, 2))
    return EventArray(x, y, np.sort(rng.integers(0, last, events)), p, width, height)


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


@pytest.mark.parametrize("bins", [1, 2, 7])
@pytest.mark.parametrize(
    ("width", "height", "number"),
    [(5, 4, 3000), (61, 37, 500), (61, 37, 40_000), (640, 3, 5000), (3, 700, 1), (1, 1, 2000), (900, 700, 3000)],
)
def test_sensors_of_all_shapes_with_few_and_with_many_events(width, height, number, bins):
    # longer than a run of the kernels, some with so many events a pixel that they are summed in integers
    events = many(number, width, height, 1000 * bins - 1)
    start, end = 3, 990 * bins  # some lie outside
    inside = events.between(start, end)
    counts, grid = event_counts(events, bins, start, end), voxel_grid(events, bins, start, end, "separate")
    expected = np.zeros_like(grid, np.float64)
    spread = np.zeros_like(expected)
    t = inside.t - start
    np.add.at(expected, (t * bins // (end - start), inside.p, inside.y, inside.x), 1)
    for k in range(bins):
        weights = np.maximum(0, 1 - np.abs(k - (bins - 1) * t / (end - start)))
        np.add.at(spread[k], (inside.p, inside.y, inside.x), weights)
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_allclose(grid, spread, rtol=2e-6, atol=2e-6)
    assert (grid >= 0).all()
    signed = voxel_grid(events, bins, start, end)
    np.testing.assert_allclose(signed, spread[:, 1] - spread[:, 0], rtol=2e-6, atol=2e-4)


@pytest.mark.parametrize("duration", [7, 2**27 + 5, 2**40 + 123_457, 2**62 - 3])
@pytest.mark.parametrize("number", [3, 20_000])
def test_windows_of_any_length(duration, number):
    # of 3 events, each is written by itself; 20,000 on one pixel are summed in integers, with fewer bits of time
    events = many(number, 1, 1, duration)
    spread = [Fraction(0)] * 4
    for t in events.t.tolist():
        whole, part = divmod(Fraction(3 * t, duration), 1)
        spread[int(whole)] += 1 - part
        spread[int(whole) + 1] += part
    grid = voxel_grid(events, 4, 0, duration, "separate").sum(1)[:, 0, 0]
    np.testing.assert_allclose(grid, [float(weight) for weight in spread], rtol=1e-6, atol=1e-6)


def test_more_events_in_a_bin_than_fit_into_one_integer():
    number = 3 * scatter._CHUNK // 2
    times = np.repeat([0, 29], [number, number])
    events = EventArray(np.zeros(2 * number, int), np.zeros(2 * number, int), times, np.ones(2 * number, int), 2, 1)
    expected = number * np.array([[1, 0], [2 / 30, 0], [28 / 30, 0]])  # the later ones lie at 58 / 30 of a bin
    np.testing.assert_allclose(voxel_grid(events, 3, 0, 30)[:, 0], expected, rtol=1e-6)
    off = EventArray(events.x, events.y, events.t, np.zeros(2 * number, int), 2, 1)
    np.testing.assert_allclose(voxel_grid(off, 3, 0, 30)[:, 0], -expected, rtol=1e-6)


@pytest.mark.parametrize("number", [8, 33, 100, 777])
def test_rounding_makes_no_separate_picture_negative(number):
    duration = 300_000_001  # of so many events in its last microsecond, rounding may leave less than nothing
    zeros, ones = np.zeros(number, int), np.ones(number, int)
    events = EventArray(zeros, zeros, np.full(number, duration - 1), ones, 1, 1)
    grid = voxel_grid(events, 2, 0, duration, "separate")
    assert (grid >= 0).all()
    assert grid.sum() == pytest.approx(number, rel=1e-6)


@pytest.mark.parametrize("number", [1, 50_000])
@pytest.mark.parametrize("time", [0, 1, 50, 99])
def test_all_events_at_one_time(number, time):
    whole = EventArray(*(np.full(number, value) for value in (2, 1, time, 1)), WIDTH, HEIGHT)
    counts, grid = event_counts(whole, 4, 0, 100), voxel_grid(whole, 4, 0, 100)
    assert counts[time * 4 // 100, 1, 1, 2] == counts.sum() == number
    weights = np.maximum(0, 1 - np.abs(np.arange(4) - time * 3 / 100))
    np.testing.assert_allclose(grid[:, 1, 2], number * weights, rtol=1e-4, atol=1e-6)
    assert np.count_nonzero(grid) == np.count_nonzero(grid[:, 1, 2])


def test_columns_and_windows_of_other_kinds_give_the_same():
    events = many(3000, 20, 10, 1000)
    table = events.to_structured()
    strided = EventArray(table["x"], table["y"], table["t"], table["p"], 20, 10)
    every_other, halved = (
        events[::2],
        EventArray(*(c[::2].copy() for c in (events.x, events.y, events.t, events.p)), 20, 10),
    )
    for call in (event_counts, voxel_grid):
        np.testing.assert_array_equal(call(strided, 4, 0, 1000), call(events, 4, 0, 1000))
        np.testing.assert_array_equal(call(every_other, 4, 0, 1000), call(halved, 4, 0, 1000))
        np.testing.assert_array_equal(call(events, np.int64(4), np.int64(0), np.int64(900)), call(events, 4, 0, 900))


@pytest.mark.parametrize("without", [(), ("_HUGE_PAGES",)])
def test_pictures_that_come_from_the_system_are_like_others(monkeypatch, without):
    for name in without:
        monkeypatch.setattr(represent, name, False)
    events = many(20_000, 1280, 720, 1000)
    counts, grid = event_counts(events, 5, 0, 1000), voxel_grid(events, 10, 0, 1000)
    assert counts.nbytes > represent._LARGE
    assert grid.nbytes > represent._LARGE
    assert counts.flags.carray
    np.testing.assert_array_equal(counts, event_counts(events, 5, 0, 1000, out=np.full_like(counts, np.nan)))
    np.testing.assert_array_equal(grid, voxel_grid(events, 10, 0, 1000, out=np.full_like(grid, np.nan)))
    kept = counts[1]
    del counts  # a view holds the memory
    assert kept.sum() == len(events.between(200, 400))
    assert not evsegnet_channels(many(0, 1280, 1200, 1), 0, 10, normalise_counts=False).any()


def test_a_picture_larger_than_memory_is_an_error_of_numpy():
    with pytest.raises((MemoryError, ValueError)):
        event_counts(EventArray.empty(2**16, 2**16), 2**20, 0, 10)


def test_threads_at_once_get_the_same():
    recordings = [many(4000 * (1 + k), 64, 48, 5000, seed=k) for k in range(6)]
    buffers = [np.full((5, 48, 64), np.nan, np.float32) for _ in recordings]

    def pictures(k):
        for _ in range(20):
            counts = event_counts(recordings[k], 5, 0, 5000)
            grid = voxel_grid(recordings[k], 5, 0, 5000, out=buffers[k]).copy()
        return counts, grid

    expected = [pictures(k) for k in range(6)]
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(pictures, range(6)))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


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
    unaligned = np.frombuffer(bytearray(out.nbytes + 1), np.float32, out.size, 1).reshape(out.shape)
    for bad in (np.asfortranarray(out), read_only, unaligned, np.repeat(out, 2, axis=-1)[..., ::2]):
        with pytest.raises(ValueError, match=r"out must be contiguous \(C order\), aligned and writable: np.empty"):
            call(events, out=bad)
    shape = str(out.shape).replace("(", r"\(").replace(")", r"\)")
    for bad in (out.astype(np.float64), out.astype(">f4"), out[:-1], out[None], out.ravel(), out.tolist()):
        with pytest.raises(ValueError, match=f"out must be a float32 array of shape {shape}, not "):
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
    for kernel in (scatter.count, scatter.spread, timing._decay, timing._accumulate):
        assert len(kernel.signatures) <= 1

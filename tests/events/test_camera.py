"""The event camera: exact cases, an independent reference, statistics of the noise, streaming, and bad input."""

import dataclasses
import itertools
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikelab.events import EventArray, EventCamera, fit_threshold, pixel, time_surface

IDEAL = EventCamera.preset("clean", threshold_mismatch=0.0)


def moving_texture(frames=9, height=12, width=16, speed=0.7, seed=0):
    texture = np.random.default_rng(seed).uniform(10, 240, (height, width // 2 + 20)).repeat(2, axis=1)
    positions = np.arange(frames) * speed
    left = positions.astype(int)
    share = (positions - left)[:, None, None]
    first, second = (np.stack([texture[:, i + k : i + k + width] for i in left]) for k in (0, 1))
    return first * (1 - share) + second * share, 2e-3 * np.arange(frames)


def one_pixel(log_levels):
    return np.exp(np.asarray(log_levels, float)).reshape(-1, 1, 1)


def test_a_logarithmic_ramp_gives_evenly_spaced_events():
    video = one_pixel([math.log(40), math.log(40) + 1.05])
    events = IDEAL.simulate(video, [1.0, 1.021], seed=0)
    np.testing.assert_array_equal(events.t, 1_000_000 + np.arange(4000, 21000, 4000))
    assert (events.p == 1).all()
    down = IDEAL.simulate(video[::-1], [1.0, 1.021], seed=0)
    np.testing.assert_array_equal(down.t, events.t)
    assert (down.p == 0).all()


def test_each_polarity_has_its_own_threshold():
    camera = dataclasses.replace(IDEAL, threshold_on=0.1, threshold_off=0.4)
    events = camera.simulate(one_pixel([4.0, 4.85, 3.95]), [0, 1, 2], seed=0)
    # 0.85 up: eight ON events. Then 0.85 down from the level memorised last: two OFF events.
    np.testing.assert_array_equal(events.p, [1] * 8 + [0] * 2)


def test_the_response_is_logarithmic_above_the_knee_and_linear_below():
    assert IDEAL.log_intensity(np.array([20.0]))[0] == pytest.approx(math.log(20))
    np.testing.assert_allclose(IDEAL.log_intensity(np.array([0.0, 10.0, 100.0])), [0, math.log(20) / 2, math.log(100)])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.float32, np.float64])
def test_the_type_of_the_frames_makes_no_difference(dtype):
    frames, times = moving_texture()
    frames = frames.astype(np.uint8)
    camera = EventCamera.preset("noisy")
    expected = camera.simulate(frames, times, seed=3)
    assert len(expected) > 100
    assert camera.simulate(frames.astype(dtype), times, seed=3) == expected


def reference_events(frames, times, threshold):
    """An ideal pixel by pixel, with the memorised level kept as such: another way to the same events."""
    levels = np.where(frames > 20, np.log(np.maximum(frames, 20)), frames * math.log(20) / 20)
    found = []
    for y in range(frames.shape[1]):
        for x in range(frames.shape[2]):
            memorised = levels[0, y, x]
            for k in range(len(times) - 1):
                start, end = levels[k, y, x], levels[k + 1, y, x]
                sign = 1 if end > start else -1
                while sign * (end - memorised) >= threshold:
                    memorised += sign * threshold
                    share = (memorised - start) / (end - start)
                    found.append(((times[k] + share * (times[k + 1] - times[k])) * 1e6, x, y, int(sign > 0)))
    return sorted(found)


@given(st.integers(0, 2**32), st.integers(2, 6), st.sampled_from([0.05, 0.2, 0.55]))
@settings(max_examples=25, deadline=None)
def test_ideal_events_agree_with_an_independent_reference(seed, count, threshold):
    generator = np.random.default_rng(seed)
    frames = generator.uniform(0, 255, (count, 3, 2))
    times = np.cumsum(generator.uniform(1e-4, 5e-2, count))
    camera = dataclasses.replace(IDEAL, threshold_on=threshold, threshold_off=threshold)
    events = camera.simulate(frames, times, seed=0)
    expected = reference_events(frames, times, threshold)
    assert len(events) == len(expected)
    for y in range(3):
        for x in range(2):
            here = events[(events.x == x) & (events.y == y)]
            ours = [(t, p) for t, ex, ey, p in expected if (ex, ey) == (x, y)]
            np.testing.assert_allclose(here.t, [t for t, _ in ours], atol=0.51)
            np.testing.assert_array_equal(here.p, [p for _, p in ours])


cameras = st.builds(
    EventCamera,
    threshold_on=st.sampled_from([0.1, 0.3]),
    threshold_mismatch=st.sampled_from([0.0, 0.05]),
    refractory=st.sampled_from([0.0, 5e-4, 5e-3, 0.1]),
    cutoff_hz=st.sampled_from([0.5, 30.0, 300.0, math.inf]),
    leak_rate_hz=st.sampled_from([0.0, 20.0]),
    shot_noise_rate_hz=st.sampled_from([0.0, 300.0]),
    initial_difference=st.sampled_from(["random", "zero"]),
)


@given(cameras, st.integers(0, 2**63), st.lists(st.integers(1, 8), max_size=3))
@settings(max_examples=40, deadline=None)
def test_a_video_cut_into_pieces_gives_exactly_the_same_events(camera, seed, cuts):
    frames, times = moving_texture()
    whole = camera.simulate(frames, times, seed)
    state = camera.start(frames[0], times[0], seed)
    parts, reused = [], np.empty_like(frames[0])
    borders = sorted({1, *cuts, len(frames)})
    for first, last in itertools.pairwise(borders):
        # A decoder that hands out the same buffer again must not disturb the state.
        reused[:] = frames[first]
        part, state = camera.step(reused, times[first], state)
        reused[:] = -1
        rest, state = camera.step(frames[first + 1 : last], times[first + 1 : last], state)
        parts += [part, rest]
    assert EventArray.concatenate(parts) == whole


@given(cameras, st.integers(0, 2**63))
@settings(max_examples=30, deadline=None)
def test_events_are_in_order_and_keep_the_refractory_period(camera, seed):
    frames, times = moving_texture()
    events = camera.simulate(frames, times, seed)
    assert (np.diff(events.t) >= 0).all()
    assert not len(events) or (events.t[0] >= 0 and events.t[-1] <= 1e6 * times[-1])
    address = events.y.astype(int) * events.width + events.x
    order = np.argsort(address, kind="stable")
    same = np.diff(address[order]) == 0
    gaps = np.diff(events.t[order])[same]
    assert (gaps >= camera.refractory * 1e6 - 1).all()


def test_a_piece_can_be_repeated_from_the_same_state():
    frames, times = moving_texture()
    camera = EventCamera.preset("noisy", shot_noise_rate_hz=200.0)
    state = camera.start(frames[0], times[0], seed=5)
    first, _ = camera.step(frames[1:], times[1:], state)
    again, _ = camera.step(frames[1:], times[1:], state)
    assert len(first)
    assert first == again


def test_threads_make_no_difference():
    frames, times = moving_texture(height=40, width=60)
    camera = EventCamera.preset("noisy", shot_noise_rate_hz=200.0)
    expected = [camera.simulate(frames, times, seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: camera.simulate(frames, times, seed), range(4)))
    assert found == expected
    assert expected[0] != expected[1]


def test_buffers_grow_without_losing_events(monkeypatch):
    frames, times = moving_texture(height=40, width=60, speed=3)
    camera = EventCamera.preset("noisy", threshold_on=0.05, threshold_off=0.05)
    expected = camera.simulate(frames, times, seed=1)
    assert len(expected) > 10 * 4096
    allocate = pixel.EventBuffer._allocate
    sizes = []

    def start_small(buffer, size):
        sizes.append(size if sizes else 1)
        allocate(buffer, sizes[-1])

    monkeypatch.setattr(pixel.EventBuffer, "_allocate", start_small)
    assert camera.simulate(frames, times, seed=1) == expected
    assert len(sizes) > 1


def test_refractory_period_limits_the_rate():
    camera = dataclasses.replace(IDEAL, refractory=3e-3)
    events = camera.simulate(one_pixel([3.0, 5.0]), [0.0, 0.1], seed=0)
    # 0.2 takes 10 ms at this slope, then the pixel is held for 3 ms and memorises the level at the end of these.
    np.testing.assert_array_equal(np.diff(events.t), 13_000)


def test_a_held_pixel_is_released_in_a_later_interval():
    camera = dataclasses.replace(IDEAL, refractory=25e-3)
    slow = camera.simulate(one_pixel([3.0, 5.0]), [0.0, 0.1], seed=0)
    fine = camera.simulate(one_pixel(np.linspace(3.0, 5.0, 101)), np.linspace(0.0, 0.1, 101), seed=0)
    np.testing.assert_array_equal(slow.t, [10_000, 45_000, 80_000])
    np.testing.assert_allclose(fine.t, slow.t, atol=1)


def low_pass_reference(inputs, times, cutoff_hz, threshold):
    """Times of the events of one pixel, by very small Euler steps."""
    dt = 2e-7
    steps = np.arange(times[0], times[-1], dt)
    u = np.interp(steps, times, inputs)
    interval = np.clip(np.searchsorted(times, steps, side="right") - 1, 0, len(times) - 2)
    intensity = np.exp(inputs)
    bright = (0.5 * (intensity[:-1] + intensity[1:]) + 20) / 275
    gain = dt * 2 * math.pi * cutoff_hz * bright[interval]
    level = memorised = inputs[0]
    found = []
    for i in range(len(steps)):
        level += gain[i] * (u[i] - level)
        while abs(level - memorised) >= threshold:
            memorised += math.copysign(threshold, level - memorised)
            found.append((steps[i] * 1e6, int(level >= memorised)))
    return found


@pytest.mark.parametrize("cutoff_hz", [10.0, 100.0])
def test_low_pass_agrees_with_a_fine_numerical_solution(cutoff_hz):
    times = np.array([0.0, 0.004, 0.02, 0.03, 0.05])
    inputs = np.array([3.2, 5.3, 5.3, 3.5, 4.6])
    camera = dataclasses.replace(IDEAL, cutoff_hz=cutoff_hz)
    events = camera.simulate(one_pixel(inputs), times, seed=0)
    expected = low_pass_reference(inputs, times, cutoff_hz, 0.2)
    assert len(expected) > 5
    np.testing.assert_array_equal(events.p, [p for _, p in expected])
    np.testing.assert_allclose(events.t, [t for t, _ in expected], atol=60)


def test_the_low_pass_sees_a_level_that_still_rises_while_the_input_falls():
    # The input turns while the level is far behind it, so the level goes up, then down, within one interval.
    inputs, times = np.array([3.2, 5.4, 3.2]), np.array([0.0, 1e-3, 0.2])
    camera = dataclasses.replace(IDEAL, cutoff_hz=20.0)
    state = camera.start(one_pixel(inputs[:1])[0], 0.0, seed=0)
    _, state = camera.step(one_pixel(inputs[1:2]), times[1:2], state)
    events, _ = camera.step(one_pixel(inputs[2:]), times[2:], state)
    assert events.p[0] == 1
    assert events.p[-1] == 0


def test_a_darker_pixel_is_slower():
    camera = dataclasses.replace(IDEAL, cutoff_hz=10.0)
    bright = camera.simulate(np.array([[[100.0]], [[200.0]]]), [0.0, 1e-3], seed=0)
    later = [
        camera.simulate(one_pixel(np.log([a, 2 * a, 2 * a])), [0.0, 1e-3, 0.5], seed=0).t[0] for a in (120.0, 25.0)
    ]
    assert not len(bright)
    assert later[1] > 1.5 * later[0]


def static(height=60, width=80, intensity=0, duration=2.0, frames=5):
    return np.full((frames, height, width), intensity, np.uint8), np.linspace(0, duration, frames)


def test_a_still_scene_is_silent_without_noise():
    camera = EventCamera.preset("clean", initial_difference="random")
    assert not len(camera.simulate(*static(), seed=0))


def test_leak_events_are_on_and_come_at_their_rate():
    camera = EventCamera.preset("clean", leak_rate_hz=2.0, noise_rate_spread=0.0, initial_difference="random")
    frames, times = static(duration=10.0)
    events = camera.simulate(frames, times, seed=0)
    assert (events.p == 1).all()
    # The difference starts anywhere between the thresholds, so on average half a period is lost at the start.
    assert len(events) / frames[0].size == pytest.approx(10.0 * 2.0 - 0.5, rel=0.02)


@pytest.mark.parametrize(("intensity", "share"), [(0, 1 - 0.75 * 20 / 275), (255, 0.25)])
def test_shot_noise_is_poisson_with_the_rate_of_its_brightness(intensity, share):
    rate, duration = 5.0, 2.0
    camera = EventCamera.preset(
        "clean", threshold_mismatch=0.0, shot_noise_rate_hz=rate, noise_rate_spread=0.0, refractory=0.0
    )
    frames, times = static(intensity=intensity, duration=duration)
    events = camera.simulate(frames, times, seed=1)
    expected = rate * share * duration * frames[0].size
    assert abs(len(events) - expected) < 4 * math.sqrt(expected)
    assert abs(int(events.p.sum()) - len(events) / 2) < 4 * math.sqrt(len(events) / 4)
    per_pixel = np.bincount(events.y.astype(int) * 80 + events.x, minlength=4800)
    assert per_pixel.var() / per_pixel.mean() == pytest.approx(1, abs=0.1)
    # Uniform in time: Kolmogorov-Smirnov at about one in ten thousand.
    distance = np.abs(np.arange(len(events)) / len(events) - events.t / (duration * 1e6)).max()
    assert distance < 2.2 / math.sqrt(len(events))


def test_pixels_with_low_thresholds_are_noisier_and_lean_to_that_polarity():
    camera = EventCamera.preset("clean", threshold_on=0.2, threshold_off=0.2, threshold_mismatch=0.06)
    camera = dataclasses.replace(camera, shot_noise_rate_hz=50.0, noise_rate_spread=0.0, pattern_seed=0)
    frames, times = static(duration=4.0)
    pattern = camera.start(frames[0], 0.0, seed=0).pattern
    events = camera.simulate(frames, times, seed=0)
    low = pattern[pixel.THRESHOLD_ON] < 0.15
    polarity = np.zeros((2, low.size))
    np.add.at(polarity, (events.p, events.y.astype(int) * 80 + events.x), 1)
    assert polarity[1, low].mean() > 1.4 * polarity[1, ~low].mean()
    assert polarity[0, low].mean() == pytest.approx(polarity[0, ~low].mean(), rel=0.1)


def test_noise_does_not_depend_on_the_frame_rate():
    camera = EventCamera.preset("noisy", initial_difference="zero")
    coarse = camera.simulate(*static(intensity=90, frames=2), seed=2)
    fine = camera.simulate(*static(intensity=90, frames=400), seed=2)
    assert len(coarse) == len(fine) > 1000
    np.testing.assert_array_equal(np.sort(coarse.y * 80 + coarse.x), np.sort(fine.y * 80 + fine.x))
    np.testing.assert_allclose(coarse.t, fine.t, atol=1)


def test_thresholds_spread_as_asked_and_belong_to_the_pattern_seed():
    camera = EventCamera(threshold_mismatch=0.04)
    frame = np.full((100, 100), 90, np.uint8)
    on, off = camera.start(frame, 0.0, seed=1).pattern[[pixel.THRESHOLD_ON, pixel.THRESHOLD_OFF]]
    for thresholds in (on, off):
        assert thresholds.mean() == pytest.approx(0.2, abs=2e-3)
        assert thresholds.std() == pytest.approx(0.04, rel=0.05)
    assert abs(np.corrcoef(on, off)[0, 1]) < 0.05
    assert not np.array_equal(camera.start(frame, 0.0, seed=2).pattern[0], on)
    same = dataclasses.replace(camera, pattern_seed=1)
    np.testing.assert_array_equal(same.start(frame, 0.0, seed=2).pattern[0], on)
    wide = EventCamera(threshold_mismatch=0.5).start(frame, 0.0, seed=0).pattern
    assert wide[pixel.THRESHOLD_ON].min() == 0.01


def test_random_numbers_are_those_of_splitmix64():
    # The first outputs of the published generator for the seed 1234567.
    golden = 0x9E3779B97F4A7C15
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    found = [int(pixel._mix(np.uint64((1234567 + (i + 1) * golden) % 2**64))) for i in range(3)]
    assert found == expected
    numbers = np.array([[pixel.uniform(np.uint64(7), p, i) for i in range(50)] for p in range(100)])
    assert 0 < numbers.min() < numbers.max() <= 1
    assert numbers.mean() == pytest.approx(0.5, abs=0.015)
    assert np.abs(np.corrcoef(numbers.T) - np.eye(50)).max() < 0.5


def test_one_frame_one_pixel_and_one_row():
    assert len(EventCamera().simulate(np.zeros((1, 3, 4)), [0.0], seed=0)) == 0
    events = IDEAL.simulate(one_pixel([3, 5]), [0, 1], seed=0)
    assert (events.width, events.height) == (1, 1)
    assert IDEAL.simulate(np.zeros((2, 1, 500)), [0, 1], seed=0).width == 500


def test_intervals_of_seconds_and_of_half_a_microsecond():
    slow = IDEAL.simulate(one_pixel([3.0, 5.0]), [0.0, 100.0], seed=0)
    np.testing.assert_array_equal(slow.t, np.arange(1, 11) * 10_000_000)
    fast = IDEAL.simulate(one_pixel([3.0, 4.0, 3.0]), [1.0, 1.0 + 5e-7, 1.0 + 1e-6], seed=0)
    assert len(fast) >= 8
    assert fast.t[0] >= 1_000_000
    assert fast.t[-1] <= 1_000_001


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"threshold_on": 0.0}, ValueError, r"threshold_on = 0\.0 must lie in 0\.01\.\.10\.0 \(natural-log units\)"),
        ({"threshold_off": float("nan")}, ValueError, "threshold_off = nan"),
        ({"refractory": -1e-3}, ValueError, r"refractory = -0\.001 must lie in .* \(seconds\)"),
        ({"cutoff_hz": 0}, ValueError, r"cutoff_hz = 0 must lie .*for no low-pass use math\.inf"),
        ({"leak_rate_hz": "0.1"}, TypeError, "leak_rate_hz = '0.1' must be a number"),
        ({"shot_noise_at_white": 1.5}, ValueError, "shot_noise_at_white"),
        ({"threshold_on": True}, TypeError, "threshold_on = True must be a number"),
        ({"initial_difference": "half"}, ValueError, "initial_difference = 'half'"),
        ({"pattern_seed": -1}, ValueError, "pattern_seed = -1 must not be negative"),
    ],
)
def test_bad_parameters_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        EventCamera(**changes)


def test_presets():
    assert math.isinf(EventCamera.preset("clean").cutoff_hz)
    noisy = EventCamera.preset("noisy", refractory=1e-3)
    assert (noisy.shot_noise_rate_hz, noisy.cutoff_hz, noisy.refractory) == (5.0, 30.0, 1e-3)
    with pytest.raises(ValueError, match="no preset 'dirty'; there are clean, noisy"):
        EventCamera.preset("dirty")


@pytest.mark.parametrize(
    ("frames", "times", "error", "message"),
    [
        (np.zeros((3, 4)), [0, 1, 2], ValueError, r"shape \(3, 4\); \[F, H, W\] is needed"),
        (np.zeros((2, 3, 4, 3)), [0, 1], ValueError, r"\[F, H, W\] is needed"),
        (np.zeros((2, 0, 4)), [0, 1], ValueError, "height and width must lie in"),
        (np.zeros((0, 3, 4)), [], ValueError, "at least one"),
        (np.zeros((2, 3, 4)), [0, 1, 2], ValueError, r"one for each of the 2 frames"),
        (np.zeros((3, 3, 4)), [0, 1, 1], ValueError, r"times\[2\] = 1\.0 s must be later"),
        (np.zeros((2, 3, 4)), [0, np.nan], ValueError, r"times\[1\] = nan must be finite"),
        (np.zeros((2, 3, 4)), [0, 1.7e18], ValueError, r"times\[1\] = 1\.7e\+18 must be .* in seconds"),
        (np.zeros((2, 3, 4), complex), [0, 1], TypeError, "complex128"),
        (np.zeros((2, 3, 4), bool), [0, 1], TypeError, "bool"),
        (np.zeros((2, 3, 4)), ["a", "b"], TypeError, "times are"),
    ],
)
def test_bad_videos_are_named(frames, times, error, message):
    with pytest.raises(error, match=message):
        EventCamera().simulate(frames, times, seed=0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_bad_intensities_are_named_with_frame_and_pixel(value):
    frames = np.full((4, 3, 5), 50.0)
    frames[2, 1, 4] = value
    with pytest.raises(ValueError, match=rf"frames\[2\]: the intensity at x = 4, y = 1 is {value}"):
        EventCamera().simulate(frames, [0, 1, 2, 3], seed=0)


def test_seeds_and_states_are_checked():
    frames, times = moving_texture()
    camera = EventCamera()
    for seed, error in ((-1, ValueError), (1.0, TypeError), (True, TypeError)):
        with pytest.raises(error, match="seed ="):
            camera.simulate(frames, times, seed)
    state = camera.start(frames[0], times[0], seed=0)
    with pytest.raises(ValueError, match="other parameters"):
        EventCamera(refractory=0).step(frames[1:], times[1:], state)
    with pytest.raises(ValueError, match=r"\(2, 2\) \(H, W\), those before them were \(12, 16\)"):
        camera.step(np.zeros((1, 2, 2)), [1.0], state)
    with pytest.raises(ValueError, match=r"times\[0\] = 0\.0 s must be later"):
        camera.step(frames[:2], times[:2], state)


def test_frames_in_zero_to_one_are_pointed_out():
    with pytest.warns(UserWarning, match=r"in 0\.\.1 must be multiplied by 255"):
        EventCamera().simulate(np.full((2, 3, 4), 0.5), [0, 1], seed=0)


def test_fit_threshold_finds_the_threshold_that_made_the_events():
    frames, times = moving_texture(frames=20, height=40, width=60)
    target = len(dataclasses.replace(EventCamera(), threshold_on=0.31, threshold_off=0.31).simulate(frames, times, 0))
    fitted = fit_threshold(EventCamera(), frames, times, target, seed=0, tolerance=0.0)
    assert fitted.threshold_on == fitted.threshold_off == pytest.approx(0.31, rel=5e-3)
    assert len(fitted.simulate(frames, times, 0)) == target
    with pytest.raises(ValueError, match="never 1000000000; check"):
        fit_threshold(EventCamera(), frames, times, 10**9, seed=0)
    with pytest.raises(ValueError, match="target_count = 0"):
        fit_threshold(EventCamera(), frames, times, 0, seed=0)


def test_the_kernel_is_compiled_once():
    frames, times = moving_texture()
    for dtype in (np.uint8, np.float32):
        EventCamera(refractory=0, shot_noise_at_white=1).simulate(frames.astype(dtype), times.tolist(), np.int64(3))
    assert len(pixel.advance.signatures) == 1


def test_times_in_another_unit_are_pointed_out():
    frames = np.random.default_rng(0).uniform(0, 255, (3, 2, 2))
    with pytest.warns(UserWarning, match="frames lie 33333 s apart; times are in seconds"):
        IDEAL.simulate(frames, np.arange(3) * 33333, 0)
    with pytest.warns(UserWarning, match="tau = 20000 s is long for a time surface; tau is in seconds"):
        time_surface(EventArray.empty(2, 2), 20000, 100000)

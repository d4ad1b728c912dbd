"""The event camera: turns a video of intensities into the events that a sensor would send."""

import dataclasses
import math
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from spikelab.events import pixel
from spikelab.events.array import EventArray
from spikelab.events.photoreceptor import brightness, check_intensity, check_video, log_intensity

MIN_THRESHOLD = 0.01
"""Smallest threshold of any pixel in natural-log units; the spread of the thresholds is cut off here, as in v2e."""

_MICROSECOND = 1e-6


def _parameter(default: Any, unit: str, low: float, high: float) -> Any:
    return dataclasses.field(default=default, metadata={"unit": unit, "low": low, "high": high})


@dataclass(frozen=True, kw_only=True)
class EventCamera:
    """A simulated event camera (dynamic vision sensor).

    Each pixel follows the logarithm of its intensity and sends an event when it has changed by a threshold since the
    pixel's last event. The model is that of v2e (Hu, Liu and Delbruck 2021, "v2e: From video frames to realistic DVS
    events", CVPR Workshops), with the events placed in time by linear interpolation of the logarithm between frames, as
    in ESIM (Rebecq, Gehrig and Scaramuzza 2018, "ESIM: an open event camera simulator", CoRL), so that a pixel sends
    several events in one frame interval, each at its own time. Differences from v2e: the low-pass and the arrival of
    noise are solved in continuous time rather than in steps; a pixel is held during its refractory period and misses
    what changes meanwhile, where v2e only drops the events; the leak rate has a fixed spread but no jitter.

    Linear interpolation cannot know when between two frames an edge passed. Where things move by more than about a
    pixel from frame to frame, counts and polarities stay close to those of a real sensor, but the times within the
    interval do not: render at a higher rate (moves of half a pixel or less a frame) where times matter. On the frames
    of the slider_depth recording (Mueggler et al. 2017, "The event-camera dataset and simulator", IJRR), taken at
    25.8 Hz, the polarity maps of a frame interval correlate by 0.82 to 0.87 with those of the real sensor.

    The same seed gives the same events, whatever the number of threads or processes, and however the video is cut
    into pieces.

    Attributes:
        threshold_on: Mean change of log intensity for an ON event, natural-log units.
        threshold_off: Mean change of log intensity for an OFF event, natural-log units.
        threshold_mismatch: Standard deviation of the thresholds from pixel to pixel, natural-log units; drawn for ON
            and OFF independently.
        refractory: Time for which a pixel is held after an event, seconds.
        cutoff_hz: Cut-off frequency of the pixel's low-pass at white, hertz; falls with the intensity, to about a
            thirteenth in the dark. `math.inf` for no low-pass.
        leak_rate_hz: Rate of ON events of a pixel that sees no change, hertz, median over the pixels.
        shot_noise_rate_hz: Rate of noise events, ON and OFF together, of a pixel in the dark, hertz, median over the
            pixels. A pixel with a lower threshold has more.
        shot_noise_at_white: Shot-noise rate at white relative to that in the dark.
        noise_rate_spread: Standard deviation over the pixels of the common logarithm of the leak and shot-noise rates,
            decades.
        linear_until: Intensity (of 255) below which the response is linear rather than logarithmic.
        initial_difference: Where the pixels stand when the video starts. "random": anywhere between their two
            thresholds, as if the camera had been running; "zero": all as if they had just sent an event.
        pattern_seed: Seed of the fixed pattern (thresholds, leak and noise rates), to simulate one camera in many
            videos. None: from the seed of each simulation, as if each video came from another camera.

    Raises:
        TypeError: A parameter is not a number.
        ValueError: A parameter is out of its range.
    """

    threshold_on: float = _parameter(0.2, "natural-log units", MIN_THRESHOLD, 10.0)
    threshold_off: float = _parameter(0.2, "natural-log units", MIN_THRESHOLD, 10.0)
    threshold_mismatch: float = _parameter(0.03, "natural-log units", 0.0, 10.0)
    refractory: float = _parameter(0.5e-3, "seconds", 0.0, 10.0)
    cutoff_hz: float = _parameter(300.0, "hertz", 0.1, math.inf)
    leak_rate_hz: float = _parameter(0.01, "hertz", 0.0, 1e5)
    shot_noise_rate_hz: float = _parameter(0.001, "hertz", 0.0, 1e5)
    shot_noise_at_white: float = _parameter(0.25, "a ratio", 0.0, 1.0)
    noise_rate_spread: float = _parameter(0.1, "decades", 0.0, 2.0)
    linear_until: float = _parameter(20.0, "intensity of 255", 2.0, 255.0)
    initial_difference: Literal["random", "zero"] = "random"
    pattern_seed: int | None = None

    presets: ClassVar[tuple[str, ...]] = ("clean", "noisy")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if "unit" not in field.metadata:
                continue
            value, unit = getattr(self, field.name), field.metadata["unit"]
            low, high = field.metadata["low"], field.metadata["high"]
            if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
                raise TypeError(f"EventCamera: {field.name} = {value!r} must be a number ({unit})")
            if not low <= value <= high:
                remedy = "; for no low-pass use math.inf" if field.name == "cutoff_hz" else ""
                raise ValueError(f"EventCamera: {field.name} = {value} must lie in {low}..{high} ({unit}){remedy}")
        if self.initial_difference not in ("random", "zero"):
            raise ValueError(
                f'EventCamera: initial_difference = {self.initial_difference!r} must be "random" or "zero"'
            )
        if self.pattern_seed is not None:
            _check_seed("pattern_seed", self.pattern_seed)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """The camera "clean" or "noisy" with v2e's numbers, with some parameters changed if wanted.

        "clean": mismatch 0.02, nothing else. "noisy": mismatch 0.05, low-pass at 30 Hz, 0.1 Hz of leak events and 5 Hz
        of shot noise. Neither has a refractory period. "clean" starts all pixels at zero.

        Raises:
            ValueError: There is no such preset.
        """
        numbers: dict[str, dict[str, Any]] = {
            "clean": {
                "threshold_mismatch": 0.02,
                "cutoff_hz": math.inf,
                "leak_rate_hz": 0.0,
                "shot_noise_rate_hz": 0.0,
                "initial_difference": "zero",
            },
            "noisy": {
                "threshold_mismatch": 0.05,
                "cutoff_hz": 30.0,
                "leak_rate_hz": 0.1,
                "shot_noise_rate_hz": 5.0,
            },
        }
        if name not in numbers:
            raise ValueError(f"EventCamera: no preset {name!r}; there are {', '.join(cls.presets)}")
        return cls(**{"refractory": 0.0, **numbers[name], **changes})

    def log_intensity(self, frame: npt.NDArray) -> npt.NDArray[np.float64]:
        """The response to a frame: logarithmic above `linear_until`, linear and through zero below."""
        return log_intensity(np.asarray(frame), float(self.linear_until))

    def simulate(self, frames: npt.ArrayLike, times: npt.ArrayLike, seed: int) -> EventArray:
        """Simulate a whole video.

        Args:
            frames: Linear intensities in 0..255, `[F, H, W]`, of any real type. The frames are read one by one, so a
                memory-mapped array need not fit into memory.
            times: Time of each frame in seconds, `[F]`, increasing.
            seed: Seed of everything random, 0 or larger.

        Returns:
            The events between the first and the last frame, sorted by time; equal times are in the order of the frame
            interval, then row by row. A single frame gives none.

        Raises:
            TypeError: The frames are not real numbers, or the seed is not an integer.
            ValueError: Shapes do not fit, a time does not increase, or an intensity is negative or not finite.
        """
        frames, seconds = check_video(frames, times)
        state = self.start(frames[0], float(seconds[0]), seed)
        return self._continue(frames[1:], seconds[1:], state, first_index=1)[0]

    def start(self, frame: npt.ArrayLike, time: float, seed: int) -> "CameraState":
        """Begin a video that is simulated piece by piece with `step`.

        Args:
            frame: First frame, `[H, W]`, linear intensities in 0..255.
            time: Time of the frame in seconds.
            seed: Seed of everything random, 0 or larger.

        Returns:
            The state of the camera at the first frame.

        Raises:
            TypeError: The frame is not real numbers, or the seed is not an integer.
            ValueError: The frame is not `[H, W]`, or an intensity or the time is not valid.
        """
        _check_seed("seed", seed)
        first, times = check_video(np.asarray(frame)[None], [time])
        height, width = first.shape[1:]
        intensity = check_intensity(first[0], 0)
        if intensity.dtype.kind == "f" and 0 < intensity.max() <= 1:
            warnings.warn(
                f"EventCamera: the first frame reaches only {intensity.max():.3g}; white is 255, so frames in 0..1 "
                "must be multiplied by 255",
                stacklevel=2,
            )
        pattern_seed = seed if self.pattern_seed is None else self.pattern_seed
        pattern = self._draw_pattern(height * width, np.random.default_rng([pattern_seed, 1]))
        generator = np.random.default_rng([seed, 2])
        pixels = np.zeros((pixel.STATE_ROWS, height * width))
        if self.initial_difference == "random":
            low, high = -pattern[pixel.THRESHOLD_OFF], pattern[pixel.THRESHOLD_ON]
            pixels[pixel.DIFFERENCE] = generator.uniform(low, high)
        pixels[pixel.HELD_UNTIL] = -math.inf
        log_start = self.log_intensity(intensity).ravel()
        pixels[pixel.LEVEL] = log_start
        pixels[pixel.NOISE_LEFT] = generator.exponential(size=height * width)
        key = np.random.SeedSequence([seed, 3]).generate_state(1, np.uint64)[0]
        return CameraState(self, float(times[0]), intensity, log_start, pixels, pattern, key)

    def step(
        self, frames: npt.ArrayLike, times: npt.ArrayLike, state: "CameraState"
    ) -> tuple[EventArray, "CameraState"]:
        """Simulate the next frames of a video.

        Args:
            frames: The frames after those already seen, `[F, H, W]`, or one frame, `[H, W]`.
            times: Their times in seconds, `[F]`, or one number.
            state: The state that `start` or the last `step` returned; it is not changed, so a piece can be repeated.

        Returns:
            The events from the last frame already seen to the last of these, and the state there. The pieces of a
            video, joined by `EventArray.concatenate`, are exactly what `simulate` returns for the whole.

        Raises:
            TypeError: The frames are not real numbers.
            ValueError: Shapes do not fit, a time does not increase, an intensity is negative or not finite, or the
                state is that of another camera.
        """
        if state.camera != self:
            raise ValueError("EventCamera: the state belongs to a camera with other parameters; use that camera")
        if np.ndim(frames) == 2 and np.ndim(times) == 0:
            frames, times = np.asarray(frames)[None], np.asarray(times)[None]
        frames, seconds = check_video(frames, times, after=state.time, shape=state.intensity.shape)
        return self._continue(frames, seconds, state, first_index=0)

    def _continue(
        self, frames: npt.NDArray, seconds: npt.NDArray[np.float64], state: "CameraState", first_index: int
    ) -> tuple[EventArray, "CameraState"]:
        height, width = state.intensity.shape
        parts = [EventArray.empty(width, height)]
        buffer = pixel.EventBuffer()
        for i, time in enumerate(seconds):
            intensity = check_intensity(frames[i], first_index + i)
            columns, state = self._interval(intensity, float(time), state, buffer)
            parts.append(EventArray._trusted(columns, width, height))
        return EventArray.concatenate(parts), state

    def _interval(
        self, intensity: npt.NDArray, time: float, state: "CameraState", buffer: pixel.EventBuffer
    ) -> tuple[tuple[np.ndarray, ...], "CameraState"]:
        """Go on to the next frame; returns the sorted columns x, y, t and p, and the state at that frame."""
        tau = 0.0 if math.isinf(self.cutoff_hz) else 1.0 / (2 * math.pi * self.cutoff_hz * _MICROSECOND)
        start, end = state.time / _MICROSECOND, time / _MICROSECOND
        log_end = self.log_intensity(intensity).ravel()
        bright = brightness(state.intensity, intensity)
        pixels, address, t, p = buffer.advance(
            state.pixels,
            state.pattern,
            state.log_intensity,
            log_end,
            bright,
            np.exp(bright * ((start - end) / tau)) if tau else bright,
            start,
            end,
            self.refractory / _MICROSECOND,
            tau,
            float(self.shot_noise_at_white),
            state.key,
        )
        y, x = np.divmod(address, intensity.shape[1])
        return (x, y, t, p), dataclasses.replace(
            state, time=time, intensity=intensity, log_intensity=log_end, pixels=pixels
        )

    def _draw_pattern(self, count: int, generator: np.random.Generator) -> npt.NDArray[np.float64]:
        pattern = np.empty((pixel.PATTERN_ROWS, count))
        for row, mean in ((pixel.THRESHOLD_ON, self.threshold_on), (pixel.THRESHOLD_OFF, self.threshold_off)):
            pattern[row] = np.maximum(generator.normal(mean, self.threshold_mismatch, count), MIN_THRESHOLD)
        leak_spread, noise_spread = 10.0 ** generator.normal(0.0, self.noise_rate_spread, (2, count))
        pattern[pixel.LEAK] = self.leak_rate_hz * _MICROSECOND * pattern[pixel.THRESHOLD_ON] * leak_spread
        # The lower a pixel's threshold, the more of its noise crosses it (v2e).
        noise_on = self.threshold_on / pattern[pixel.THRESHOLD_ON]
        noise_off = self.threshold_off / pattern[pixel.THRESHOLD_OFF]
        rate = self.shot_noise_rate_hz * _MICROSECOND * noise_spread
        pattern[pixel.NOISE_RATE] = 0.5 * rate * (noise_on + noise_off)
        pattern[pixel.NOISE_ON_SHARE] = noise_on / (noise_on + noise_off)
        return pattern


@dataclass(frozen=True, eq=False)
class CameraState:
    """An event camera in the middle of a video; made by `EventCamera.start`, never changed.

    Attributes:
        camera: The camera.
        time: Time of the last frame, seconds.
        intensity: The last frame, `[H, W]`.
        log_intensity: The response to the last frame, `[H * W]`, natural-log units.
        pixels: State of the pixels, `[5, H * W]`; its rows are named in `spikelab.events.pixel`.
        pattern: What makes one pixel differ from the next, `[5, H * W]`; rows likewise.
        key: Key of the random numbers.
    """

    camera: EventCamera
    time: float
    intensity: npt.NDArray
    log_intensity: npt.NDArray[np.float64]
    pixels: npt.NDArray[np.float64]
    pattern: npt.NDArray[np.float64]
    key: np.uint64


def _check_seed(name: str, seed: Any) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"EventCamera: {name} = {seed!r} must be an integer")
    if seed < 0:
        raise ValueError(f"EventCamera: {name} = {seed} must not be negative")

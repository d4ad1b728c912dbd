"""One sample of the procedural streets: which conditions it has, what the event camera and the frame camera see.

The two cameras fail in different conditions, for the reason for which they fail in a real car. The frame camera has 8
bits and one exposure: in the dark its signal drowns in read noise, against the light most of it is clipped, and a long
exposure in a turn smears it. The event camera measures relative change over a wide range of light (a DVS: 120 dB), so
its events are simulated from the scene's radiance, before any exposure; in the dark they are only slower and noisier.
But where the ego vehicle stands still, nothing changes except what moves by itself, and the event camera is nearly
blind while the frame is perfect.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spikelab.datasets.cache import RawSample, write_shard
from spikelab.datasets.roads.compose import compose
from spikelab.datasets.roads.render import Lens, Renderer
from spikelab.events import EventCamera

# Shares of the conditions. Each is given to a fixed share of the samples of every split, not drawn anew.
CONDITIONS: tuple[tuple[tuple[str, ...], float], ...] = (
    (("clean",), 0.12),
    (("dark",), 0.15),
    (("saturated",), 0.15),
    (("blurred",), 0.15),
    (("stopped",), 0.40),
    (("dark", "stopped"), 0.03),
)
READ_NOISE = 2.0  # standard deviation of the frame's noise in the dark, grey levels of 255
PHOTON_NOISE = 0.02  # variance of the frame's noise per grey level
_SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class RoadsSettings:
    """Everything that the bytes of a sample depend on, beside its split and its number.

    Attributes:
        height: of the picture, pixels.
        width: of the picture, pixels.
        seed: of the whole data set.
        window: length of the event window, which ends at the moment of frame and label, seconds.

    Raises:
        ValueError: if a value is out of range.
    """

    height: int = 96
    width: int = 160
    seed: int = 0
    window: float = 0.05

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            if not 16 <= getattr(self, name) <= 2048:
                raise ValueError(f"roads: {name} is {getattr(self, name)}, must lie between 16 and 2048 pixels")
        if self.seed < 0:
            raise ValueError(f"roads: seed is {self.seed}, must not be negative")
        if not 0.005 <= self.window <= 0.5:
            raise ValueError(f"roads: window is {self.window}, must lie between 0.005 and 0.5 seconds")


def event_camera(conditions: Sequence[str]) -> EventCamera:
    """The event camera in these conditions: slower and noisier in the dark."""
    if "dark" in conditions:
        return EventCamera(cutoff_hz=100.0, leak_rate_hz=0.1, shot_noise_rate_hz=3.0)
    return EventCamera(cutoff_hz=300.0, leak_rate_hz=0.1, shot_noise_rate_hz=0.5)


def sample_conditions(settings: RoadsSettings, split: str, index: int) -> tuple[str, ...]:
    """Conditions of a sample, spread evenly: any run of consecutive samples has close to the shares in `CONDITIONS`."""
    start = np.random.default_rng([settings.seed, _SPLITS.index(split), 1]).random()
    place = (start + index * (math.sqrt(5.0) - 1.0) / 2.0) % 1.0  # golden-ratio sequence
    for conditions, share in CONDITIONS:
        if place < share:
            return conditions
        place -= share
    return CONDITIONS[-1][0]


def make_sample(settings: RoadsSettings, split: str, index: int) -> RawSample:
    """Render one sample; the result depends on the arguments only.

    Args:
        settings: of the data set.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        index: number of the sample in its split.
    """
    rng = np.random.default_rng([settings.seed, _SPLITS.index(split), 0, index])
    conditions = sample_conditions(settings, split, index)
    scene = compose(rng, stopped="stopped" in conditions)
    exposure = rng.uniform(0.003, 0.008)
    if "blurred" in conditions:
        exposure = rng.uniform(0.1, 0.2)
        scene = dataclasses.replace(
            scene,
            yaw_rate=float(rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.0)),
            vibration=float(rng.uniform(0.006, 0.014)),
        )
    radiance = rng.uniform(0.25, 0.5) if "dark" in conditions else rng.uniform(0.8, 1.6)
    renderer = Renderer(scene, Lens(settings.height, settings.width))

    # Sub-frames close enough that nothing moves by more than about a pixel from one to the next.
    steps = min(64, max(6, math.ceil(renderer.largest_motion(settings.window))))
    times = np.linspace(-settings.window, 0.0, steps + 1)
    pictures = np.stack([renderer.luminance(time) for time in times])
    camera = event_camera(conditions)
    camera_seed = int(rng.integers(1 << 31))
    events = camera.simulate(pictures * np.float32(radiance), times + settings.window, seed=camera_seed)

    exposed = pictures[times >= -exposure - 1e-9]
    if exposure > settings.window:  # the shutter opened before the event window
        step = 2.0 * settings.window / steps
        earlier = np.arange(-settings.window - step, -exposure, -step)
        exposed = np.concatenate([exposed[::2], np.stack([renderer.luminance(time) for time in earlier])])
    frame = _frame(exposed.mean(axis=0), conditions, rng)
    return RawSample(events, frame, renderer.label(0.0), conditions)


def _frame(picture: np.ndarray, conditions: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """The 8-bit frame of an exposure: automatic gain, or one that the conditions defeat, then noise and clipping."""
    if "dark" in conditions:
        gain = rng.uniform(0.3, 1.5) / picture.mean()  # signal of about one grey level under noise of two
    elif "saturated" in conditions:
        gain = 255.0 / np.percentile(picture, rng.uniform(2.0, 10.0))  # set for a tunnel: 90 % and more is white
    else:
        gain = rng.uniform(85.0, 135.0) / picture.mean()
    signal = gain * picture
    noise = np.sqrt(READ_NOISE**2 + PHOTON_NOISE * signal) * rng.standard_normal(picture.shape)
    return np.clip(np.rint(signal + noise), 0, 255).astype(np.uint8)


def make_shard(path: Path, start: int, stop: int, *, settings: RoadsSettings, split: str, key: str) -> None:
    """Write samples `start` to `stop` of a split to a shard."""
    write_shard(path, [make_sample(settings, split, index) for index in range(start, stop)], key)


def compile_renderer() -> None:
    """Compile everything that `make_sample` runs, or load it from Numba's cache."""
    make_sample(RoadsSettings(height=16, width=16), "train", 0)

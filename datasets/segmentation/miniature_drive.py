"""A short drive through a procedural street, seen by an event camera and a frame camera, for miniature data sets.

It is drawn by the renderer of `spikelab.datasets.roads`. Camera matrices follow from how that renderer looks at a
scene: level, so the row of the horizon is that of the principal point.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from spikelab.datasets.roads.compose import compose
from spikelab.datasets.roads.render import Lens, Renderer
from spikelab.datasets.roads.scene import Scene
from spikelab.events import EventArray, EventCamera

_EXPOSURE = 160.0  # brightness of the mean of a frame's pixels


@dataclasses.dataclass(frozen=True)
class View:
    """A camera on the car.

    Attributes:
        height: pixels.
        width: pixels.
        focal: focal length over width.
        yaw: turned to the right of the car's own camera, radians.
    """

    height: int
    width: int
    focal: float = 0.9
    yaw: float = 0.0


class MiniatureDrive:
    """A drive at a steady speed.

    Args:
        seed: of the street.
        number: of the drive; each has a street of its own.
    """

    def __init__(self, seed: int, number: int):
        rng = np.random.default_rng([seed, number])
        # no shaking: a camera that is tilted could not be described by one matrix
        self.scene: Scene = dataclasses.replace(compose(rng, stopped=False), yaw_rate=0.0, vibration=0.0)

    def camera_matrix(self, view: View) -> np.ndarray:
        """Intrinsic matrix, float64 ``[3, 3]``; pixel centres have whole numbers."""
        focal = view.focal * view.width
        return np.array(
            [[focal, 0, view.width / 2 - 0.5], [0, focal, self.scene.horizon * view.height - 0.5], [0, 0, 1]]
        )

    def renderer(self, view: View, bonnet: float = 0.0) -> Renderer:
        """Draws what a camera sees."""
        scene = dataclasses.replace(self.scene, yaw=self.scene.yaw + view.yaw)
        return Renderer(scene, Lens(view.height, view.width, view.focal), bonnet)

    @staticmethod
    def frame(renderer: Renderer, time: float, gain: float) -> np.ndarray:
        """The 8-bit grey picture of a moment, uint8 ``[H, W]``."""
        return np.clip(np.rint(renderer.luminance(time) * gain), 0, 255).astype(np.uint8)

    @staticmethod
    def gain(renderer: Renderer) -> float:
        """Exposure that suits a drive."""
        return _EXPOSURE / float(renderer.luminance(0.0).mean())


def simulated(pictures: np.ndarray, times: np.ndarray, seed: int) -> EventArray:
    """Events of a camera without noise.

    Args:
        pictures: luminance, float32 ``[N, H, W]``.
        times: seconds, ``[N]``, from 0.
        seed: of the mismatch of its pixels.
    """
    return EventCamera(leak_rate_hz=0.0, shot_noise_rate_hz=0.0).simulate(pictures, times, seed=seed)

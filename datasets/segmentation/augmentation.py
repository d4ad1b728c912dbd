"""Random changes of training samples that events, frame and label undergo together."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What is changed at random.

    Which change a sample undergoes depends on the data set's seed, the epoch and the sample's index only, so a resumed
    run sees the same pictures, whatever the number of loading processes.

    Attributes:
        flip: probability of a mirror image (left and right exchanged).
        crop: height and width that are cut out at a random place; None keeps the whole picture.
        gain: the frame's brightness is multiplied by a factor drawn log-uniformly from ``1 / (1 + gain)`` to ``1 +
            gain`` (clipped at white); events, which measure relative change, stay as they are. 0 changes nothing.

    Raises:
        ValueError: if a value lies outside of its range.
    """

    flip: float = 0.0
    crop: tuple[int, int] | None = None
    gain: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.flip <= 1.0:
            raise ValueError(f"augmentation: flip is {self.flip}, must be a probability from 0 to 1")
        if not (self.gain >= 0.0 and np.isfinite(self.gain)):
            raise ValueError(f"augmentation: gain is {self.gain}, must be 0 or more")
        if self.crop is not None and (len(self.crop) != 2 or min(self.crop) < 1):
            raise ValueError(f"augmentation: crop is {self.crop}, must be a height and a width of at least one pixel")

    @property
    def identity(self) -> bool:
        """Whether nothing is ever changed."""
        return self == Augmentation()

    def check_size(self, height: int, width: int) -> None:
        """Raise ValueError where the crop is larger than the picture."""
        if self.crop is not None and (self.crop[0] > height or self.crop[1] > width):
            raise ValueError(
                f"augmentation: crop is {self.crop}, larger than the data set's picture ({height}, {width})"
            )

    def __call__(
        self, events: np.ndarray, frame: np.ndarray, label: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Change one sample.

        Args:
            events: ``[T, 2, H, W]``.
            frame: ``[1, H, W]`` in 0..1.
            label: ``[H, W]``.
            rng: source of randomness; the same number of draws is taken whatever the outcome.

        Returns:
            The changed arrays, contiguous; the given ones are left alone.
        """
        mirrored = rng.random() < self.flip
        place, brightness = rng.random(2), rng.uniform(-1.0, 1.0)
        if self.crop is not None:
            height, width = self.crop
            top = int(place[0] * (label.shape[0] - height + 1))
            left = int(place[1] * (label.shape[1] - width + 1))
            rows, columns = slice(top, top + height), slice(left, left + width)
            events, frame, label = events[..., rows, columns], frame[..., rows, columns], label[rows, columns]
        if mirrored:
            events, frame, label = events[..., ::-1], frame[..., ::-1], label[..., ::-1]
        if self.gain > 0.0:
            frame = np.minimum(frame * np.float32((1.0 + self.gain) ** brightness), np.float32(1.0))
        return np.ascontiguousarray(events), np.ascontiguousarray(frame), np.ascontiguousarray(label)

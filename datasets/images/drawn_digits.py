"""Digits drawn by this program: a classification data set that needs no download.

Each picture is a digit in Pillow's own typeface, at a random size, place, angle, slant and thickness, with noise. It is
for trying things out; figures that are to be compared with others belong on MNIST, which has the same form.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from torch.utils.data import Dataset

from spikelab.datasets.images.mnist import ImageSample

SIDE = 28
#: Drawn larger and shrunk, so that edges are smooth.
_TIMES = 3
_SPLITS = {"train": 0, "validation": 1, "test": 2}


class DrawnDigits(Dataset[ImageSample]):
    """Drawn digits, 28 x 28, the ten classes in turn; each picture a pure function of seed, split and index.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        train: pictures of the training split; validation and test have a fifth of that.
        noise: standard deviation of the grey noise, 0 to 1.
        seed: another seed draws other pictures.

    Raises:
        ValueError: if there is no such split, or a number makes no sense.
    """

    class_names: Sequence[str] = tuple("0123456789")

    def __init__(self, split: str, *, train: int = 4000, noise: float = 0.1, seed: int = 0):
        if split not in _SPLITS:
            raise ValueError(f"drawn_digits: split is {split!r}, must be one of {', '.join(_SPLITS)}")
        if train < 50 or not 0 <= noise <= 1 or seed < 0:
            raise ValueError(
                f"drawn_digits: train = {train}, noise = {noise}, seed = {seed}: use at least 50 pictures, noise of 0 "
                f"to 1 and a seed of 0 or more"
            )
        self.split, self.noise, self.seed = split, noise, seed
        self._length = train if split == "train" else train // 5
        self._drawn: dict[int, NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> ImageSample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)} in split {self.split!r}")
        index %= len(self)
        if index not in self._drawn:
            self._drawn[index] = self._draw(index)
        image = self._drawn[index].astype(np.float32)[None] / np.float32(255)
        return {"image": torch.from_numpy(image), "label": torch.tensor(index % 10)}

    def _draw(self, index: int) -> NDArray[np.uint8]:
        random = np.random.default_rng([self.seed, _SPLITS[self.split], index])
        side = SIDE * _TIMES
        canvas = Image.new("L", (side, side))
        font = ImageFont.load_default(float(random.uniform(0.6, 0.9) * side))
        place = tuple(side / 2 + random.uniform(-0.08, 0.08, 2) * side)
        thickness = int(random.integers(0, _TIMES))
        ImageDraw.Draw(canvas).text(
            place, str(index % 10), fill=255, font=font, anchor="mm", stroke_width=thickness, stroke_fill=255
        )
        angle, slant = random.uniform(-20, 20), random.uniform(-0.2, 0.2)
        leaning = (1, slant, -slant * side / 2, 0, 1, 0)
        canvas = canvas.rotate(angle, Image.Resampling.BICUBIC)
        canvas = canvas.transform(canvas.size, Image.Transform.AFFINE, leaning, Image.Resampling.BICUBIC)
        canvas = canvas.filter(ImageFilter.GaussianBlur(float(random.uniform(0.3, 1.0) * _TIMES)))
        small = np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.BOX), np.float64)
        noisy = small + random.normal(0, 255 * self.noise, small.shape)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

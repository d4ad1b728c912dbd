"""The words that tell a firmware author how pictures become spikes are true."""

import numpy as np
import torch

from spikelab.models.classifier import SpikingClassifier


def test_rate_code_in_words():
    model = SpikingClassifier(hidden=[4], steps=9, image_shape=(1, 3, 5))
    part = model.spiking_part({"image": [1, 3, 5]})
    assert "starts at 127, gains the pixel at each step, and where it reaches 255 there is a spike" in part.encoding
    pixels = np.random.default_rng(0).integers(0, 256, (2, 1, 3, 5))
    train = part.encode({"image": torch.as_tensor(pixels / 255, dtype=torch.float32)}).numpy()
    sums = np.full((2, 15), 127)
    for step in train:
        sums += pixels.reshape(2, 15)
        spikes = sums >= 255
        assert np.array_equal(step, spikes)
        sums -= 255 * spikes


def test_latency_code_in_words():
    model = SpikingClassifier(hidden=[4], steps=9, code="latency", image_shape=(1, 1, 4))
    part = model.spiking_part({"image": [1, 1, 4]})
    assert "one spike at step round((1 - pixel) * 8), 0 never" in part.encoding
    image = torch.tensor([0.0, 0.3, 0.77, 1.0])
    train = part.encode({"image": image.reshape(1, 1, 1, 4)})[:, 0]
    assert train[:, 0].sum() == 0
    for pixel, spikes in zip(image[1:].tolist(), train.T[1:], strict=True):
        assert spikes.nonzero().flatten().tolist() == [round((1 - pixel) * 8)]

"""Writes a small set of spoken digits as the real one is published."""

import wave

import numpy as np


def spoken_digits(folder, seed=0):
    """Two people who say three digits three times, a tone with noise each."""
    rng, time = np.random.default_rng(seed), np.arange(2400) / 8000
    for name in ("ann", "bob"):
        for digit in (0, 4, 9):
            for number in range(3):
                tone = np.sin(2 * np.pi * (200 + 200 * digit) * time) + rng.normal(0, 0.1, time.size)
                with wave.open(str(folder / f"{digit}_{name}_{number}.wav"), "wb") as file:
                    file.setnchannels(1)
                    file.setsampwidth(2)
                    file.setframerate(8000)
                    file.writeframes((tone * 8000).astype("<i2").tobytes())

"""Writes a small ATIS alphabet as the real one is published."""

import json

import numpy as np
import scipy.io


def atis_alphabet(folder, seed=0):
    """Two passes of two characters and a third of one, of 100 to 104 events."""
    rng = np.random.default_rng(seed)
    cells = np.empty((1, 5), object)
    for place in range(5):
        count = 100 + place
        cells[0, place] = {
            "x": rng.integers(1, 33, count).astype(np.uint8), "y": rng.integers(1, 33, count).astype(np.uint8),
            "p": rng.choice([-1, 1], count).astype(np.int16),
            "ts": np.sort(rng.integers(0, 90_000, count)).astype(np.int32),
        }  # fmt: skip
    scipy.io.savemat(folder / "letters.mat", {"ROI": cells})
    (folder / "labels.json").write_text(json.dumps(["B", "A", "B", "A", "A"]))

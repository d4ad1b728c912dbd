"""Writers of every event format, so that readers are tried on recordings whose answer is known.

`encode_<format>.py` beside this file writes one format, independently of its reader. It has a function
``write(path, events)`` and may have ``WIDTH``, ``HEIGHT`` and ``LAST`` (microseconds), the largest that the format, or
the camera of the written file, can hold.
"""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from spikelab import registry
from spikelab.events import EventArray

sys.path.insert(0, str(Path(__file__).parent))


class Encoder:
    """Writes recordings of one format."""

    def __init__(self, name):
        self.name = name
        module = importlib.import_module(f"encode_{name}")
        self.write = module.write
        self.width, self.height = getattr(module, "WIDTH", 320), getattr(module, "HEIGHT", 240)
        self.last = getattr(module, "LAST", 30_000_000)
        self.spaced = getattr(module, "SPACED", False)
        self.options = {"size": (self.height, self.width)} if getattr(module, "SIZELESS", False) else {}

    def events(self, count, seed=0):
        """Random events with runs of equal times, and neighbours in a row; as many as asked for."""
        rng = np.random.default_rng(seed)
        t = np.sort(rng.integers(0, self.last, count))
        t[: count // 2] = np.repeat(t[: count // 2 : 7], 7)[: count // 2]
        x, y = rng.integers(0, self.width, count), rng.integers(0, self.height, count)
        x[: count // 3] = np.arange(count // 3) % self.width
        y[: count // 3] = np.arange(count // 3) // self.width % self.height
        return EventArray(x, y, np.sort(t), rng.integers(0, 2, count), self.width, self.height)


@pytest.fixture(params=registry.names("event_formats"))
def encoder(request) -> Encoder:
    return Encoder(request.param)


@pytest.fixture(scope="session")
def encoder_of():
    return Encoder

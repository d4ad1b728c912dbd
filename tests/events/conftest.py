"""Real recordings for the event tests."""

import gzip
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spikelab.events import EventArray


@dataclass(frozen=True)
class Recording:
    """Events of a real camera and the frames that it took meanwhile: `[F, H, W]`, uint8, at `times` (seconds)."""

    events: EventArray
    frames: np.ndarray
    times: np.ndarray

    def interval(self, k):
        """Microseconds of the frames `k` and `k + 1`."""
        return tuple(int(t) for t in np.rint(self.times[k : k + 2] * 1e6))


def find_recording(data: Path) -> Path:
    """The folder under `data` that holds a text recording with frames: images.txt, an archive of frames, events."""
    for listing in sorted(data.glob("*/images.txt")):
        if list(listing.parent.glob("*.zip")) and list(listing.parent.glob("*events*.txt.gz")):
            return listing.parent
    pytest.skip(f"no recording with images.txt, frames in a zip and gzipped text events under {data}")


@pytest.fixture(scope="session")
def recording(shared) -> Recording:
    folder = find_recording(shared / "data")
    listing = [line.split() for line in (folder / "images.txt").read_text().splitlines() if line.strip()]
    times = np.array([float(time) for time, _ in listing])
    with zipfile.ZipFile(next(folder.glob("*.zip"))) as archive:
        members = {Path(name).name: name for name in archive.namelist()}
        frames = [Image.open(io.BytesIO(archive.read(members[Path(name).name]))) for _, name in listing]
        frames = np.stack([np.asarray(frame.convert("L")) for frame in frames])
    with gzip.open(next(folder.glob("*events*.txt.gz")), "rt") as file:
        t, x, y, p = np.loadtxt(file, unpack=True)
    microseconds = np.rint(t * 1e6).astype(np.int64)
    height, width = frames.shape[1:]
    return Recording(
        EventArray(x.astype(int), y.astype(int), microseconds, p.astype(int), width, height), frames, times
    )

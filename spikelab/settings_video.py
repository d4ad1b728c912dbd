"""Settings of the commands for compressed video; see ``spikelab.settings``."""

from dataclasses import dataclass
from typing import Literal

from spikelab.settings import _check_device, _require


@dataclass(frozen=True)
class DataTranscode:
    """Code video files anew, so that their motion vectors can be read: short groups of pictures, no B-frames."""

    source: str
    """A video file; or a folder, with all video files in it and below."""
    folder: str = "transcoded"
    """Folder for the new files, .mp4, in the same folders below it; those that were made so already are kept."""
    codec: Literal["mpeg4", "h264"] = "mpeg4"
    """mpeg4 is MPEG-4 part 2, whose residuals are exact; h264 makes smaller files."""
    group: int = 12
    """Frames from one I-frame to the next."""
    quality: int | None = None
    """1 (best) to 31 for mpeg4, 4 if left out; 0 (best) to 51 for h264, 23 if left out."""
    width: int = 0
    """Pixels of the new pictures; 0 follows from the height, or keeps the old width where that is 0 too."""
    height: int = 0
    """Pixels of the new pictures; 0 follows from the width, or keeps the old height where that is 0 too."""
    overwrite: bool = False
    """Make files again that are there already."""
    threads: int = 1
    """How many files are made at a time."""
    json: str | None = None
    """Write the figures to this file."""

    def __post_init__(self) -> None:
        _require(1 <= self.group <= 600, "group", self.group, "a group of pictures has 1 to 600 frames")
        best, worst = (1, 31) if self.codec == "mpeg4" else (0, 51)
        good = self.quality is None or best <= self.quality <= worst
        _require(good, "quality", self.quality, f"{self.codec} takes {best} (best) to {worst} (worst)")
        for name in ("width", "height"):
            pixels = getattr(self, name)
            _require(pixels == 0 or 16 <= pixels <= 8190, name, pixels, "use 16 to 8190 pixels, or 0 for the old ones")
        _require(self.threads >= 1, "threads", self.threads, "use 1 or more")


@dataclass(frozen=True)
class BenchVideo:
    """Speed and energy of a model of compressed video, beside the same model that sees all pictures decoded."""

    run: str
    """Folder of a trained run of the model compressed_video."""
    split: str = "test"
    """Part of its data set; files are read anew, past any cache."""
    videos: int = 32
    """How many videos, evenly spaced over the split."""
    batch_size: int = 8
    """Videos per forward pass."""
    rounds: int = 5
    """How often both have their turn; ratios are medians over the rounds."""
    table: str = "45nm_float32"
    """Named table of what operations cost, for the estimated energy."""
    device: str = "cpu"
    """Where the models run: cpu, cuda, cuda:N, mps; auto takes a GPU where there is one."""
    threads: int = 1
    """CPU threads; 0 leaves the choice to torch."""
    json: str | None = None
    """Write the figures to this file."""

    def __post_init__(self) -> None:
        for name in ("videos", "batch_size", "rounds"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "must be at least 1")
        _require(self.threads >= 0, "threads", self.threads, "use 0 (torch's choice) or more")
        _check_device(self.device)

"""Settings of the commands for event files; see ``spikelab.settings``."""

from dataclasses import dataclass
from typing import Literal

from spikelab.settings import _require


@dataclass(frozen=True, kw_only=True)
class EventFileOptions:
    """How an event file is read: what all commands for such files have in common."""

    format: str | None = None
    """Its format; left out, it is found out by what is in the file. `spikelab info` lists the formats."""
    stream: str | None = None
    """Which camera, topic or recording, where a file has several."""
    unit: Literal["s", "ms", "us", "ns"] | None = None
    """Unit of time, for tables that name none; left out, it is guessed from the numbers."""
    size: list[int] | None = None
    """Height and width of the sensor in pixels, for files that do not say, such as 180,240."""
    damaged: Literal["error", "keep"] = "error"
    """Bytes that make no sense: an error, or keep what is before them."""
    disorder: Literal["sort", "error"] = "sort"
    """Events that come up to 10 ms late: put them in their place, or an error."""
    resets: Literal["error", "continue"] = "error"
    """A clock that was set back: an error, or let time go on from the last event."""
    outside: Literal["error", "drop"] = "error"
    """Events beyond the sensor: an error, or leave them out."""
    json: str | None = None
    """Write the figures to this file."""

    def __post_init__(self) -> None:
        good = self.size is None or (len(self.size) == 2 and min(self.size) >= 1)
        _require(good, "size", self.size, "give height and width, such as 260,346")


@dataclass(frozen=True)
class DataInfo(EventFileOptions):
    """Tell what is in an event file: format, camera, size, number of events, times, rates, pictures, triggers."""

    file: str
    """The event file, or the folder for formats that are folders."""


@dataclass(frozen=True)
class DataConvert(EventFileOptions):
    """Convert an event file of any format into one that opens fast everywhere."""

    file: str
    """The event file, or the folder for formats that are folders."""
    to: str
    """The new file; its ending chooses the form unless --form does: .h5 or .hdf5, .npz."""
    form: Literal["hdf5", "dsec_hdf5", "npz"] | None = None
    """hdf5 is ours, dsec_hdf5 that of DSEC's events.h5, npz a NumPy archive (which must fit in memory)."""
    start: float | None = None
    """Leave out what is before this time, in seconds of the file's clock."""
    stop: float | None = None
    """Leave out what is from this time on, in seconds of the file's clock."""
    relative: bool = False
    """Count --start and --stop from the first event, not on the file's clock."""
    overwrite: bool = False
    """Replace a file that is there already."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_times(self.start, self.stop)


@dataclass(frozen=True)
class DataPlay(EventFileOptions):
    """Make a video of an event file, or a strip of pictures: ON events red, OFF events blue."""

    file: str
    """The event file, or the folder for formats that are folders."""
    to: str
    """The new file: .mp4, .avi or .mkv for a video, .png for a strip of pictures."""
    window: float = 33.0
    """Milliseconds of events in a picture."""
    rate: float = 30.0
    """Pictures of the video a second; 30 with windows of 1 ms is slow motion, 33 times."""
    pictures: int = 8
    """Pictures of a strip, evenly spread over the time."""
    start: float | None = None
    """Begin at this time, in seconds of the file's clock; before the first event nothing is drawn."""
    stop: float | None = None
    """End at this time, in seconds of the file's clock."""
    relative: bool = False
    """Count --start and --stop from the first event, not on the file's clock."""
    overwrite: bool = False
    """Replace a file that is there already."""
    frames: bool = True
    """Show the camera's own pictures behind the events, where the file has them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_times(self.start, self.stop)
        _require(self.window >= 0.001, "window", self.window, "a window has at least 0.001 ms")
        _require(0 < self.rate <= 1000, "rate", self.rate, "use up to 1000 pictures a second")
        _require(1 <= self.pictures <= 100, "pictures", self.pictures, "a strip has 1 to 100 pictures")


def _check_times(start: float | None, stop: float | None) -> None:
    late = start is not None and stop is not None and stop <= start
    _require(not late, "stop", stop, f"must be later than start = {start}")

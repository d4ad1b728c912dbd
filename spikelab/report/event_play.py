"""The `spikelab data play` command: an event file as a video, or as a strip of pictures."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from spikelab.events import EventArray, event_counts
from spikelab.events.files import EventFile, windows
from spikelab.report.event_files import checked_target, opened
from spikelab.report.event_window import between, nothing_between, part
from spikelab.report.overlay import Picture, events_picture, frame_picture, over_frame
from spikelab.settings_events import DataPlay

_VIDEOS = (".mp4", ".avi", ".mkv")

_LETTERS = 36
"""Letters of a caption that fit above one picture of a strip, be they as wide as capitals."""


def play(settings: DataPlay) -> dict[str, Any]:
    """Draw windows of events.

    Returns:
        `file`, `to`, and the number of `pictures`.

    Raises:
        EventFileError: If the file cannot be read as its options say.
        FileExistsError: If the new file is there already and is not to be replaced.
        OSError: If it cannot be written.
        ValueError: If there are no events, in the file or between the times that are given, or the ending of the new
            file is unknown.
    """
    suffix = Path(settings.to).suffix.lower()
    if suffix not in (*_VIDEOS, ".png"):
        raise ValueError(f"to = {settings.to!r}: must end in {', '.join(_VIDEOS)} or .png")
    target = checked_target(settings)
    with opened(settings, settings.file) as file:
        try:
            number = _strip(file, settings, target) if suffix == ".png" else _video(file, settings, target)
        except OSError as error:
            if error.errno is None or error.filename is not None:
                raise
            raise type(error)(error.errno, f"not written: {error.strerror or error}", str(target)) from None
    return {"file": settings.file, "to": str(target), "pictures": number}


def played(figures: dict[str, Any]) -> str:
    """What was drawn."""
    plural = "" if figures["pictures"] == 1 else "s"
    return f"{figures['to']}: {figures['pictures']} picture{plural}"


def _video(file: EventFile, settings: DataPlay, target: Path) -> int:
    from spikelab.video.write import Codec, write_video

    window = round(settings.window * 1000)
    chunks, start, stop = part(file, settings)
    cut = windows(chunks, window, start, stop)
    background = _Background(file) if settings.frames else None

    first = next(cut, None)
    if first is None:
        raise ValueError(f"{file.path}: there are no events to draw in this time")

    def pictures() -> Iterator[npt.NDArray[np.uint8]]:
        for begin, events in tqdm(chain([first], cut), "draw", unit=" pictures", leave=False, disable=None):
            shown = None if background is None else background.at(begin, events)
            yield _even(_picture(begin, events, window, shown))

    codec: Codec = "mpeg4" if target.suffix.lower() == ".avi" else "h264"
    return write_video(target, pictures(), codec=codec, rate=settings.rate)


def _picture(begin: int, events: EventArray, window: int, background: Picture | None) -> Picture:
    """The events of a window, on white or on the camera's own picture."""
    drawn = events_picture(event_counts(events, 1, begin, begin + window))
    return drawn if background is None else over_frame(drawn, background)


def _shown(image: np.ndarray) -> Picture:
    """A camera's picture; more than 8 bits are stretched from the darkest to the brightest pixel."""
    low, high = (0.0, 255.0) if image.dtype == np.uint8 else (float(image.min()), float(image.max()))
    share = (image - low) / max(high - low, 1)
    return frame_picture(np.moveaxis(share, -1, 0) if image.ndim == 3 else share)


def _even(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Video codecs take even sides: a white row or column is added where one is odd."""
    rows, columns = picture.shape[0] % 2, picture.shape[1] % 2
    return np.pad(picture, ((0, rows), (0, columns), (0, 0)), constant_values=255)


class _Background:
    """The camera's picture that is shown behind a window: the last that had been taken when it begins."""

    def __init__(self, file: EventFile):
        self._frames = file.frames()
        self._next = next(self._frames, None)
        self._shown: Picture | None = None

    def at(self, time: int, events: EventArray) -> Picture | None:
        while self._next is not None and (self._next.t <= time or self._shown is None):
            self._shown = _shown(self._next.image)
            self._next = next(self._frames, None)
        # pictures of another size were taken by another camera
        fits = self._shown is not None and self._shown.shape[:2] == (events.height, events.width)
        return self._shown if fits else None


def _strip(file: EventFile, settings: DataPlay, target: Path) -> int:
    from matplotlib.figure import Figure

    window = round(settings.window * 1000)
    first, last = _span(file)
    start, stop = between(settings, first)
    if start >= last or (stop is not None and stop <= first):
        raise nothing_between(settings, file.path, first, last - 1)
    first, last = start, min(last, last if stop is None else stop)
    number = min(settings.pictures, max((last - first) // window, 1))
    begins = np.linspace(first, max(last - window, first), number).astype(np.int64).tolist()
    background = _Background(file) if settings.frames else None
    drawn = []
    for begin, events in _chosen(file, begins, window):
        shown = None if background is None else background.at(begin, events)
        drawn.append((begin, len(events), _picture(begin, events, window, shown)))
    columns = min(number, 4)
    rows = -(-number // columns)
    height, width = drawn[0][2].shape[:2]
    caption = f"{file.path.name}: {settings.window:g} ms a picture, ON red, OFF blue"
    lines = textwrap.wrap(caption, _LETTERS * columns, break_on_hyphens=False)
    high = (3.2 * height / width + 0.35) * rows + 0.2 + 0.2 * len(lines)
    figure = Figure(figsize=(3.2 * columns, high), layout="constrained")
    for place, axis in enumerate(figure.subplots(rows, columns, squeeze=False).ravel()):
        axis.set_axis_off()
        if place < number:
            begin, count, picture = drawn[place]
            axis.imshow(picture)
            axis.set_title(f"{(begin - first) / 1000:.1f} ms, {count:,} events", fontsize=9)
    figure.suptitle("\n".join(lines), fontsize=10)
    figure.savefig(target, dpi=110)
    return number


def _span(file: EventFile) -> tuple[int, int]:
    first = last = None
    for events in file:
        if len(events):
            first, last = int(events.t[0]) if first is None else first, int(events.t[-1])
    if first is None or last is None:
        raise ValueError(f"{file.path}: there are no events to draw")
    return first, last + 1


def _chosen(file: EventFile, begins: list[int], window: int) -> Iterator[tuple[int, EventArray]]:
    """The windows that begin at these times, in one pass; they may overlap."""
    parts: list[list[EventArray]] = [[] for _ in begins]
    done = 0
    size = (0, 0)
    for events in file:
        size = (events.width, events.height)
        for place in range(done, len(begins)):
            if len(events) and events.t[-1] >= begins[place]:
                parts[place].append(events.between(begins[place], begins[place] + window))
        while done < len(begins) and len(events) and events.t[-1] >= begins[done] + window:
            yield begins[done], EventArray.concatenate(parts[done])
            parts[done] = []
            done += 1
    for place in range(done, len(begins)):
        yield begins[place], EventArray.concatenate([EventArray.empty(*size), *parts[place]])

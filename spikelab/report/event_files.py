"""The `spikelab data info` and `spikelab data convert` commands."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from spikelab import registry
from spikelab.events import EventArray
from spikelab.events.files import EventFile, open_events, write_events
from spikelab.events.files.errors import EventFileError, EventFileWarning
from spikelab.report.event_window import part
from spikelab.settings_events import DataConvert, DataInfo, DataPlay, EventFileOptions

_FORMS = {".h5": "hdf5", ".hdf5": "hdf5", ".npz": "npz"}


@contextmanager
def opened(settings: EventFileOptions, path: str) -> Iterator[EventFile]:
    """The file that a command is given, read as its options say; errors and warnings name options as commands do.

    Raises:
        FileNotFoundError: If there is no such file.
        EventFileError: If its format is unknown, or it cannot be read.
    """
    size = None if settings.size is None else (settings.size[0], settings.size[1])
    try:
        with (
            _warnings_for_commands(),
            open_events(
                path, format=settings.format, stream=settings.stream, unit=settings.unit, size=size,
                damaged=settings.damaged, disorder=settings.disorder, resets=settings.resets, outside=settings.outside,
            ) as file,
        ):  # fmt: skip
            yield file
    except EventFileError as error:
        raise error.for_commands() from None


@contextmanager
def _warnings_for_commands() -> Iterator[None]:
    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, *place: Any, **more: Any) -> None:
            shown(message.for_commands() if isinstance(message, EventFileWarning) else message, *place, **more)

        setattr(warnings, "showwarning", show)  # noqa: B010 - the hook that the module names for this
        yield


def checked_target(settings: DataConvert | DataPlay) -> Path:
    """The file that a command is to write.

    Raises:
        FileExistsError: If it is there already and is not to be replaced.
        FileNotFoundError: If there is no folder for it.
        ValueError: If it is the file that is read.
    """
    target = Path(settings.to).expanduser()
    if target.exists() and not settings.overwrite:
        raise FileExistsError(f"{target}: is there already; replace it with --overwrite true")
    if target.exists() and target.samefile(Path(settings.file).expanduser()):
        raise ValueError(f"to = {settings.to!r}: is the file itself; name another")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target}: there is no folder {target.parent}; make it first")
    return target


def info(settings: DataInfo) -> dict[str, Any]:
    """Go through an event file once.

    Returns:
        `format`, `size` (height, width) and whether it was `measured`, `events`, `first` and `last` time in
        microseconds, `guess` (of the unit of time, where nobody names one), `on` (share of ON events), `x` and `y`
        (least and largest), `rate` (mean and largest number of events a second, over windows of 10 ms), `first_events`
        (t, x, y, p), `frames`, `triggers`, `about`, and what had to be mended: `late`, `dropped`, `resets`, `damage`.

    Raises:
        EventFileError: If the file cannot be read as its options say.
    """
    count = on = 0
    low, high = np.full(2, 2**32), np.full(2, -1)
    first: list[list[int]] = []
    ends: list[int] = []
    busiest, rest = 0, np.empty(0, np.int64)
    with opened(settings, settings.file) as file:
        known = file.size
        for events in tqdm(file, "read", unit=" chunks", leave=False, disable=None):
            if len(first) < 5:
                first += events[: 5 - len(first)].to_structured()[["t", "x", "y", "p"]].tolist()
            ends = [ends[0] if ends else int(events.t[0]), int(events.t[-1])]
            count, on = count + len(events), on + int(events.p.sum())
            low = np.minimum(low, [events.x.min(), events.y.min()])
            high = np.maximum(high, [events.x.max(), events.y.max()])
            most, rest = _busiest(np.concatenate([rest, events.t // 10_000]))
            busiest = max(busiest, most)
        frames = [(frame.t, frame.image.shape) for frame in file.frames()]
        triggers = file.triggers()
        seconds = (ends[1] - ends[0]) / 1e6 if count else 0.0
        return {
            "file": settings.file,
            "format": file.format,
            "title": registry.load("event_formats", file.format).title,
            "size": list(known or (high[::-1] + 1).tolist()) if known or count else None,
            "measured": known is None,
            "events": count,
            "first": ends[0] if count else None,
            "last": ends[1] if count else None,
            "on": on / count if count else None,
            "x": [int(low[0]), int(high[0])] if count else None,
            "y": [int(low[1]), int(high[1])] if count else None,
            "rate": {"mean": count / seconds if seconds else None, "largest": 100 * busiest if count else None},
            "first_events": [list(event) for event in first],
            "frames": {"number": len(frames), "shape": list(frames[0][1]), "first": frames[0][0], "last": frames[-1][0]}
            if frames
            else None,
            "triggers": len(triggers.t),
            "guess": file.guess,
            "about": {key: str(value) for key, value in file.about.items()},
            "late": file.late_events,
            "dropped": file.dropped_events,
            "resets": file.reset_times,
            "damage": file.damage,
        }


def _busiest(windows: np.ndarray) -> tuple[int, np.ndarray]:
    """Most events of a window, and those of the last window, which may go on in the next chunk."""
    _, counts = np.unique(windows, return_counts=True)
    return int(counts.max()), windows[len(windows) - counts[-1] :]


def shown(figures: dict[str, Any]) -> str:
    """What is in a file, one line for each thing."""
    size = figures["size"]
    text = [f"{figures['file']}: {figures['title']}"]
    if size is not None:
        text.append(f"  sensor    {size[1]} x {size[0]} pixels" + (", measured by the events" * figures["measured"]))
    text.append(f"  events    {figures['events']:,}")
    if figures["events"]:
        seconds = (figures["last"] - figures["first"]) / 1e6
        text += [
            f"  time      {figures['first']} to {figures['last']} us ({seconds:.6g} s)",
            *([f"            the unit is a guess: {figures['guess']}; --unit sets it"] if figures["guess"] else []),
            f"  x, y      {_span(figures['x'])}, {_span(figures['y'])}",
            f"  ON        {100 * figures['on']:.1f} %",
        ]
        mean, largest = figures["rate"]["mean"], figures["rate"]["largest"]
        if mean is not None:
            most = f", at most {largest:,.0f} (within 10 ms)" if largest > mean else ""
            text.append(f"  rate      {mean:,.0f} events a second{most}")
        text.append("  begins    " + "; ".join("t {} x {} y {} p {}".format(*e) for e in figures["first_events"]))
    if frames := figures["frames"]:
        shape = " x ".join(map(str, reversed(frames["shape"][:2])))
        text.append(f"  pictures  {frames['number']}, {shape} pixels, {frames['first']} to {frames['last']} us")
    if figures["triggers"]:
        text.append(f"  triggers  {figures['triggers']}")
    about = [f"{key} {value}" for key, value in figures["about"].items() if len(value) <= 100]
    if about:
        text.append("  about     " + "\n            ".join(about))
    for key, what in (("late", "late events, put in their place"), ("dropped", "events beyond the sensor, left out")):
        if figures[key]:
            text.append(f"  {what}: {figures[key]}")
    if figures["resets"]:
        text.append(f"  the clock was set back {len(figures['resets'])} times")
    if figures["damage"]:
        text.append(f"  damaged: {figures['damage']}")
    return "\n".join(text)


def _span(ends: list[int]) -> str:
    return f"{ends[0]} to {ends[1]}"


def convert(settings: DataConvert) -> dict[str, Any]:
    """Write the events of a file in another form, in bounded memory but for npz.

    Returns:
        `file`, `to`, `form`, and the number of `events`.

    Raises:
        FileExistsError: If the new file is there already and is not to be replaced.
        EventFileError: If the old file cannot be read as its options say.
        ValueError: If nothing says which form the new file should have, or no part of the recording is asked for.
    """
    target = checked_target(settings)
    form = settings.form or _FORMS.get(target.suffix.lower())
    if form is None:
        raise ValueError(f"to = {settings.to!r}: the ending is none of {', '.join(_FORMS)}; say which form with --form")
    with opened(settings, settings.file) as file:
        counted = _Counted(part(file, settings)[0])
        write_events(target, tqdm(counted, "convert", unit=" chunks", leave=False, disable=None), format=form)
    return {"file": settings.file, "to": str(target), "form": form, "events": counted.events}


class _Counted:
    """Chunks, counted as they pass."""

    def __init__(self, chunks: Iterator[EventArray]):
        self.chunks, self.events = chunks, 0

    def __iter__(self) -> Iterator[EventArray]:
        for events in self.chunks:
            self.events += len(events)
            yield events


def converted(figures: dict[str, Any]) -> str:
    """What was written."""
    return f"{figures['to']}: {figures['events']:,} events ({figures['form']})"

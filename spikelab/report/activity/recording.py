"""Spikes from a recording file that a network wrote (``Network.record_spikes(..., file=...)``)."""

from __future__ import annotations

import os
from typing import Any

import h5py

from spikelab.report.activity.spike_trains import SpikeTrains, inside_span


def recorded_groups(path: str | os.PathLike[str]) -> list[str]:
    """The groups whose spikes a recording file holds, such as "cells" or "cells[0:800]".

    Raises:
        ValueError: if the file is no recording.
        OSError: if it cannot be read.
    """
    with _opened(path) as file:
        return _names(file)


def read_recording(
    path: str | os.PathLike[str],
    name: str | None = None,
    *,
    stop: float,
    start: float = 0.0,
    size: int | None = None,
    dt: float | None = None,
) -> SpikeTrains:
    """The spikes of one group from a recording file; also from one that is still being written, or broke off.

    Args:
        path: HDF5 file with "spikes/<name>/step" and "spikes/<name>/neuron". A spike of step k is at (k + 1) * dt,
            unless there is a "spikes/<name>/time".
        name: the group; may be left out where the file has one only.
        stop: until when, in seconds: ``network.time`` of that run. The file does not know how long nothing came.
        start: from when on, to leave out a warm-up.
        size: number of neurons, if the file does not say it.
        dt: time step in seconds, if the file does not say it.

    Raises:
        ValueError: if the file has no such group, or neither file nor caller say size and step.
        OSError: if it cannot be read.
    """
    with _opened(path) as file:
        known = _names(file)
        if name is None and len(known) != 1:
            raise ValueError(f"{path}: holds spikes of {len(known)} groups; say which: {', '.join(known) or 'none'}")
        name = known[0] if name is None else name
        if name not in known:
            raise ValueError(f"{path}: no spikes of {name!r}; there are {', '.join(known) or 'none'}")
        group = file["spikes"][name]
        for column in ("step", "neuron"):
            if not isinstance(group.get(column), h5py.Dataset) or group[column].dtype.kind not in "iu":
                raise ValueError(f"{path}: spikes/{name} has no column {column!r} of whole numbers; it is no recording")
        columns = [column for column in ("step", "neuron", "time") if column in group]
        size = int(_needed(path, name, group, "size", size))
        dt = float(_needed(path, name, group, "dt", dt))
        # a row that is being written may be in one column already, and not yet in the other
        rows = min(len(group[column]) for column in columns)
        neurons = group["neuron"][:rows]
        times = group["time"][:rows] if "time" in columns else (group["step"][:rows] + 1) * dt
    inside = inside_span(times, start, stop)
    return SpikeTrains(times[inside], neurons[inside], size, start, stop)


def _needed(path: Any, name: str, group: h5py.Group, field: str, given: Any) -> Any:
    value = group.attrs.get(field) if given is None else given
    if value is None:
        raise ValueError(f"{path}: spikes/{name} does not say its {field}; give {field}=... as the network had it")
    return value


def _names(file: h5py.File) -> list[str]:
    spikes = file.get("spikes")
    if not isinstance(spikes, h5py.Group):
        raise ValueError(f"{file.filename}: has no spikes; a recording is made by record_spikes(group, file=...)")
    return sorted(spikes)


def _opened(path: str | os.PathLike[str]) -> h5py.File:
    try:
        # beside a writer, or after one that died; older files know no such way
        return h5py.File(path, "r", libver="latest", swmr=True)
    except BlockingIOError as error:
        raise BlockingIOError(
            f"{path}: a program holds it open for writing, and has not begun to run: a recording can be read from its "
            "network's first run() on, or after network.close()"
        ) from error
    except OSError:
        return h5py.File(path, "r")

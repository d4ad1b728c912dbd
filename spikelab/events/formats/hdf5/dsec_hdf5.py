"""HDF5 with one data set for each of x, y, t and p, as DSEC has them, and TUM-VIE, M3ED and many others after it.

Times are whole microseconds. DSEC counts them from ``t_offset``, and tells in ``ms_to_idx`` the first event of each
millisecond (M3ED calls it ``ms_map_idx``). Files with several such groups, one for each camera, want ``stream``.

Source: dsec.ifi.uzh.ch, "Data format"; m3ed.io, "Data files".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from spikelab.events.array import EventArray
from spikelab.events.check import COLUMNS
from spikelab.events.files import source
from spikelab.events.files.errors import EventFileError
from spikelab.events.files.source import Columns, EventFormat, Opening
from spikelab.events.files.streams import chosen
from spikelab.events.formats.conversion import converted
from spikelab.events.formats.hdf5.hdf5 import append, growing, is_ours
from spikelab.events.formats.hdf5.hdf5_source import (
    FAULTS,
    SIGNATURE,
    Hdf5Source,
    dataset,
    faults_told,
    open_hdf5,
    sides,
    size_in,
    whole_number,
)

DSEC_SIZE = 640, 480
"""Width and height of the cameras of DSEC, whose files do not say it."""

_DEPTH = 4  # of groups: M3ED needs two


class DsecSource(Hdf5Source):
    """A file with columns."""

    def find(self, stream: str | None) -> None:
        """See `Hdf5Source.find`."""
        groups = camera_groups(self.file)
        if not groups:
            raise EventFileError(self.path, "has no group with the data sets x, y, t and p")
        names = [name.strip("/") for name in groups]
        group = self.file[chosen(self.path, names, None if stream is None else stream.strip("/"))]
        self.datasets = [dataset(self.path, group, name) for name in "xytp"]
        kinds = {name: found.dtype for name, found in zip("xytp", self.datasets, strict=True)}
        if kinds["t"].kind not in "iu":
            raise EventFileError(self.path, f"{group.name}/t holds {kinds['t']}, not whole microseconds")
        if bad := [name for name, kind in kinds.items() if kind.kind not in "iufb"]:
            raise EventFileError(self.path, f"{group.name}/{bad[0]} holds {kinds[bad[0]]}, no numbers")
        self.offset = whole_number(self.file, "t_offset") or 0
        if abs(self.offset) >= 2**61:
            raise EventFileError(self.path, f"t_offset = {self.offset} us is no time")
        self._find_size(group)
        places = [(self.file, "ms_to_idx"), (group, "ms_to_idx"), (group, "ms_map_idx")]
        self.index = next((place[name] for place, name in places if name in place), None)
        self.about = {"group": group.name, "t_offset": self.offset}

    def _find_size(self, group: h5py.Group) -> None:
        for place in (group, self.file):
            if found := size_in(place):
                self.width, self.height = found
                return
        if "calib/resolution" in group and (found := sides(group["calib/resolution"][()])):
            self.width, self.height = found
        elif "t_offset" in self.file and "ms_to_idx" in self.file:
            self.width, self.height = DSEC_SIZE

    def decode(self, *parts: np.ndarray) -> tuple[Columns, str | None]:
        """See `Hdf5Source.decode`."""
        x, y, t, p = parts
        columns, reason = converted(t, x, y, p, "us")
        return columns._replace(t=columns.t + self.offset), reason

    def first_at(self, t_start: int) -> int:
        """See `Hdf5Source.first_at`."""
        if self.index is None or not len(self.index):
            return 0
        wanted = t_start - self.offset
        if wanted <= 0:
            return 0
        t = self.datasets[2]
        first = int(self.index[min(wanted // 1000, len(self.index) - 1)])
        if not 0 < first <= len(t):
            return 0
        # an index that was not made for these events would lose some: the event before must be older
        return first if int(t[first - 1]) < wanted else 0


def index_fault(path: Path) -> str | None:
    """What is wrong with ``ms_to_idx`` of a file; reads all times. None if it is right, or there is none.

    Reading a part of the time is right all the same, as the index is only believed where the times agree, but slow.
    """
    try:
        with DsecSource(path) as opened, faults_told(path):
            if opened.index is None:
                return None
            index, t = opened.index[:], opened.datasets[2]
            begin, first = 0, 0  # event, and entry of the index that is looked at next
            while begin < len(t) and first < len(index):
                times = t[begin : begin + source.BLOCK].astype(np.int64)
                # up to the millisecond that the last of these events is in
                entries = np.arange(first, min(len(index), int(times[-1]) // 1000 + 1))
                wrong = np.flatnonzero(index[entries] != begin + np.searchsorted(times, entries * 1000))
                if wrong.size:
                    entry = int(entries[wrong[0]])
                    wanted = begin + int(np.searchsorted(times, entry * 1000))
                    return (
                        f"{path}: ms_to_idx says that event {index[entry]} is the first of millisecond {entry}, and it "
                        f"is event {wanted}; the index is of other events: fetch the file again"
                    )
                begin, first = begin + len(times), max(first, entries[-1] + 1 if len(entries) else first)
    except EventFileError:
        return None  # reading the events tells
    return None


def camera_groups(file: h5py.File) -> list[str]:
    """Names of the groups that have the columns."""
    found: list[str] = []

    def look(group: h5py.Group, depth: int) -> None:
        members = [name for name in group if group.get(name, getlink=True).__class__ is h5py.HardLink]
        if {"x", "y", "t", "p"} <= set(members) and all(isinstance(group[name], h5py.Dataset) for name in "xytp"):
            found.append(group.name)
        elif depth:
            for name in members:
                if group.get(name, getclass=True) is h5py.Group:
                    look(group[name], depth - 1)

    look(file, _DEPTH)
    return found


def recognise(opening: Opening) -> bool:
    """Whether a file has groups with columns.

    Raises:
        EventFileError: if it is a file in HDF5 that cannot be opened: no other format will be able to.
    """
    if not opening.head.startswith(SIGNATURE):
        return False
    with open_hdf5(opening.path) as file:
        try:
            return not is_ours(file) and bool(camera_groups(file))
        except FAULTS:
            return False


def write(path: Path, chunks: Iterator[EventArray], width: int, height: int) -> None:
    """Write events as DSEC has them: Blosc with Zstandard, times from ``t_offset``, an index of milliseconds.

    Raises:
        ImportError: if hdf5plugin is not installed.
        ValueError: if the events last longer than the 71 minutes that 32 bits of microseconds can hold.
    """
    try:
        import hdf5plugin
    except ImportError:
        raise ImportError("format dsec_hdf5 is written with hdf5plugin: pip install 'spikelab[events]'") from None
    compression = dict(hdf5plugin.Blosc(cname="zstd", clevel=5, shuffle=hdf5plugin.Blosc.SHUFFLE))
    with h5py.File(path, "w") as file:
        file.attrs.update(width=width, height=height)
        kinds = {**COLUMNS, "t": np.uint32}
        columns = {name: growing(file, f"events/{name}", kind, **compression) for name, kind in kinds.items()}
        index = growing(file, "ms_to_idx", np.uint64, **compression)
        offset: int | None = None
        last = 0
        for events in chunks:
            if not len(events):
                continue
            offset = int(events.t[0]) if offset is None else offset
            t = events.t - offset
            last = int(t[-1])
            if last >= 2**32:
                raise ValueError(
                    f"event at {events.t[-1]} us comes {last} us after the first, more than dsec_hdf5 can hold "
                    f"({2**32 - 1} us); write format=hdf5, or several files"
                )
            begin = len(columns["t"])
            for name, column in columns.items():
                append(column, t if name == "t" else getattr(events, name))
            # an entry once an event of its millisecond or of a later one is there
            wanted = np.arange(len(index), last // 1000 + 1) * 1000
            append(index, begin + np.searchsorted(t, wanted))
        if offset is not None:
            append(index, np.full(last // 1000 + 2 - len(index), len(columns["t"])))
        file["t_offset"] = np.int64(offset or 0)


DSEC_HDF5 = EventFormat(
    title="HDF5 with x, y, t, p (DSEC, TUM-VIE, M3ED)",
    suffixes=(".h5", ".hdf5"),
    recognise=recognise,
    open=DsecSource,
    source="dsec.ifi.uzh.ch, Data format",
    write=write,
)

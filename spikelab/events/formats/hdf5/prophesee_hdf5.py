"""HDF5 of Prophesee: a table of events in CD/events, one of triggers in EXT_TRIGGER/events, and an index of time.

Prophesee's tools compress the tables with their own filter, ECF. No Python package brings it; where it is installed and
HDF5 finds it, such files are read like all others.

Source: docs.prophesee.ai, "HDF5 event file format".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import h5py
import numpy as np

from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.files.source import Columns, EventFormat, Triggers
from spikelab.events.formats.conversion import converted
from spikelab.events.formats.hdf5.hdf5_attributes import numbers, texts
from spikelab.events.formats.hdf5.hdf5_source import FAULTS, Hdf5Source, dataset, first_line, fits, sides


class PropheseeHdf5Source(Hdf5Source):
    """A file of Metavision."""

    def find(self, stream: str | None) -> None:
        """See `Hdf5Source.find`."""
        if stream is not None:
            raise EventFileError(self.path, f"holds one camera only; leave out stream={stream}")
        self.datasets = [_table(self, "CD", "xypt")]
        self.about = {**numbers(self.file), **texts(self.path)}
        if match := re.fullmatch(r"(\d{1,5})x(\d{1,5})", str(self.about.get("geometry", "")).strip()):
            size = sides((int(match[1]), int(match[2])))
            self.width, self.height = size or (None, None)

    def decode(self, *parts: np.ndarray) -> tuple[Columns, str | None]:
        """See `Hdf5Source.decode`."""
        t, x, y, p = (np.ascontiguousarray(parts[0][name]) for name in "txyp")
        return converted(t, x, y, p, "us")

    def first_at(self, t_start: int) -> int:
        """See `Hdf5Source.first_at`."""
        index = dataset(self.path, self.file["CD"], "indexes")[:]
        entry = int(np.searchsorted(index["ts"], t_start)) - 1
        if entry < 0:
            return 0
        first = int(index["id"][entry])
        table = self.datasets[0]
        # an index that was not made for these events would lose some: the event before must be older
        return first if 0 < first <= len(table) and int(table[first - 1]["t"]) < t_start else 0

    def triggers(self) -> Iterator[Triggers]:
        """See `EventSource.triggers`.

        Raises:
            Damage: if the table cannot be read.
        """
        try:
            if "EXT_TRIGGER" not in self.file or "events" not in self.file["EXT_TRIGGER"]:
                return
            table = _table(self, "EXT_TRIGGER", ("p", "t", "id"))[:]
        except EventFileError:
            raise
        except FAULTS as error:
            raise Damage(f"the triggers cannot be read: {first_line(error)}", None) from None
        yield Triggers(table["t"].astype(np.int64), table["id"].astype(np.uint8), table["p"] > 0)


def _table(opened: PropheseeHdf5Source, group: str, fields: Sequence[str]) -> h5py.Dataset:
    found = dataset(opened.path, opened.file[group], "events")
    missing = [name for name in fields if name not in (found.dtype.names or ())]
    if missing:
        raise EventFileError(opened.path, f"{found.name} has no field {missing[0]}, but {found.dtype}")
    return found


PROPHESEE_HDF5 = EventFormat(
    title="Prophesee HDF5",
    suffixes=(".hdf5",),
    recognise=lambda opening: fits(opening, lambda file: "CD" in file and "events" in file["CD"]),
    open=PropheseeHdf5Source,
    source="docs.prophesee.ai, HDF5 event file format",
)

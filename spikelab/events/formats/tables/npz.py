"""NumPy archives of events: arrays t, x, y and p, one with these fields, or a table of four columns.

`EventArray.to_npz` writes the first kind, with the size of the sensor.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from spikelab.events.array import EventArray
from spikelab.events.files.errors import EventFileError
from spikelab.events.files.source import EventFormat, Opening
from spikelab.events.formats.tables.array_source import ArraySource, Place
from spikelab.events.formats.tables.npy_stream import FAULTS

_ZIP = b"PK\x03\x04"
_SUFFIX = ".npy"


class NpzSource(ArraySource):
    """An NPZ file."""

    stays_open = True
    _archive: zipfile.ZipFile | None = None

    def places(self) -> Mapping[str, Place]:
        """See `ArraySource.places`."""
        if not self.path.stat().st_size:
            raise EventFileError(self.path, "is empty")
        archive = self._archive = zipfile.ZipFile(self.path)
        # only the last archive of a file is found
        before = min((member.header_offset for member in archive.infolist()), default=0)
        if before:
            raise EventFileError(
                self.path,
                f"{before} bytes stand before the archive and would not be read; were two files joined? Keep one of "
                "them, or fetch the file again",
                0,
            )

        def place(member: zipfile.ZipInfo) -> Place:
            def opened() -> IO[bytes]:
                return archive.open(member)

            return Place(opened, member.file_size, member.header_offset, False)

        return {
            member.filename.removesuffix(_SUFFIX): place(member)
            for member in archive.infolist()
            if member.filename.endswith(_SUFFIX)
        }

    def close(self) -> None:
        """See `EventSource.close`."""
        if self._archive is not None:
            self._archive.close()


def _is_npz(opening: Opening) -> bool:
    names = _files(opening)
    # arrays in the folders of an archive with other files are part of a data set that is still packed
    return any(name.endswith(_SUFFIX) and "/" not in name for name in names) or (
        bool(names) and all(name.endswith(_SUFFIX) for name in names)
    )


def _files(opening: Opening) -> list[str]:
    """Names of the files in an archive; none of anything else."""
    if not opening.head.startswith(_ZIP):
        return []
    try:
        with zipfile.ZipFile(opening.path) as archive:
            return [name for name in archive.namelist() if not name.endswith("/")]
    except FAULTS:
        return []


def _packed_folder(opening: Opening) -> str | None:
    names = _files(opening)
    return f"it is a ZIP archive of {len(names)} files, such as {names[0]}; unpack it" if names else None


def write(path: Path, chunks: Iterator[EventArray], width: int, height: int) -> None:
    """Write events, which are all in memory then: an archive cannot grow."""
    EventArray.concatenate([EventArray.empty(width, height), *chunks]).to_npz(path)


NPZ = EventFormat(
    title="NumPy archive (NPZ)",
    suffixes=(".npz",),
    recognise=_is_npz,
    open=NpzSource,
    source="numpy.org, numpy.savez; EventArray.to_npz",
    write=write,
    takes_unit=True,
    complaint=_packed_folder,
)

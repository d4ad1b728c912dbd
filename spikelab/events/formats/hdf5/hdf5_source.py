"""Event files in HDF5: opening them, and reading columns in blocks, whatever the layout is called.

A layout says which data sets hold the events and how they become columns. That a file may be cut short, that a data set
may declare more than is there, and that a filter may be missing is met here once.
"""

from __future__ import annotations

import contextlib
import math
import struct
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikelab.events.files import source
from spikelab.events.files.errors import Damage, EventFileError
from spikelab.events.files.source import Columns, EventSource, Opening
from spikelab.events.formats.hdf5.hdf5_attributes import attribute

SIGNATURE = b"\x89HDF\r\n\x1a\n"

# what h5py raises where the bytes make no sense
FAULTS = (
    OSError,
    KeyError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    MemoryError,
    OverflowError,
)

# chunks that are larger than the cache are decompressed again for every block
_CACHE = 1 << 25

_ECF = 0x8ECF
_FILTERS_OF_HDF5PLUGIN = {307, 32000, 32001, 32004, 32008, 32013, 32014, 32015, 32017, 32024, 32026, 32028}


@contextlib.contextmanager
def faults_told(path: Path) -> Iterator[None]:
    """What goes wrong inside is an `EventFileError`."""
    try:
        yield
    except EventFileError:
        raise
    except FAULTS as error:
        raise EventFileError(
            path, f"cannot be read as HDF5 ({first_line(error)}): damaged or cut short; fetch the file again"
        ) from None


def first_line(error: BaseException) -> str:
    """What an error of h5py says, without the stack of HDF5."""
    return (str(error.args[0]) if error.args else type(error).__name__).strip("'\"").partition("\n")[0]


def open_hdf5(path: Path) -> h5py.File:
    """Open a file for reading."""
    with faults_told(path):
        if not path.stat().st_size:
            raise EventFileError(path, "is empty")
        return h5py.File(path, "r", rdcc_nbytes=_CACHE)


def beyond_the_end(path: Path) -> list[str]:
    """A note if bytes follow what a file says is its end: HDF5 passes over them, be they a second recording.

    Source: "HDF5 File Format Specification", version 3.0, section II.A.
    """
    with open(path, "rb") as file:
        head = file.read(56)
    place = {0: 40, 1: 44, 2: 28, 3: 28}.get(head[8]) if head.startswith(SIGNATURE) and len(head) == 56 else None
    if place is None or head[13 if place >= 40 else 9] != 8:
        return []
    (end,) = struct.unpack_from("<Q", head, place)
    size = path.stat().st_size
    if size <= end:
        return []
    return [
        f"byte {end}: {size - end} bytes follow the end of the HDF5 file, and were not read; were two files joined?"
    ]


def fits(opening: Opening, fitting: Callable[[h5py.File], bool]) -> bool:
    """Whether a file is in HDF5, and what is in it fits."""
    if not opening.head.startswith(SIGNATURE):
        return False
    try:
        with h5py.File(opening.path, "r") as file:
            return fitting(file)
    except FAULTS:
        return False


def dataset(path: Path, parent: h5py.Group, name: str, dimensions: int = 1) -> h5py.Dataset:
    """A data set of numbers that lies in the file itself, and whose filters are there.

    Raises:
        EventFileError: if there is none, or it is something else.
        ImportError: if a library is missing that would decompress it.
    """
    found = parent[name]
    if not isinstance(found, h5py.Dataset) or found.ndim != dimensions:
        raise EventFileError(path, f"{parent.name}/{name} is no data set of {dimensions} dimensions")
    if found.is_virtual or found.external:
        raise EventFileError(path, f"{found.name} lies in another file; give the file that holds it")
    _need_filters(path, found)
    return found


def _need_filters(path: Path, found: h5py.Dataset) -> None:
    properties = found.id.get_create_plist()
    for number in range(properties.get_nfilters()):
        code, _, _, title = properties.get_filter(number)
        if h5py.h5z.filter_avail(code):
            continue
        if code in _FILTERS_OF_HDF5PLUGIN:
            try:
                import hdf5plugin  # noqa: F401 - it registers its filters
            except ImportError:
                raise ImportError(
                    f"{path} is compressed with {title.decode(errors='replace')}; reading it needs hdf5plugin: "
                    "pip install 'spikelab[events]'"
                ) from None
            if h5py.h5z.filter_avail(code):
                continue
        if code == _ECF:
            raise EventFileError(
                path,
                "is compressed with Prophesee's ECF, which no Python package brings. Install it from "
                "github.com/prophesee-ai/hdf5_ecf and let HDF5_PLUGIN_PATH name its folder, or convert the file: "
                "metavision_file_to_csv, or h5repack -f NONE where the filter is installed",
            )
        raise EventFileError(path, f"{found.name} needs the HDF5 filter {code}, which is not installed")


def whole_number(group: h5py.Group, name: str) -> int | None:
    """A whole number that stands in a group as an attribute or as a data set of one value; None if there is none."""
    value = attribute(group, name)
    if value is None and name in group and isinstance(group[name], h5py.Dataset) and group[name].size == 1:
        value = group[name][()]
    if value is None or np.size(value) != 1:
        return None
    number = np.asarray(value).ravel()[0]
    return int(number) if isinstance(number, np.integer) else None


def size_in(group: h5py.Group) -> tuple[int, int] | None:
    """Width and height of a sensor that stand in a group as whole numbers."""
    width, height = whole_number(group, "width"), whole_number(group, "height")
    return None if width is None or height is None else sides((width, height))


def sides(values: Any) -> tuple[int, int] | None:
    """Two sides of a sensor in the order of the file; None if they make no sense."""
    found = np.asarray(values).ravel()
    if found.size != 2 or found.dtype.kind not in "iuf" or not all(1 <= side <= 65536 for side in found.tolist()):
        return None
    return int(found[0]), int(found[1])


class Hdf5Source(EventSource):
    """Events in data sets of one length.

    Args:
        path: of the file.
        stream: one of several cameras.

    Attributes:
        datasets: that hold the events; the first dimension of each counts them.
    """

    stays_open = True
    datasets: Sequence[h5py.Dataset] = ()

    def __init__(self, path: Path, stream: str | None = None):
        self.path, self.about = path, {}
        self.file = open_hdf5(path)
        try:
            with faults_told(path):
                self.find(stream)
                lengths = {found.name: len(found) for found in self.datasets}
                if len(set(lengths.values())) > 1:
                    raise EventFileError(path, f"the columns differ in length: {lengths}")
        except BaseException:
            self.file.close()
            raise

    @abstractmethod
    def find(self, stream: str | None) -> None:
        """Find the data sets and the size of the sensor."""

    @abstractmethod
    def decode(self, *parts: np.ndarray) -> tuple[Columns, str | None]:
        """Columns of what was read from each data set; the first event that is none ends them, with a reason."""

    def first_at(self, t_start: int) -> int:
        """Number of an event before which none is as late as a time; formats with an index know better than 0."""
        return 0

    def columns(self) -> Iterator[Columns]:
        """See `EventSource.columns`.

        Raises:
            Damage: where something cannot be decompressed, is not there, or is no event.
        """
        self.notes = beyond_the_end(self.path)
        return self._blocks(0)

    def before(self, t_start: int) -> Iterator[Columns]:
        """See `EventSource.before`."""
        self.notes = []
        try:
            first = self.first_at(t_start)
        except FAULTS:
            first = 0
        return self._blocks(first)

    def close(self) -> None:
        """See `EventSource.close`."""
        with contextlib.suppress(*FAULTS):
            self.file.close()

    def _blocks(self, first: int) -> Iterator[Columns]:
        count = len(self.datasets[0])
        try:
            stored = min(count, *(stored_rows(each) for each in self.datasets))
        except FAULTS as error:
            raise Damage(f"the table of what is stored where is damaged: {first_line(error)}", None, count) from None
        for begin in range(first, stored, source.BLOCK):
            end, reason = min(begin + source.BLOCK, stored), None
            try:
                parts = [each[begin:end] for each in self.datasets]
            except FAULTS as error:
                end, reason = self._readable(begin, end), first_line(error)
                parts = [each[begin:end] for each in self.datasets]
            columns, no_event = self.decode(*parts)
            yield columns
            if no_event is not None:
                end, reason = begin + len(columns.t), no_event
            if reason is not None:
                raise Damage(f"event {end}: {reason}", self._byte(end), count - end)
        if stored < count:
            raise Damage(f"only {stored} of {count} events are in the file", None, count - stored)

    def _readable(self, begin: int, end: int) -> int:
        """Up to where all data sets can be read, between a place and one where they cannot."""
        good = begin
        while end - good > 1:
            middle = (good + end) // 2
            try:
                for each in self.datasets:
                    each[good:middle]
                good = middle
            except FAULTS:
                end = middle
        return good

    def _byte(self, event: int) -> int | None:
        """Where in the file the bytes of an event begin, as far as that can be said."""
        first = self.datasets[0]
        try:
            if first.chunks is None:
                return int(first.id.get_offset()) + event * first.dtype.itemsize * math.prod(first.shape[1:])
            for each in self.datasets:
                place = each.id.get_chunk_info_by_coord((event, *[0] * (each.ndim - 1)))
                try:
                    each[event : event + 1]
                except FAULTS:
                    return place.byte_offset
            return int(first.id.get_chunk_info_by_coord((event, *[0] * (first.ndim - 1))).byte_offset)
        except FAULTS:
            return None


def stored_rows(found: h5py.Dataset) -> int:
    """How many rows are really in the file: HDF5 gives zeros for those that were never written."""
    if not len(found):
        return 0
    row = found.dtype.itemsize * math.prod(found.shape[1:])
    if found.chunks is None:
        return found.id.get_storage_size() // row if row else 0
    across = math.prod(-(-side // chunk) for side, chunk in zip(found.shape[1:], found.chunks[1:], strict=True))
    needed = -(-len(found) // found.chunks[0]) * across
    if found.id.get_num_chunks() >= needed:
        return len(found)
    there: dict[int, int] = {}
    found.id.chunk_iter(lambda chunk: _counted(there, chunk.chunk_offset[0]))
    row_of_chunks = 0
    while there.get(row_of_chunks * found.chunks[0], 0) >= across:
        row_of_chunks += 1
    return min(len(found), row_of_chunks * found.chunks[0])


def _counted(there: dict[int, int], place: int) -> None:
    there[place] = there.get(place, 0) + 1

"""Columns that grow: in memory, or in an HDF5 file that is complete up to the last rows written, whatever happens."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np

#: Rows of a chunk in a file: large enough to write fast, small enough not to waste a short recording.
_CHUNK_BYTES = 1 << 18
#: Room on the disk that a recording leaves: a chunk of each column, HDF5's own records, and other writers.
_SPARE_BYTES = 1 << 23


class RecordingError(OSError):
    """A recording could not be written; what was written before is kept, in the file and for the program."""


class Rows(Protocol):
    """Columns of equal length, to which rows are appended."""

    def append(self, **columns: np.ndarray) -> None:
        """Adds rows to every column."""

    def add_column(self, name: str, entry: Any) -> None:
        """Adds a column, as in a layout; before the first row."""
        ...

    def __getitem__(self, name: str) -> np.ndarray: ...

    def __len__(self) -> int: ...

    def saved(self) -> dict[str, np.ndarray]:
        """What is nowhere but in memory."""
        ...

    def load(self, saved: Mapping[str, np.ndarray]) -> None:
        """The inverse of ``saved``."""
        ...

    def begin(self) -> None:
        """Gets ready for rows; raises RecordingError if none can be added."""
        ...

    def close(self) -> None:
        """Lets go of the file; reading still works."""
        ...


Layout = Mapping[str, Any]


def open_rows(file: str | None, name: str, layout: Layout, facts: Mapping[str, float] | None = None) -> Rows:
    """Columns in memory, or under a name in an HDF5 file.

    Args:
        file: path, or None for memory.
        name: group within the file.
        layout: column -> numpy type of its one value a row, or (type, values a row).
        facts: what a reader of the file has to know besides, such as the time step; attributes of the group.
    """
    return RowsInMemory(layout) if file is None else RowsInFile(Path(file), name, layout, facts)


def _kind(entry: Any) -> tuple[np.dtype, tuple[int, ...]]:
    if isinstance(entry, tuple):
        return np.dtype(entry[0]), (int(entry[1]),)
    return np.dtype(entry), ()


class RowsInMemory:
    """Columns in memory: parts, put together when they are asked for."""

    def __init__(self, layout: Layout):
        self._parts: dict[str, list[np.ndarray]] = {
            name: [np.empty((0, *_kind(entry)[1]), _kind(entry)[0])] for name, entry in layout.items()
        }
        self._length = 0

    def add_column(self, name: str, entry: Any) -> None:
        """Adds a column; before the first row."""
        assert not self._length
        self._parts[name] = [np.empty((0, *_kind(entry)[1]), _kind(entry)[0])]

    def append(self, **columns: np.ndarray) -> None:
        """Adds rows to every column."""
        for name, parts in self._parts.items():
            parts.append(np.asarray(columns[name], parts[0].dtype))
        self._length += len(next(iter(columns.values())))

    def __getitem__(self, name: str) -> np.ndarray:
        parts = self._parts[name]
        if len(parts) > 1:
            parts[:] = [np.concatenate(parts)]
        return parts[0]

    def __len__(self) -> int:
        return self._length

    def clear(self) -> None:
        """Drops all rows."""
        for parts in self._parts.values():
            parts[:] = [parts[0][:0]]
        self._length = 0

    def saved(self) -> dict[str, np.ndarray]:
        """All columns."""
        return {name: self[name] for name in self._parts}

    def load(self, saved: Mapping[str, np.ndarray]) -> None:
        """Replaces all columns."""
        if saved.get("rows", 0):
            warnings.warn(
                f"the checkpoint belongs to a recording in a file, which goes on in memory: its first {saved['rows']} "
                f"rows are in that file alone",
                stacklevel=2,
            )
        for name, parts in self._parts.items():
            parts[:] = [np.asarray(saved[name], parts[0].dtype)]
            self._length = len(parts[0])

    def begin(self) -> None:
        """Memory is always ready."""

    def close(self) -> None:
        """There is nothing to close."""


@dataclass
class _OpenFile:
    """A file that is being written, and what is recorded in it."""

    file: h5py.File
    names: set[str] = field(default_factory=set)


#: By path: several monitors may share one.
_open_files: dict[Path, _OpenFile] = {}


def _open(path: Path, name: str) -> h5py.File:
    place = path.resolve()
    held = _open_files.get(place)
    # one that was removed under an open recording stays with that recording; the name is free
    if held is None or not held.file or not place.exists():
        held = _open_files[place] = _OpenFile(h5py.File(place, "a", libver="v110"))
    if held.file.swmr_mode:
        raise RecordingError(
            f"{path}: is being written already; name it for all monitors before the first run, and close() a network "
            f"that is done with it"
        )
    if name in held.names:
        raise RecordingError(
            f"{path}: another monitor records {name} there already; name another file, or close() its network"
        )
    held.names.add(name)
    return held.file


class RowsInFile:
    """Columns in an HDF5 file.

    The file can be read at any time, also after a crash: it is in HDF5's single-writer mode from the first run on. Rows
    that a full disk refuses stay in memory, readable, and are written as soon as there is room again. A recording that
    the file holds already can only be gone on with, from a checkpoint.
    """

    def __init__(self, path: Path, name: str, layout: Layout, facts: Mapping[str, float] | None = None):
        self.path, self.name = path, name
        self._waiting = RowsInMemory(layout)
        self._length, self._earlier = 0, False
        try:
            self._file = _open(path, name)
            self._earlier = name in self._file
            if self._earlier:
                self._group = self._file[name]
                self._check_layout(layout)
                self._columns = {column: self._group[column] for column in layout}
                return
            self._group = self._file.create_group(name)
            self._group.attrs.update(facts or {})
            self._columns = {column: self._dataset(column, entry) for column, entry in layout.items()}
            self._file.flush()
        except RecordingError:
            raise
        except OSError as error:
            raise RecordingError(f"{path}: cannot be opened for a recording ({error})") from error

    def _check_layout(self, layout: Layout) -> None:
        for column, entry in layout.items():
            dtype, shape = _kind(entry)
            held = self._group.get(column)
            if held is None or held.dtype != dtype or held.shape[1:] != shape:
                raise RecordingError(
                    f"{self.path}: holds another recording of {self.name} already; name another file or remove this one"
                )

    def begin(self) -> None:
        """From here on others can read the file.

        Raises:
            RecordingError: if it is closed, or holds rows that are not those before a checkpoint.
        """
        if not self._file:
            raise RecordingError(f"{self.path}: the recording of {self.name} was closed; build the network again")
        if self._earlier:
            raise RecordingError(
                f"{self.path}: holds a recording of {self.name} already; restore the checkpoint that belongs to it, "
                f"name another file, or remove this one"
            )
        if not self._file.swmr_mode:
            self._file.swmr_mode = True

    def close(self) -> None:
        """Closes the file for all recordings in it."""
        if self._file:
            self._file.close()

    def _dataset(self, column: str, entry: Any) -> h5py.Dataset:
        dtype, shape = _kind(entry)
        rows = max(1, _CHUNK_BYTES // (dtype.itemsize * max(1, int(np.prod(shape)))))
        chunks = (rows, *(max(1, size) for size in shape))
        return self._group.create_dataset(column, (0, *shape), dtype, maxshape=(None, *shape), chunks=chunks)

    def add_column(self, name: str, entry: Any) -> None:
        """Adds a column; before the first row of any monitor that shares the file."""
        try:
            self._columns[name] = self._group[name] if name in self._group else self._dataset(name, entry)
            self._file.flush()
        except (OSError, RuntimeError, ValueError) as error:  # h5py raises any of them
            raise RecordingError(f"{self.path}: cannot add a column {name!r} to {self.name} ({error})") from error
        self._waiting.add_column(name, entry)

    def append(self, **columns: np.ndarray) -> None:
        """Adds rows to every column, and hands them to the operating system.

        Raises:
            RecordingError: if the disk is full or gone; names the file. The rows stay in memory.
        """
        self._waiting.append(**columns)
        self.begin()
        rows = len(self._waiting)
        self._check_space(rows)
        try:
            for name, dataset in self._columns.items():
                dataset.resize(self._length + rows, axis=0)
                dataset[self._length :] = self._waiting[name]
                dataset.flush()
        except (OSError, RuntimeError) as error:  # h5py raises either
            raise self._refusal(str(error)) from error
        self._length += rows
        self._waiting.clear()

    def _check_space(self, rows: int) -> None:
        """HDF5 does not survive a full disk: what it has not written by then takes the process down when it ends."""
        needed = sum(rows * each.dtype.itemsize * int(np.prod(each.shape[1:])) for each in self._columns.values())
        free = shutil.disk_usage(self.path.resolve().parent).free
        if free < needed + _SPARE_BYTES:
            raise self._refusal(f"{needed} bytes are to be written and the disk has {free} left")

    def _refusal(self, reason: str) -> RecordingError:
        return RecordingError(
            f"{self.path}: cannot write the recording of {self.name}: {reason}; {self._length} rows are in the file "
            f"and {len(self._waiting)} wait in memory: free some space and run on, or record less often"
        )

    def __getitem__(self, name: str) -> np.ndarray:
        if self._file:
            written = np.asarray(self._columns[name][: self._length])
        else:
            with h5py.File(self.path, "r") as file:
                written = np.asarray(file[self.name][name][: self._length])
        return np.concatenate([written, self._waiting[name]]) if len(self._waiting) else written

    def __len__(self) -> int:
        return self._length + len(self._waiting)

    def saved(self) -> dict[str, np.ndarray]:
        """How many rows the file has, and those that could not be written yet."""
        return {**self._waiting.saved(), "rows": np.array(self._length)}

    def load(self, saved: Mapping[str, np.ndarray]) -> None:
        """Goes on after the rows that the file had, and drops later ones; an empty file begins with what comes next.

        Raises:
            RecordingError: if the file holds some of them, but not all.
        """
        rows = int(saved["rows"])
        held = min(dataset.shape[0] for dataset in self._columns.values())
        if 0 < held < rows:
            raise RecordingError(
                f"{self.path}: holds {held} rows of {self.name}, but the checkpoint was taken after {rows}; name the "
                f"file that was written then, or an empty one"
            )
        self._length, self._earlier = (rows if held else 0), False
        for dataset in self._columns.values():
            if dataset.shape[0] != self._length:
                dataset.resize(self._length, axis=0)
        self._waiting.load({name: value for name, value in saved.items() if name != "rows"})

"""What in a MATLAB file is a recording of events, wherever in its structs and cells it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from spikelab.events.formats.column_names import roles

_TAXELS = 100
_SIDE = 10
"""ST-MNIST has 10 x 10 taxels, a row of the matrix each, and the time below them."""


class Recording(NamedTuple):
    """One recording.

    Attributes:
        columns: t, x, y and p, as the file has them.
        unit: of time, if a name says.
        first_pixel: number of the first row and column, 0 or 1; None where the events have to tell.
        size: width and height in pixels, where the kind of file tells.
    """

    columns: Mapping[str, np.ndarray]
    unit: str | None
    first_pixel: int | None
    size: tuple[int, int] | None


def recordings(contents: Mapping[str, Any]) -> dict[str, Recording]:
    """All recordings by name: names and numbers of variables, fields and cells, less what all have in common."""
    found = dict(_walk(contents, ()))
    common = 0
    while found and len(found) > 1 and len({path[: common + 1] for path in found}) == 1:
        common += 1
    return {"/".join(path[common:]): recording for path, recording in found.items()}


def _walk(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Recording]]:
    if isinstance(value, Mapping):
        columns = _columns(value)
        if columns is not None:
            yield path, columns
            return
        for name, inner in value.items():
            yield from _walk(inner, (*path, name))
    elif not isinstance(value, np.ndarray):
        return
    elif value.dtype.names or value.dtype.hasobject:
        # MATLAB counts along columns
        elements = value.ravel(order="F")
        for number, element in enumerate(elements):
            inner = {name: element[name] for name in value.dtype.names} if value.dtype.names else element
            yield from _walk(inner, path if len(elements) == 1 else (*path, str(number)))
    elif path and path[-1] == "spiketrain" and value.ndim == 2 and value.shape[0] == _TAXELS + 1:
        yield path, _touched(value)


def _columns(fields: Mapping[str, Any]) -> Recording | None:
    named = roles(tuple(fields))
    if named is None:
        return None
    names = list(fields)
    columns = {role: fields[names[place]] for role, place in named[0].items()}
    # a list of numbers is a row or a column for MATLAB
    if not all(
        isinstance(each, np.ndarray) and each.dtype.kind in "iufb" and _is_list(each) for each in columns.values()
    ):
        return None
    return Recording({role: each.ravel() for role, each in columns.items()}, named[1], None, None)


def _is_list(values: np.ndarray) -> bool:
    return values.size <= max(values.shape, default=1)


def _touched(matrix: np.ndarray) -> Recording:
    """Events of ST-MNIST: -1, 0 or 1 for each taxel, and a time in seconds, in each column."""
    moment, taxel = np.nonzero(matrix[:_TAXELS].T)
    columns = {"t": matrix[_TAXELS, moment], "x": taxel % _SIDE, "y": taxel // _SIDE, "p": matrix[taxel, moment]}
    return Recording(columns, "s", 0, (_SIDE, _SIDE))

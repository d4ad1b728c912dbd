"""What lies in an HDF5 file, as plain dicts, arrays and text.

Nothing is read before it is known to be small enough, and nothing outside the file is ever opened: soft, external and
user-defined links, external storage, virtual data sets and filters that would load a plug-in are refused where they
stand. Attributes are never read.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np

#: Deepest nesting of groups. NIR needs three levels, and two more for each nested graph.
MAX_DEPTH = 40
#: Most groups and data sets in a file.
MAX_OBJECTS = 50_000
#: Most bytes of text in a file: names, types, edges and metadata.
MAX_TEXT = 64 << 20
#: Below this a data set may be any size; above it, it must be stored in the file rather than only declared.
SMALL = 1 << 20
#: What gzip makes of zeros is 1032 times smaller; nothing that gzip wrote is denser.
DENSEST = 1100
FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF}


@dataclass(frozen=True)
class Damaged:
    """Stands where something cannot be read, and says why."""

    why: str


#: A group is a dict, a data set an array, a text or a nested list of texts.
Tree = dict[str, Any]


@dataclass
class _Plan:
    """Data sets that are to be read once all of them are known."""

    max_bytes: int
    declared: int = 0
    objects: int = 0
    text: int = 0
    seen: set[int] = field(default_factory=set)
    data: list[tuple[Tree, str, h5py.Dataset]] = field(default_factory=list)


def extract(path: str, max_bytes: int, before_reading: Callable[[int], None] = lambda declared: None) -> Tree:
    """Everything in the file.

    Args:
        path: of an HDF5 file.
        max_bytes: most bytes of all data sets together, as they will lie in memory.
        before_reading: called with the number of bytes that are going to be read.

    Raises:
        OSError: if it is no HDF5 file.
        ValueError: if the file as a whole is beyond a limit.
    """
    with h5py.File(path, "r") as file:
        plan = _Plan(max_bytes)
        tree = _group(file.id, plan, 0)
        before_reading(plan.declared)
        for parent, name, dataset in plan.data:
            text = plan.text
            try:
                parent[name] = _read(dataset, plan, os.path.getsize(path))
            except MemoryError:
                parent[name] = Damaged("takes more memory than the size it declares")
            except (OSError, RuntimeError, TypeError, ValueError, KeyError, UnicodeError) as error:
                parent[name] = Damaged(f"cannot be read ({short(error)})")
            if isinstance(parent[name], Damaged):
                plan.text = text
        return tree


def short(error: Exception) -> str:
    """An error as one line of bearable length."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _count(plan: _Plan, name: bytes) -> None:
    plan.objects += 1
    plan.text += len(name)
    if plan.objects > MAX_OBJECTS or plan.text > MAX_TEXT:
        raise ValueError(
            f"it holds more than {MAX_OBJECTS} groups and data sets, or more than {MAX_TEXT} bytes of names"
        )


def _group(group: h5py.h5g.GroupID, plan: _Plan, depth: int) -> Tree:
    content: Tree = {}
    for raw in _names(group):
        _count(plan, raw)
        name = raw.decode("utf-8", "backslashreplace")
        try:
            content[name] = _member(group, raw, name, content, plan, depth)
        except (OSError, RuntimeError, TypeError, KeyError, AttributeError) as error:
            content[name] = Damaged(f"cannot be read ({short(error)})")
    return content


def _names(group: h5py.h5g.GroupID) -> Iterator[bytes]:
    if group.get_num_objs() > MAX_OBJECTS:
        raise ValueError(f"a group has {group.get_num_objs()} members; at most {MAX_OBJECTS} are read")
    yield from group


def _member(group: h5py.h5g.GroupID, raw: bytes, name: str, content: Tree, plan: _Plan, depth: int) -> Any:
    if group.links.get_info(raw).type != h5py.h5l.TYPE_HARD:
        return Damaged("is a link, to another place or another file, which is not followed; store the data itself")
    member = h5py.h5o.open(group, raw)
    address = h5py.h5o.get_info(member).addr
    if address in plan.seen:
        return Damaged("is a second name of something that also stands elsewhere in the file; store a copy")
    plan.seen.add(address)
    if isinstance(member, h5py.h5g.GroupID):
        if depth >= MAX_DEPTH:
            return Damaged(f"lies deeper than {MAX_DEPTH} groups; that is no NIR graph")
        return _group(member, plan, depth + 1)
    if isinstance(member, h5py.h5d.DatasetID):
        return _plan_dataset(h5py.Dataset(member), name, content, plan)
    return Damaged("is neither a group nor a data set")


def _plan_dataset(dataset: h5py.Dataset, name: str, content: Tree, plan: _Plan) -> Any:
    why = _refusal(dataset)
    if why is not None:
        return Damaged(why)
    # variable-length text is counted when it is read: its pointers alone are known before
    size = math.prod(dataset.shape) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    declares = f"declares {' x '.join(map(str, dataset.shape)) or 'one'} of {dataset.dtype}, {size} bytes"
    if plan.declared + size > plan.max_bytes:
        return Damaged(f"{declares}, which makes more than max_bytes = {plan.max_bytes} in all; raise max_bytes")
    if size > SMALL and size > DENSEST * stored:
        return Damaged(f"{declares}, but only {stored} bytes are stored, which no writer needs; write it again")
    plan.declared += size
    plan.data.append((content, name, dataset))
    return Damaged("was not read")


def _refusal(dataset: h5py.Dataset) -> str | None:
    if dataset.shape is None:
        return "is empty"
    properties = dataset.id.get_create_plist()
    if properties.get_layout() == h5py.h5d.VIRTUAL or properties.get_external_count() > 0:
        return "keeps its data in another file, which is not opened; store the data itself"
    filters = {properties.get_filter(place)[0] for place in range(properties.get_nfilters())}
    if filters - FILTERS:
        return f"is compressed by filter {min(filters - FILTERS)}, which is not read; compress with gzip"
    kind = dataset.dtype
    if not (kind.kind in "biufS" or h5py.check_string_dtype(kind) is not None) or kind.shape != ():
        return f"holds {kind}, neither numbers nor text"
    return None


def _read(dataset: h5py.Dataset, plan: _Plan, file_size: int) -> Any:
    if h5py.check_string_dtype(dataset.dtype) is None:
        values = np.empty(dataset.shape, dataset.dtype)
        if values.size:
            dataset.read_direct(values)
        kind = values.dtype
        if kind.kind == "f" and kind.itemsize > 8:
            kind = np.dtype("f8")
        return np.ascontiguousarray(values, kind.newbyteorder("<")).reshape(dataset.shape)
    if dataset.shape == ():
        return _text(dataset[()], plan)
    # many names may point to the same long text: as few at a time as certainly fit
    rows = max(1, MAX_TEXT // max(1, file_size * math.prod(dataset.shape[1:])))
    texts: list[Any] = []
    for start in range(0, dataset.shape[0], rows):
        part = np.asarray(dataset[start : start + rows], object)
        texts += [_text(raw, plan) for raw in part.reshape(-1)]
    for length in reversed(dataset.shape[1:]):
        texts = [texts[place : place + length] for place in range(0, len(texts), length)] if length else []
    return texts


def _text(raw: bytes | str, plan: _Plan) -> str:
    plan.text += len(raw)
    if plan.text > MAX_TEXT:
        raise ValueError(f"makes more than {MAX_TEXT} bytes of text in all")
    return raw if isinstance(raw, str) else raw.decode("utf-8")

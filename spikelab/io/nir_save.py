"""Writes a NIR graph to a file (HDF5, as nir 1.0.8 lays it out)."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import Any

import h5py
import nir
import numpy as np

from spikelab.io.atomic import write_bytes_atomically
from spikelab.io.nir_forms import CannotExport
from spikelab.io.nir_graph import tree_of

#: Smaller arrays would only grow by being compressed.
_COMPRESSED_FROM = 1024


def write_nir(path: str | os.PathLike[str], graph: nir.NIRGraph, legacy: bool = False) -> None:
    """Writes a graph so that the file is either the old one or the whole new one.

    Everything that is set in the graph survives: arrays keep their type (whole numbers too), and metadata may hold
    texts, numbers, arrays and dicts of them. ``read_nir`` and ``nir.read`` give it back.

    Args:
        path: of the file; its folder must exist.
        graph: such as ``to_nir`` makes.
        legacy: leave out v_reset where it is all zero, so that nir 1.0.4 and older, and with them Sinabs and Rockpool,
            can read the file; a graph with another v_reset, or with a CubaLI, is refused.

    Raises:
        TypeError: for something else than a graph.
        CannotExport: names each node that cannot be written, and what to do.
        OSError: as the operating system reports it.
    """
    if not isinstance(graph, nir.NIRGraph):
        raise TypeError(f"write_nir: got a {type(graph).__name__}; give a nir.NIRGraph (to_nir makes one)")
    tree = tree_of(graph)
    problems = _problems(tree, "", legacy)
    if problems:
        raise CannotExport(f"cannot be written to {path}:\n  " + "\n  ".join(problems))
    file = io.BytesIO()
    with h5py.File(file, "w") as root:
        root.create_dataset("version", data=str(nir.version), dtype=h5py.string_dtype())
        _write_node(root.create_group("node"), tree, legacy)
    write_bytes_atomically(path, file.getvalue())


def _problems(tree: Mapping[str, Any], prefix: str, legacy: bool) -> list[str]:
    problems = []
    for name, node in tree["nodes"].items():
        place = prefix + name
        if not name or name == "." or "/" in name or "\0" in name:
            problems.append(f"{place!r}: HDF5 cannot hold this name; use one without '/' that is neither '' nor '.'")
        if node["type"] == "NIRGraph":
            problems += _problems(node, f"{place}.", legacy)
            continue
        reset = node.get("v_reset")
        if legacy and node["type"] == "CubaLI":
            problems.append(f"{place}: nir 1.0.4 and older have no CubaLI; write with legacy=False")
        if legacy and reset is not None and np.any(np.asarray(reset) != 0):
            problems.append(f"{place}: v_reset is not 0, which legacy files cannot say; write with legacy=False")
        for field, value in (*node.items(), *_entries(node.get("metadata"))):
            if field not in ("type", "metadata") and not _can_be_written(value):
                problems.append(
                    f"{place}: {field} is a {type(value).__name__}; give text, numbers or an array of numbers"
                )
    for edge in tree["edges"]:
        if len(edge) != 2 or not all(isinstance(name, str) and name in tree["nodes"] for name in edge):
            problems.append(f"{prefix}edges: {edge!r} is not a pair of names of nodes")
    metadata = () if prefix else _entries(tree["metadata"])
    return problems + [f"metadata: {name} is a {type(v).__name__}" for name, v in metadata if not _can_be_written(v)]


def _entries(metadata: Any) -> list[tuple[str, Any]]:
    entries: list[tuple[str, Any]] = []
    for name, value in metadata.items() if isinstance(metadata, Mapping) else ():
        entries += _entries(value) if isinstance(value, Mapping) else [(f"metadata {name}", value)]
    return entries


def _can_be_written(value: Any) -> bool:
    if value is None or isinstance(value, str | bytes):
        return True
    try:
        return np.asarray(value).dtype.kind in "biuf"
    except ValueError:
        return False


def _write_node(group: h5py.Group, node: Mapping[str, Any], legacy: bool) -> None:
    for name, value in node.items():
        if value is None or (name == "v_reset" and legacy):
            continue
        if name == "metadata":
            if isinstance(value, Mapping) and value:
                _write_group(group.create_group("metadata"), value)
        elif name == "nodes":
            # readers that ask for it get the nodes in the order of the graph; others get them by name
            members = group.create_group("nodes", track_order=True)
            for member, content in value.items():
                _write_node(members.create_group(member), content, legacy)
        elif name == "edges":
            names = np.array(value, dtype=object).reshape(-1, 2)
            group.create_dataset("edges", data=names, dtype=h5py.string_dtype())
        else:
            _write_value(group, name, value)


def _write_group(group: h5py.Group, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping):
            _write_group(group.create_group(str(name)), value)
        elif value is not None:
            _write_value(group, str(name), value)


def _write_value(group: h5py.Group, name: str, value: Any) -> None:
    if isinstance(value, str | bytes):
        text = value.decode() if isinstance(value, bytes) else value
        group.create_dataset(name, data=text, dtype=h5py.string_dtype())
        return
    array = np.asarray(value)
    compressed = {"compression": "gzip"} if array.ndim and array.nbytes >= _COMPRESSED_FROM else {}
    group.create_dataset(name, data=array, **compressed)

"""Attributes of HDF5 files, read so that damaged ones do no harm.

Where the bytes of text of variable length are damaged, HDF5 (2.0.0) loops for ever or crashes, as changing random bytes
of files shows. Numbers and text of fixed length do no harm. Other text is read by a process of its own.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np

LARGEST = 1 << 16
"""Most bytes of an attribute that is read."""

PATIENCE = 10.0
"""Seconds that the other process is given."""

_READ_TEXTS = """
import json, sys, h5py
with h5py.File(sys.argv[1], "r") as file:
    found = {name: file.attrs[name] for name in file.attrs}
texts = {name: value.decode(errors="replace") if isinstance(value, bytes) else value for name, value in found.items()}
print(json.dumps({name: value for name, value in texts.items() if isinstance(value, str)}))
"""


def attribute(group: h5py.Group, name: str) -> Any:
    """Numbers or text of fixed length; None if there is no such attribute, or it is something else."""
    if name not in group.attrs:
        return None
    found = h5py.h5a.open(group.id, name.encode())
    kind = found.get_type()
    harmless = isinstance(kind, h5py.h5t.TypeIntegerID | h5py.h5t.TypeFloatID) or (
        isinstance(kind, h5py.h5t.TypeStringID) and not kind.is_variable_str()
    )
    if not harmless or found.get_storage_size() > LARGEST:
        return None
    value = group.attrs[name]
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def numbers(group: h5py.Group) -> dict[str, Any]:
    """All attributes that are numbers or text of fixed length, as plain values."""
    found = {name: attribute(group, name) for name in group.attrs}
    return {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in found.items()
        if value is not None
    }


def texts(path: Path) -> dict[str, str]:
    """All texts among the attributes of the root, of whatever length; none where they are damaged."""
    about = path.stat()
    return dict(_texts(path, about.st_size, about.st_mtime_ns))


# the process takes some tenths of a second, and files are often opened several times in a row
@functools.lru_cache(maxsize=32)
def _texts(path: Path, size: int, changed: int) -> dict[str, str]:
    try:
        answer = subprocess.run(
            [sys.executable, "-c", _READ_TEXTS, str(path)], capture_output=True, timeout=PATIENCE, check=True
        )
        return dict(json.loads(answer.stdout))
    except (subprocess.SubprocessError, ValueError, OSError):
        return {}

"""Files that are either the old one or the whole new one, whatever happens while they are written."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_bytes_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that no reader, crash, power cut or full disk ever shows half of it.

    The bytes go to a temporary name in the same folder, are flushed to the disk, and then take the place of `path` in
    one step. If anything fails, what stood at `path` is untouched and the temporary file is removed.

    Args:
        path: The file; its folder must exist.
        data: The whole content.

    Raises:
        OSError: As the operating system reports it, such as `ENOSPC` on a full disk.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def write_json_atomically(path: str | os.PathLike[str], values: Mapping[str, Any]) -> None:
    """Write strict JSON (no NaN or Infinity), indented, through `write_bytes_atomically`.

    Raises:
        ValueError: If a value is not finite; JSON cannot hold it.
        OSError: As the operating system reports it.
    """
    text = json.dumps(values, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    write_bytes_atomically(path, text.encode())


def _flush_folder(folder: Path) -> None:
    """Flush the rename itself; some systems (Windows) cannot open a folder, and need no such call."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)

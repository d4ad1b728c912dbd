"""Event files on disk: npz archives that are written whole or not at all, and read without executing anything."""

import errno
import os
import secrets
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# What NumPy and zipfile raise for damaged files. For an npy file np.load returns a bare array, which is no context
# manager: TypeError.
_DAMAGE = (
    ValueError,
    EOFError,
    TypeError,
    KeyError,
    MemoryError,
    NotImplementedError,
    SyntaxError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def write_npz(path: Path, fields: Mapping[str, Any], *, compressed: bool) -> None:
    """Write arrays under their names to `path`, exactly as it is spelled.

    The archive grows under a temporary name in the same folder and takes its place at the end, so a reader never sees
    half a file, and a failed write leaves an older file as it was.

    Raises:
        OSError: The folder is missing, not writable, or the disk is full; the message names the file.
    """
    save = np.savez_compressed if compressed else np.savez
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with open(temporary, "xb") as file:
            save(file, **fields)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise type(error)(error.errno, f"event file not written: {error.strerror}", str(path)) from None
        raise


def read_npz(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Read the arrays `names` from an npz file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is truncated, damaged, not an npz archive, or lacks one of the arrays.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            missing = [name for name in names if name not in archive.files]
            if missing:
                raise ValueError(f"it has the arrays {archive.files}; missing: {missing}")
            return {name: archive[name] for name in names}
    except (OSError, *_DAMAGE) as error:
        # A damaged offset makes zipfile seek to nowhere (EINVAL); other errors of the system speak for themselves.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise ValueError(
            f"{path}: not a whole event file ({error}); it may be truncated or of another kind: "
            "delete it and make it again"
        ) from None

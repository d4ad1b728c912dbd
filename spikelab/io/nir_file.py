"""Reads an HDF5 file in a process of its own, so that a damaged or hostile file cannot take ours with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from spikelab.io.nir_hdf5 import Damaged, Tree, extract, short
from spikelab.io.nir_process import receive

#: Most bytes of numbers that are read from one file unless more are allowed.
MAX_BYTES = 2 << 30
#: What reads a file, after Python's own name. -P: modules are found where this process finds them.
_COMMAND = ["-P", "-m", "spikelab.io.nir_process"]
#: Processor time that any file may take, and how many bytes of a sound one are read well within one more second.
_SECONDS, _BYTES_A_SECOND = 10, 10 << 20


class CannotImport(ValueError):
    """The graph holds something that spikelab cannot run; the message names file, node and remedy."""


def read_tree(path: str | Path, max_bytes: int = MAX_BYTES, trusted: bool = False) -> Tree:
    """What lies in an HDF5 file: groups as dicts, data sets as arrays or text, ``Damaged`` where something is wrong.

    Args:
        path: of the file.
        max_bytes: most bytes of numbers, as they will lie in memory.
        trusted: read within this process, which takes a few milliseconds instead of about a quarter of a second. The
            HDF5 library can crash or never return on a file that is damaged or made to do so; say this of a file only
            if you wrote it.

    Raises:
        CannotImport: names the file, if it as a whole cannot be read.
    """
    path = Path(path)
    # neither a folder nor a pipe that never ends
    if not path.is_file():
        raise CannotImport(f"{path}: {'is not a file' if path.exists() else 'no such file'}")
    if trusted:
        try:
            return extract(str(path), max_bytes)
        except (OSError, RuntimeError, ValueError, KeyError, MemoryError) as error:
            raise _unreadable(path, short(error)) from error
    return _in_another_process(path, max_bytes)


def _unreadable(path: Path, why: str) -> CannotImport:
    return CannotImport(f"{path}: not a readable NIR file ({why})")


def _in_another_process(path: Path, max_bytes: int) -> Tree:
    if not sys.executable:
        raise CannotImport(f"{path}: there is no Python to read it in a process of its own; pass trusted=True")
    seconds = _SECONDS + path.stat().st_size / _BYTES_A_SECOND
    command = [sys.executable, *_COMMAND, str(path.resolve()), str(max_bytes), str(seconds)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path),
        "HDF5_PLUGIN_PRELOAD": "::",  # never load a plug-in
        "OPENBLAS_NUM_THREADS": "1",  # each thread would take address space
        "OMP_NUM_THREADS": "1",
    }
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        # on a busy machine the wall clock says little; the processor time is limited within the process itself
        clock = threading.Timer(6 * seconds, process.kill)
        clock.start()
        assert process.stdout is not None
        try:
            answer = receive(process.stdout, max_bytes)  # type: ignore[arg-type]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            process.kill()
            raise _unreadable(path, _how_it_ended(process.wait(), seconds)) from error
        finally:
            clock.cancel()
            process.kill()
    failed, content = answer.get("file"), answer.get("content")
    if isinstance(failed, Damaged):
        raise _unreadable(path, failed.why)
    if not isinstance(content, dict):
        raise _unreadable(path, "nothing came back from the process that read it")
    return content


def _how_it_ended(status: int, seconds: float) -> str:
    if status in (-signal.SIGKILL, -getattr(signal, "SIGXCPU", signal.SIGKILL)):
        return f"reading it took more than {seconds:.0f} s or more memory than there is; it is damaged"
    return "the HDF5 library crashed on it; it is damaged"

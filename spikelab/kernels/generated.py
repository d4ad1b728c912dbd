"""Writes generated source to a cache folder and imports it from there.

Numba keeps compiled code on disk only for functions that live in a file. The file's name is a hash of its content, and
its content is compared with what was generated before it is imported: what runs is what this process generated.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import sys
import tempfile
import threading
from pathlib import Path
from types import ModuleType

from spikelab.kernels.freshness import digest_of_imports

logger = logging.getLogger("spikelab.kernels")
_loading = threading.RLock()


def _forget_lock() -> None:
    """A child process must not wait for a lock that a thread of its parent held."""
    global _loading
    _loading = threading.RLock()


os.register_at_fork(after_in_child=_forget_lock)


def cache_folder() -> Path:
    """Where generated kernels lie: $SPIKELAB_CACHE or ~/.cache/spikelab, then ``kernels``."""
    base = os.environ.get("SPIKELAB_CACHE") or Path.home() / ".cache" / "spikelab"
    return Path(base) / "kernels"


def load_generated(source: str, what: str, compiled_on_import: bool = True) -> ModuleType:
    """Imports generated source under a name made of its hash.

    Args:
        source: the module.
        what: shown to the user when it has to be compiled.
        compiled_on_import: whether Numba compiles it, now; other compilers run later, and keep their code elsewhere.
    """
    source += f"# with sources {digest_of_imports(source)}\n"
    name = "spikelab_generated_" + hashlib.sha256(source.encode()).hexdigest()[:24]
    # a second thread must not find the module while the first still runs it
    with _loading:
        return sys.modules[name] if name in sys.modules else _load(name, source, what, compiled_on_import)


def _load(name: str, source: str, what: str, compiled_on_import: bool) -> ModuleType:
    path = _write(name, source)
    if compiled_on_import and not any(path.parent.glob(f"__pycache__/{name}.*.nbi")):
        logger.warning("compiling %s, once; kept in %s", what, path.parent)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # numba's disk cache looks the module up by name while it loads
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _write(name: str, source: str) -> Path:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.py"
        if path.exists() and path.read_text() == source:
            return path
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".tmp", delete=False) as file:
            file.write(source)
        os.replace(file.name, path)
    except OSError as error:
        # a read-only home or a full disk costs the compile time again, not the run
        logger.warning(
            "cannot keep compiled kernels in %s (%s); set SPIKELAB_CACHE to a writable folder", folder, error
        )
        path = Path(tempfile.mkdtemp(prefix="spikelab-kernels-")) / f"{name}.py"
        path.write_text(source)
    return path

"""Compiled code that was made from sources which have changed since is not used again.

Numba keeps compiled functions on disk, and compiles one anew when its own file has changed. What it took in from other
files may have changed too, as happens in a checkout; then the kept code would go on giving the old results.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from functools import cache
from pathlib import Path

_IMPORT = re.compile(r"^from (spikelab[\w.]*) import", re.MULTILINE)


def drop_outdated(*folders: Path) -> None:
    """Removes what Numba keeps beside the modules in these folders, if any of these modules is newer.

    Args:
        folders: whose compiled functions take in each other's, with the folders below them.
    """
    sources = [path for folder in folders for path in folder.rglob("*.py")]
    newest = max((path.stat().st_mtime for path in sources), default=0.0)
    for folder in {path.parent / "__pycache__" for path in sources}:
        try:
            for index in folder.glob("*.nbi"):
                if index.stat().st_mtime < newest:
                    index.unlink(missing_ok=True)
        except OSError:
            # another process was faster, or the folder is not ours: an installed package does not change file by file
            continue


def digest_of_imports(source: str) -> str:
    """A hash of the text of every module of spikelab's that a source imports, directly or not."""
    names: set[str] = set()
    waiting = _imports(source)
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting |= set(_module(name)[1])
    texts = [_module(name)[0] for name in sorted(names)]
    return hashlib.sha256("".join(texts).encode()).hexdigest()[:16]


def _imports(source: str) -> set[str]:
    return set(_IMPORT.findall(source))


@cache
def _module(name: str) -> tuple[str, tuple[str, ...]]:
    """(hash of a module's text, the modules that it imports)."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return "", ()
    text = Path(spec.origin).read_text()
    return hashlib.sha256(text.encode()).hexdigest(), tuple(sorted(_imports(text)))

"""A number for the sources that compiled code is made of.

Numba looks only at the file that a function stands in when it decides whether the machine code on disk still holds. So
only entry points are kept on disk, and each has this number in its closure, which Numba does look at.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from spikelab.kernels import native
from spikelab.sim.random_numbers import hashed_bits


@cache
def source_number() -> int:
    """Changes with any file of this package, and with those that its compiled code takes functions from."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in (*sorted(folder.glob("*.py")), Path(native.__file__), Path(hashed_bits.__file__)):
        digest.update(path.read_bytes())
    return int.from_bytes(digest.digest()[:7], "big")

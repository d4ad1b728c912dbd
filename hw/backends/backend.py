"""What a back end offers: it writes an integer graph, and proves that what it wrote computes the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikelab.hw.backends.verification import Verification
from spikelab.hw.ir import IntegerGraph


@dataclass(frozen=True)
class Backend:
    """A form in which integer graphs are written.

    Attributes:
        name: registered name.
        title: in words.
        profile: arithmetic that a graph must be lowered to for it; "" for any.
        write: (folder, graph, input -> messages [T, B, *shape]) -> report: "files" (names in the folder) and whatever
            the form has to say. Raises ValueError with everything that it cannot hold.
        verify: (folder, graph, input -> messages) -> what running the artefact and comparing every step said.
        compiles: whether ``verify`` takes the name of a compiler as well.
    """

    name: str
    title: str
    profile: str
    write: Callable[[Path, IntegerGraph, Mapping[str, np.ndarray]], dict[str, Any]]
    verify: Callable[..., Verification]
    compiles: bool = False

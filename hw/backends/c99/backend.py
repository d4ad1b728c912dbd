"""C99 as a back end of the export command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikelab.hw.backends.backend import Backend
from spikelab.hw.backends.c99.verify import verify_c99
from spikelab.hw.backends.c99.write import write_c99
from spikelab.hw.ir import IntegerGraph


def _write(folder: Path, graph: IntegerGraph, inputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return write_c99(folder, graph, vectors={name: values[:, 0] for name, values in inputs.items()})


C99 = Backend("c99", "C99 for microcontrollers", "", _write, verify_c99, compiles=True)

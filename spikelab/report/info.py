"""The `spikelab info` command."""

import importlib.util
import os
from pathlib import Path
from typing import Any

from spikelab import registry
from spikelab.learn.environment import devices, threads, versions
from spikelab.report.about import about
from spikelab.settings import Info


def info(settings: Info) -> dict[str, Any]:
    """Versions, back ends, devices, threads, cache folders and registered names; or `about` one name.

    Raises:
        UnknownNameError: If nothing is registered under that name.
    """
    if settings.about is not None:
        return {"about": about(settings.about)}
    root = Path(os.environ.get("SPIKELAB_CACHE") or Path.home() / ".cache" / "spikelab").expanduser()
    return {
        "versions": versions(),
        "back ends": {
            "reference": "torch, any device",
            "numba": "CPU" if importlib.util.find_spec("numba") else "not installed: pip install numba",
        },
        "devices": devices(),
        "threads": threads(),
        "cache folders": {"data sets": str(root / "datasets"), "compiled kernels": str(root / "kernels")},
        "registered": {kind: registry.names(kind) for kind in registry.TABLES},
    }

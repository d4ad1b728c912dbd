"""Libraries that only the analysis of activity needs: imported when used, with an error that says what to install."""

from __future__ import annotations

import importlib
from typing import Any


def load_library(name: str) -> Any:
    """Imports scipy, neo or elephant, or a module of theirs.

    Raises:
        ImportError: if it is not installed; says how to.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"the analysis of activity needs {name.partition('.')[0]}, which cannot be imported ({error}); "
            "install it with: pip install 'spikelab[analysis]'"
        ) from error

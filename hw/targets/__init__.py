"""Targets: chips and microcontrollers as TOML files, one a file.

A target of this folder is an attribute of this package, so that the registry can name it: ``targets.speck`` is read
from ``speck.toml``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from spikelab import registry
from spikelab.hw.target import Target
from spikelab.hw.targets.read import TargetError, read_target

__all__ = ["Target", "TargetError", "load_target"]

_FOLDER = Path(__file__).resolve().parent


def load_target(name_or_path: str | Path) -> Target:
    """A registered target, or one of your own.

    Args:
        name_or_path: a registered name, such as "speck", or a TOML file (its name ends in ``.toml``).

    Raises:
        TargetError: for a file that cannot be used; names every key that is wrong.
        UnknownNameError: for an unknown name; lists the known ones and the closest.
    """
    if isinstance(name_or_path, Path) or name_or_path.endswith(".toml"):
        return read_target(name_or_path)
    found = registry.load("targets", name_or_path)
    assert isinstance(found, Target)
    return found


def __getattr__(name: str) -> Target:
    if not name.startswith("_") and (_FOLDER / f"{name}.toml").is_file():
        return _of_this_folder(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _of_this_folder(name: str) -> Target:
    return read_target(_FOLDER / f"{name}.toml")

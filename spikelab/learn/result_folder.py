"""Folders of results: one experiment each, so that no command replaces figures that were made with other settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from spikelab.io import settings_file
from spikelab.learn.run_folder import RunError

SETTINGS_FILE = "settings.toml"


def refuse_other_settings(settings: Any, free: Collection[str]) -> None:
    """Makes sure that the folder of a command can be used, before anything costs time; writes nothing.

    Args:
        settings: Of the command; has `folder`.
        free: Settings that may differ from those that the folder was begun with, because what is there stays valid.

    Raises:
        ValueError: If the folder is, or lies in, a file.
        RunError: If the folder was begun with other settings; names the first that differs.
    """
    folder = Path(settings.folder)
    for path in (folder, *folder.parents):
        if path.exists():
            if not path.is_dir():
                raise ValueError(f"--folder {folder}: {path} is a file; name a folder")
            break
    if not (folder / SETTINGS_FILE).exists():
        return
    stored = settings_file.to_dict(settings_file.read(type(settings), folder / SETTINGS_FILE))
    given = settings_file.to_dict(settings)
    before, now = (_flat({key: each[key] for key in each if key not in free}) for each in (stored, given))
    for name in {**before, **now}:
        if before.get(name) != now.get(name):
            raise RunError(
                f"{folder}: was started with {_told(name, before)}, and is now to go on with {_told(name, now)}; "
                "choose another --folder"
            )


def keep_settings(settings: Any) -> None:
    """Makes the folder of a command, and writes the settings into it that `refuse_other_settings` looks at."""
    folder = Path(settings.folder)
    folder.mkdir(parents=True, exist_ok=True)
    settings_file.write(replace(settings, json=None), folder / SETTINGS_FILE)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return found


def _told(name: str, values: Mapping[str, Any]) -> str:
    return f"{name} = {values[name]!r}" if name in values else f"no {name}"

"""Settings as TOML files: what `write` puts on the disk, `read` and `--config` take back unchanged."""

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_args, get_type_hints

from spikelab.io.atomic import write_bytes_atomically
from spikelab.registry import suggestion

Settings = TypeVar("Settings")


class SettingsError(ValueError):
    """A settings file or an option that cannot be honoured."""


def to_dict(settings: Any) -> dict[str, Any]:
    """A settings object as plain nested dictionaries."""
    values = {entry.name: getattr(settings, entry.name) for entry in fields(settings)}
    return {name: to_dict(value) if is_dataclass(value) else value for name, value in values.items()}


def to_toml(settings: Any) -> str:
    """A settings object as TOML. `None`, which TOML lacks, is left out: it is the default wherever it is allowed."""
    return _table(to_dict(settings), "").lstrip("\n")


def write(settings: Any, path: str | os.PathLike[str]) -> None:
    """Write settings to a TOML file, atomically."""
    write_bytes_atomically(path, to_toml(settings).encode())


def read(settings_type: type[Settings], path: str | os.PathLike[str]) -> Settings:
    """Read a TOML file into one of the dataclasses of `spikelab.settings`.

    Args:
        settings_type: The dataclass.
        path: The file; keys that it leaves out keep their defaults.

    Raises:
        SettingsError: Naming the file and the key, if a key is unknown, a value has the wrong type or is out of range,
            or the file is not TOML.
        OSError: If the file cannot be read.
    """
    from jsonargparse import ArgumentError, ArgumentParser

    values = load_toml(path)
    check_keys(settings_type, values, str(path))
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(settings_type, "settings")
    try:
        return parser.instantiate(parser.parse_object({"settings": values})).settings
    except (ArgumentError, ValueError, TypeError) as error:
        raise SettingsError(f"{path}: {' '.join(str(error).replace('settings.', '').split())}") from error


def load_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Parse a TOML file.

    Raises:
        SettingsError: Naming the file, line and column, if it is not TOML.
        OSError: If the file cannot be read.
    """
    with open(path, "rb") as file:
        try:
            return tomllib.load(file)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path}: not a TOML file: {error}") from error


def check_keys(settings_type: type, values: Mapping[str, Any], source: str, prefix: str = "") -> None:
    """Refuse keys that the settings do not have.

    Args:
        settings_type: One of the dataclasses of `spikelab.settings`.
        values: What a TOML file holds.
        source: The file, for the message.
        prefix: Where in the file `values` stands.

    Raises:
        SettingsError: Naming the file, the key, the closest known one and all known ones.
    """
    hints = get_type_hints(settings_type)
    for key, value in values.items():
        if key not in hints:
            raise SettingsError(f"{source}: unknown key {prefix + key!r}; {suggestion(key, list(hints))}")
        nested = next((kind for kind in (hints[key], *get_args(hints[key])) if is_dataclass(kind)), None)
        if isinstance(nested, type):
            if not isinstance(value, Mapping):
                raise SettingsError(f"{source}: {prefix + key} = {value!r}: write it as a table, [{prefix + key}]")
            check_keys(nested, value, source, f"{prefix}{key}.")


def _table(values: Mapping[str, Any], prefix: str) -> str:
    plain = {key: value for key, value in values.items() if value is not None and not isinstance(value, Mapping)}
    tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    lines = [f"{_key(key)} = {_value(value)}\n" for key, value in plain.items()]
    head = f"\n[{prefix}]\n" if prefix and lines else ""
    return head + "".join(lines) + "".join(_table(tables[key], f"{prefix}.{_key(key)}".lstrip(".")) for key in tables)


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if bare else _value(key)


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, str):  # a TOML basic string is a JSON string, apart from the delete character
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else repr(value)
